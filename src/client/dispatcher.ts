import type { Clock } from '../clock.ts'
import { AbortedError, type BalsaError, ResourceExhaustedError, UnavailableError } from '../errors.ts'
import { encodeCommand } from '../wire/command.ts'
import { type ErrorDetail, toError } from '../wire/error-detail.ts'
import type { ServerResponse } from '../wire/frames.ts'
import { Call, type CallBody } from './call.ts'
import type { Runtime } from './connector.ts'
import { Deadlines } from './deadlines.ts'
import { Directory } from './directory.ts'
import { Frame, FRAME_BYTES } from './frame.ts'
import { LeaderLink, type LinkEvents } from './leader-link.ts'
import type { NodeStream } from './node-stream.ts'
import { Session } from './session.ts'
import { Waiting } from './waiting.ts'

/** How long a node may owe an answer before another one is asked, in milliseconds. */
const SILENCE_MS = 1000

/** How long `close` waits for the session's end, in milliseconds. */
const CLOSE_MS = 500

/** What a frame of answers says of the node that sent it. */
interface Verdict {
  served: boolean
  /** The refusal with the newest hint. */
  refusal: ErrorDetail | undefined
  overloaded: boolean
  /** The node is of no use at all. */
  useless: Error | undefined
}

/** A request of the dispatcher's own, on its way. */
interface OwnRequest {
  readonly id: number
  readonly stream: NodeStream
}

/**
 * Carries calls to the node that can serve them and back: gathers what is called in one turn of the event loop
 * into one frame, sends again what was lost or refused, and ends every call exactly once.
 */
export class Dispatcher implements LinkEvents {
  readonly #clock: Clock
  readonly #link: LeaderLink
  readonly #deadlines: Deadlines
  /** All calls that have not ended, in the order in which they were made. */
  readonly #calls = new Map<number, Call>()
  /** Those of them that are not on their way. */
  readonly #waiting = new Waiting()
  #lastId = 0
  #scheduled = false
  #gatheredBytes = 0
  /** Opened by the first write, and again when it has expired; kept over reconnects and changes of leader. */
  #session: Session | undefined
  #opening: OwnRequest | undefined
  #closing: Promise<void> | undefined
  #sessionEnd: (OwnRequest & { readonly done: () => void }) | undefined

  constructor(endpoints: readonly string[], { connector, clock, random }: Runtime) {
    this.#clock = clock
    const directory = new Directory(endpoints, clock, random)
    this.#link = new LeaderLink(directory, connector, clock, random, SILENCE_MS, this)
    this.#deadlines = new Deadlines(clock, (now) => this.#expire(now))
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** Takes a call of about `size` bytes. One of `body.complete` and `reject` is called, once. */
  submit(
    body: CallBody,
    size: number,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    reject: (error: BalsaError) => void,
  ): void {
    if (this.#closing !== undefined) {
      reject(new AbortedError('the client is closed'))
      return
    }
    if (signal?.aborted) {
      reject(new AbortedError('the caller ended the call', { cause: signal.reason }))
      return
    }
    const now = this.#clock.now()
    const call = new Call(++this.#lastId, body, size, timeoutMs, now + timeoutMs, reject)
    if (signal !== undefined) {
      call.listen(signal, () => this.#end(call, call.abortError('the caller ended the call', signal.reason)))
    }
    this.#calls.set(call.id, call)
    this.#waiting.add(call)
    this.#deadlines.add(call.deadline, now)
    this.#gatheredBytes += size
    if (this.#gatheredBytes >= FRAME_BYTES) this.#flush()
    else this.#schedule()
  }

  /** Ends all calls and, where none was on its way, the session. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  // ---- what the link tells ----

  ready(): void {
    this.#schedule()
  }

  wanted(): boolean {
    const current = this.#link.current
    const { staleReads, reads, writes } = this.#waiting
    return (
      (staleReads.size > 0 && current === undefined) ||
      (reads.size + writes.size > 0 && current?.serving !== true)
    )
  }

  lost(stream: NodeStream, error: Error): void {
    const again: Call[] = []
    for (const call of this.#calls.values()) {
      if (call.stream !== stream) continue
      call.lost(error)
      again.push(call)
    }
    if (this.#opening?.stream === stream) this.#opening = undefined
    if (this.#sessionEnd?.stream === stream) this.#sessionEnd.done()
    if (error instanceof ResourceExhaustedError) this.#endLargest(again, error)
    this.#waiting.putBack(again)
    this.#schedule()
  }

  /**
   * A message was too large for somebody on the way: not for a node of today, but for an older one, or a proxy. Sent
   * once more, it would break the next stream too, and keep everybody else's calls from their answers. Which one it was
   * is not said: of those that went in frames of their own the largest is taken out of `calls`.
   */
  #endLargest(calls: Call[], error: Error): void {
    let largest: Call | undefined
    for (const call of calls) if (call.size > (largest?.size ?? FRAME_BYTES)) largest = call
    if (largest === undefined) return
    calls.splice(calls.indexOf(largest), 1)
    this.#end(largest, largest.tooLargeError(error))
  }

  answered(stream: NodeStream, responses: readonly ServerResponse[]): void {
    const verdict: Verdict = { served: false, refusal: undefined, overloaded: false, useless: undefined }
    const again: Call[] = []
    for (const response of responses) {
      const call = this.#calls.get(response.id)
      if (call !== undefined && call.stream === stream) this.#answer(call, response, verdict, again)
      else if (this.#opening?.id === response.id) this.#opened(response, verdict)
      else if (this.#sessionEnd?.id === response.id) this.#sessionEnd.done()
      // Else it is late: its call has ended, and nobody is told twice.
    }
    if (again.length > 0) this.#waiting.putBack(again)
    if (verdict.served) this.#link.served(stream)
    if (verdict.useless !== undefined) {
      this.#link.drop(stream, verdict.useless)
    } else if (verdict.refusal !== undefined) {
      this.#link.refused(stream, toError(verdict.refusal, { write: false }), verdict.refusal.leader)
    } else if (verdict.overloaded) {
      this.#link.throttle(stream)
    }
    if (this.#waiting.size > 0) this.#schedule()
  }

  // ---- sending ----

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#clock.soon(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    this.#gatheredBytes = 0
    if (this.#waiting.size === 0) return
    const stream = this.#link.current
    if (stream !== undefined && !stream.throttled) {
      const frame = new Frame(stream)
      this.#sendReads(this.#waiting.staleReads, stream, frame)
      if (stream.serving) {
        this.#sendReads(this.#waiting.reads, stream, frame)
        this.#sendWrites(stream, frame)
      }
      frame.send()
    }
    if (this.wanted()) this.#link.seek()
  }

  #sendReads(queue: Set<Call>, stream: NodeStream, frame: Frame): void {
    for (const call of queue) {
      if (stream.congested || call.body.type !== 'read') return
      queue.delete(call)
      call.stream = stream
      frame.add({ id: call.id, body: call.body }, call.size)
    }
  }

  #sendWrites(stream: NodeStream, frame: Frame): void {
    const session = this.#session
    const queue = this.#waiting.writes
    if (session === undefined) {
      if (queue.size > 0 && this.#opening === undefined) {
        this.#opening = { id: ++this.#lastId, stream }
        frame.add({ id: this.#opening.id, body: { type: 'openSession', ttlMs: 0 } }, 0)
      }
      return
    }
    for (const call of queue) {
      if (stream.congested || call.body.type !== 'write') return
      if (call.session !== session.id) {
        if (call.unknown) {
          this.#end(call, call.sessionExpiredError())
          continue
        }
        if (session.full) return
        call.session = session.id
        call.sequence = session.take()
      }
      queue.delete(call)
      call.stream = stream
      const { sequence, body } = call
      const { firstUnacked } = session
      const command = encodeCommand({
        session: session.id,
        sequence,
        firstUnacked,
        operation: body.operation,
      })
      frame.add({ id: call.id, body: { type: 'command', command } }, call.size)
    }
  }

  // ---- answers ----

  #answer(call: Call, { body }: ServerResponse, verdict: Verdict, again: Call[]): void {
    if (body.type === 'error') {
      this.#refuse(call, body.error, verdict, again)
      return
    }
    const asked = call.body
    if (asked.type === 'write' && body.type === 'result') {
      this.#succeed(call, verdict)
      asked.complete(body.result)
    } else if (asked.type === 'read' && body.type === 'read' && body.entries.length === asked.keys.length) {
      this.#succeed(call, verdict)
      asked.complete(body)
    } else {
      const endpoint = call.stream?.target.endpoint ?? ''
      verdict.useless = new UnavailableError(`${endpoint} answered something else than it was asked`)
    }
  }

  #succeed(call: Call, verdict: Verdict): void {
    verdict.served = true
    if (this.#session !== undefined && call.session === this.#session.id) this.#session.used = true
    this.#finish(call)
  }

  #refuse(call: Call, detail: ErrorDetail, verdict: Verdict, again: Call[]): void {
    const triedBefore = call.unknown
    const { body } = call
    call.refused(detail)
    if (detail.code === 'SESSION_EXPIRED' && body.type === 'write') {
      this.#sessionExpired(call, verdict, again)
    } else if (blame(detail, verdict, body.type === 'read' && body.consistency === 'stale')) {
      again.push(call)
    } else {
      this.#end(call, call.refusalError(detail, triedBefore))
    }
  }

  /**
   * The store does not know the call's session any more. A write of which no try can have been executed goes
   * into a new session; of any other nobody can tell any more whether it was applied.
   */
  #sessionExpired(call: Call, verdict: Verdict, again: Call[]): void {
    const session = this.#session
    if (session !== undefined && session.id === call.session) {
      // One that expired before it served anything is not replaced in a hurry.
      if (!session.used) verdict.overloaded = true
      this.#session = undefined
    }
    if (call.unknown) {
      this.#end(call, call.sessionExpiredError())
      return
    }
    call.session = 0
    call.sequence = 0
    again.push(call)
  }

  #opened({ body }: ServerResponse, verdict: Verdict): void {
    this.#opening = undefined
    if (body.type === 'result' && body.result.session > 0) {
      this.#session = new Session(body.result.session)
    } else if (body.type !== 'error') {
      verdict.useless = new UnavailableError('a node opened a session without saying which')
    } else if (!blame(body.error, verdict, false)) {
      // Whatever became of the session, the writes that waited for it were not sent under it.
      const detail = { ...body.error, notExecuted: true }
      for (const call of this.#waiting.writes) this.#end(call, call.refusalError(detail, call.unknown))
    }
  }

  // ---- the end of calls ----

  #expire(now: number): number {
    let earliest = Infinity
    for (const call of this.#calls.values()) {
      if (call.deadline > now) earliest = Math.min(earliest, call.deadline)
      else this.#end(call, call.deadlineError(this.#link.problem))
    }
    return earliest
  }

  #end(call: Call, error: BalsaError): void {
    this.#finish(call)
    call.reject(error)
  }

  #finish(call: Call): void {
    this.#calls.delete(call.id)
    if (call.stream === undefined) this.#waiting.delete(call)
    call.release()
    const session = this.#session
    if (session === undefined || call.session !== session.id) return
    const wasFull = session.full
    session.settle(call.sequence)
    if (wasFull) this.#schedule()
  }

  async #shutDown(): Promise<void> {
    const idle = this.#calls.size === 0
    for (const call of this.#calls.values()) {
      this.#end(call, call.abortError('the client was closed', undefined))
    }
    this.#deadlines.stop()
    const stream = this.#link.current
    if (idle && this.#session !== undefined && stream?.serving) await this.#endSession(stream, this.#session)
    this.#link.close()
  }

  /** Best effort: a session that is not closed expires. */
  async #endSession(stream: NodeStream, session: Session): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(CLOSE_MS, resolve)
      const done = (): void => {
        timer.cancel()
        resolve()
      }
      this.#sessionEnd = { id: ++this.#lastId, stream, done }
      stream.send([{ id: this.#sessionEnd.id, body: { type: 'closeSession', session: session.id } }])
    })
  }
}

/**
 * Enters into the verdict what an error says of the node.
 *
 * @returns whether the same request may succeed later, or at another node.
 */
function blame(detail: ErrorDetail, verdict: Verdict, stale: boolean): boolean {
  switch (detail.code) {
    case 'UNAVAILABLE':
    case 'NOT_LEADER':
    case 'ABORTED':
      if (stale) {
        verdict.useless = toError(detail, { write: false })
      } else if ((detail.leader?.term ?? -1) >= (verdict.refusal?.leader?.term ?? -1)) {
        verdict.refusal = detail
      }
      return true
    case 'TIMEOUT':
    case 'OUTCOME_UNKNOWN':
    case 'RESOURCE_EXHAUSTED':
      // A disk that is nearly full stays so for minutes; what else waits here is not held up for it.
      if (detail.lasting === true) return false
      if (detail.leader === undefined) verdict.overloaded = true
      else verdict.refusal = detail
      return true
    case 'SESSION_EXPIRED':
    case 'INVALID_ARGUMENT':
    case 'COMPACTED':
    case 'DAMAGED':
      return false
  }
}
