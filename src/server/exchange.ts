import type { StateMachine } from '../kv/types.ts'
import { encodeSessionChange } from '../wire/command.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import { ServerFrameWriter } from '../wire/frames.ts'
import type { ClientFrame, ClientRequest } from '../wire/frames.ts'
import { answerTooLarge } from '../wire/read-request.ts'
import { ANSWER_OVERHEAD_BYTES, readResultSize } from '../wire/result.ts'
import type { CommandResult, KeyEntry } from '../wire/types.ts'
import type { ReadReply } from './calls.ts'
import type { KvFront, WriteReply } from './kv-front.ts'
import { presentOfAll } from './present.ts'
import { invalid, tooBusy } from './refusals.ts'
import { MAX_UNSENT_BYTES } from './unsent-answers.ts'

/** A frame is sent off early once it has this many bytes. */
const FRAME_BYTES = 256 * 1024

/** Where what one client is told goes, whatever carries them. */
export interface AnswerSink {
  /** Takes a frame to the client. False: the client does not read, and is given up. */
  send(frame: Uint8Array): boolean
  /** How many bytes of frames the client has not taken yet. */
  readonly unsentBytes: number
}

/**
 * One client's stream of frames, whatever carries it. What is answered in one turn (by one commit, by one
 * round of reads) goes back in one frame.
 */
export class Exchange {
  readonly #front: KvFront
  readonly #sink: AnswerSink
  readonly #writer = new ServerFrameWriter()
  #flushing = false
  #closed = false
  /** Requests that are not answered yet. */
  #owed = 0
  #done: (() => void) | undefined

  /** @param sink is given nothing after `close` */
  constructor(front: KvFront, sink: AnswerSink) {
    this.#front = front
    this.#sink = sink
  }

  /** Requests, in the order in which the client made them. */
  receive({ requests, refused }: ClientFrame): void {
    this.#owed += requests.length + refused.length
    for (const { id, error } of refused) this.fail(id, invalid(error.message))
    for (const request of requests) this.#accept(request)
  }

  /** No more requests come. Calls `done` once all of them are answered and the answers are handed over. */
  finish(done: () => void): void {
    this.#done = done
    if (this.#owed === 0) queueMicrotask(this.#flush)
  }

  /** The client is gone: nobody waits for the answers that are still to come. */
  close(): void {
    this.#closed = true
  }

  result(id: number, result: CommandResult): void {
    this.#writer.result(id, result)
    this.#flushSoon()
  }

  fail(id: number, detail: ErrorDetail): void {
    this.#writer.error(id, detail)
    this.#flushSoon()
  }

  serve(id: number, keys: readonly Uint8Array[], machine: StateMachine): void {
    if (this.#congested) {
      this.fail(id, tooBusy())
      return
    }
    const { maxRequestBytes } = this.#front.limits
    const entries = presentOfAll(machine, keys, maxRequestBytes)
    if (entries === undefined) this.fail(id, invalid(answerTooLarge(maxRequestBytes)))
    else this.#found(id, machine.revision, entries)
  }

  found(id: number, revision: number, entries: readonly (KeyEntry | undefined)[]): void {
    if (this.#congested) this.fail(id, tooBusy())
    else this.#found(id, revision, entries)
  }

  #found(id: number, revision: number, entries: readonly (KeyEntry | undefined)[]): void {
    // What was gathered before a large answer goes first: a client takes messages up to a limit of its own, and by
    // default no answer alone is above the usual one.
    const size = readResultSize(revision, entries) + ANSWER_OVERHEAD_BYTES
    if (this.#writer.size + size > FRAME_BYTES) this.#flush()
    this.#writer.read(id, revision, entries)
    this.#flushSoon()
  }

  /** Also where nobody takes the answer any more. */
  get #congested(): boolean {
    return this.#closed || this.#sink.unsentBytes > MAX_UNSENT_BYTES
  }

  #accept({ id, body }: ClientRequest): void {
    switch (body.type) {
      case 'command':
        this.#front.command(body.command, new ExchangeReply(this, id, NO_KEYS))
        return
      case 'read':
        this.#front.read(body, new ExchangeReply(this, id, body.keys))
        return
      case 'openSession':
        this.#front.sessionChange(
          encodeSessionChange({ type: 'open', ttlMs: body.ttlMs }),
          new ExchangeReply(this, id, NO_KEYS),
        )
        return
      case 'closeSession':
        this.#front.sessionChange(
          encodeSessionChange({ type: 'close', session: body.session }),
          new ExchangeReply(this, id, NO_KEYS),
        )
    }
  }

  /** A microtask runs when the driver's cycle is through: then everything that it answered is here. */
  #flushSoon(): void {
    if (this.#writer.size >= FRAME_BYTES) this.#flush()
    if (this.#flushing || this.#writer.count === 0) return
    this.#flushing = true
    queueMicrotask(this.#flush)
  }

  readonly #flush = (): void => {
    this.#flushing = false
    if (this.#writer.count > 0) {
      this.#owed -= this.#writer.count
      const frame = this.#writer.take()
      if (!this.#closed && !this.#sink.send(frame)) this.close()
    }
    if (this.#owed > 0 || this.#closed) return
    this.#done?.()
    this.#done = undefined
  }
}

const NO_KEYS: readonly Uint8Array[] = Object.freeze([])

class ExchangeReply implements WriteReply, ReadReply {
  readonly #exchange: Exchange
  readonly #id: number
  readonly #keys: readonly Uint8Array[]

  constructor(exchange: Exchange, id: number, keys: readonly Uint8Array[]) {
    this.#exchange = exchange
    this.#id = id
    this.#keys = keys
  }

  result(result: CommandResult): void {
    this.#exchange.result(this.#id, result)
  }

  serve(machine: StateMachine): void {
    this.#exchange.serve(this.#id, this.#keys, machine)
  }

  found(revision: number, entries: readonly (KeyEntry | undefined)[]): void {
    this.#exchange.found(this.#id, revision, entries)
  }

  fail(detail: ErrorDetail): void {
    this.#exchange.fail(this.#id, detail)
  }
}
