import type { Timer } from '../clock.ts'
import type { NodeId } from '../raft/types.ts'
import { decodeSnapshotFrame, encodeSnapshotFrame } from '../wire/snapshot-frame.ts'
import type { SnapshotFrame, SnapshotOffer, SnapshotProgress } from '../wire/snapshot-frame.ts'
import { findMismatch, helloTo } from './hello.ts'
import type { LocalIdentity } from './hello.ts'
import type { FrameListener, Pipe } from './peer-stream.ts'
import { TransferError } from './snapshot-transfer.ts'
import type { SnapshotSink } from './snapshot-transfer.ts'
import type { TransportHandler } from './transport.ts'

/** More chunks than this waiting to be taken are not what a sender with a window sends. */
const MAX_QUEUE_BYTES = 8 * 1024 * 1024

/**
 * The receiving end of a connection that brings a snapshot: Hello, offer, then chunk after chunk, each confirmed
 * when it is taken. It keeps nothing: what was taken is the sink's, also when the connection breaks.
 */
export class SnapshotAcceptor implements FrameListener {
  readonly #self: LocalIdentity
  readonly #peers: ReadonlyMap<NodeId, string>
  readonly #pipe: Pipe
  readonly #handler: TransportHandler
  #limit: Timer | undefined
  #stage: 'greeting' | 'admitting' | 'waiting' | 'answering' | 'taking' | 'over' = 'greeting'
  #from = ''
  #sink: SnapshotSink | undefined
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #busy = false

  constructor(
    self: LocalIdentity,
    peers: ReadonlyMap<NodeId, string>,
    pipe: Pipe,
    handler: TransportHandler,
  ) {
    this.#self = self
    this.#peers = peers
    this.#pipe = pipe
    this.#handler = handler
  }

  /** `limit` is taken back once there is an offer, or it is over. */
  start(limit: Timer): void {
    this.#limit = limit
  }

  get over(): boolean {
    return this.#stage === 'over'
  }

  onFrame(bytes: Uint8Array): void {
    if (this.#stage === 'over') return
    try {
      const frame = decodeSnapshotFrame(bytes)
      if (frame.type === 'hello' && this.#stage === 'greeting') this.#greet(frame)
      else if (frame.type === 'offer' && this.#stage === 'waiting') this.#answer(frame.offer)
      else if (frame.type === 'chunk' && this.#stage === 'taking') this.#enqueue(frame.chunk)
      else this.close()
    } catch {
      this.close()
    }
  }

  onEnd(): void {
    this.close()
  }

  /** Ends it at once. */
  close(): void {
    if (this.#stage === 'over') return
    this.#end()
    this.#pipe.abort()
  }

  #end(): void {
    this.#stage = 'over'
    this.#limit?.cancel()
    this.#queue = []
  }

  #write(frame: SnapshotFrame): void {
    if (this.#stage !== 'over') this.#pipe.write(encodeSnapshotFrame(frame))
  }

  #greet({ hello }: Extract<SnapshotFrame, { type: 'hello' }>): void {
    const mismatch = findMismatch(this.#self, hello, { role: 'acceptor', peers: this.#peers })
    this.#from = hello.from
    if (mismatch !== undefined) {
      this.#refuse(mismatch)
      return
    }
    this.#stage = 'admitting'
    const { from: id, incarnation, clientAddress } = hello
    this.#handler.admit({ id, incarnation, clientAddress }).then(
      (refusal) => {
        if (this.#stage !== 'admitting') return
        if (refusal !== undefined) this.#refuse(refusal)
        else {
          this.#stage = 'waiting'
          this.#write({ type: 'hello', hello: helloTo(this.#self, id) })
        }
      },
      () => this.close(),
    )
  }

  #refuse(reason: string): void {
    this.#write({ type: 'hello', hello: helloTo(this.#self, this.#from, reason) })
    this.#end()
    this.#pipe.end()
  }

  #answer(offer: SnapshotOffer): void {
    this.#stage = 'answering'
    this.#limit?.cancel()
    this.#handler.snapshots.offered(this.#from, offer).then(
      (answer) => {
        if (this.#stage !== 'answering') return
        if (answer.type === 'have') this.#last({ chunks: 0, done: true, failure: '' })
        else if (answer.type === 'refuse') this.#last({ chunks: 0, done: false, failure: answer.reason })
        else {
          this.#stage = 'taking'
          this.#sink = answer.sink
          this.#progress()
          this.#take()
        }
      },
      () => this.close(),
    )
  }

  #enqueue(chunk: Uint8Array): void {
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.length
    if (this.#queuedBytes > MAX_QUEUE_BYTES) this.close()
    else this.#take()
  }

  /** One chunk at a time; and when all are there, the end. */
  #take(): void {
    if (this.#busy || this.#stage !== 'taking') return
    const sink = this.#sink!
    const chunk = this.#queue.shift()
    if (chunk === undefined && !sink.complete) return
    this.#busy = true
    this.#queuedBytes -= chunk?.length ?? 0
    const work = chunk === undefined ? sink.finish() : sink.add(chunk)
    work.then(
      () => {
        this.#busy = false
        if (chunk === undefined) {
          this.#last({ chunks: sink.chunks, done: true, failure: '' })
          return
        }
        this.#progress()
        this.#take()
      },
      (error: unknown) => {
        if (error instanceof TransferError && !error.resumable) {
          this.#last({ chunks: 0, done: false, failure: error.message })
        } else this.close()
      },
    )
  }

  #progress(): void {
    this.#write({ type: 'progress', progress: { chunks: this.#sink!.chunks, done: false, failure: '' } })
  }

  #last(progress: SnapshotProgress): void {
    this.#write({ type: 'progress', progress })
    if (this.#stage === 'over') return
    this.#end()
    this.#pipe.end()
  }
}
