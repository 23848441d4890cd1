import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import type { LogIndex, NodeId, ReceivedSnapshot } from '../raft/types.ts'
import { SnapshotError } from '../storage/snapshot/snapshot.ts'
import type { SnapshotBuilder } from '../storage/snapshot/snapshot.ts'
import { TransferError } from '../transport/snapshot-transfer.ts'
import type { SnapshotAnswer, SnapshotReceiver, SnapshotSink } from '../transport/snapshot-transfer.ts'
import type { SnapshotOffer } from '../wire/snapshot-frame.ts'

/** What was received of a snapshot is kept so long without its sender, in milliseconds. */
const PATIENCE_MS = 60_000

export interface SnapshotReceivingParts {
  readonly clock: Clock
  readonly logger: Logger
  /** A directory's name under which nothing stands. */
  newDirectory(): string
  /** Begins to build a state there. Throws SnapshotError. */
  build(directory: string, meta: Uint8Array): Promise<SnapshotBuilder>
  removeDirectory(directory: string): Promise<void>
  /** What is committed here already. */
  commitIndex(): LogIndex
  /** The snapshot is whole, and on disk. Resolves when it counts; to false where it brings nothing. */
  received(snapshot: ReceivedSnapshot): Promise<boolean>
  /** This node's disk fails. */
  failed(error: unknown): void
}

/** What is being received. */
interface Receiving {
  readonly from: NodeId
  readonly offer: SnapshotOffer
  readonly directory: string
  readonly builder: SnapshotBuilder
  /** The sink of the connection that feeds it now. */
  sink: Sink | undefined
  /** What is being done to it. */
  work: Promise<unknown>
  patience: Timer | undefined
  /** It is being put in force, and not to be taken back any more. */
  finishing: boolean
}

/**
 * Takes snapshots in, one at a time, each into a directory of its own beside the state in force (Figure 5.3). It
 * outlives the connections that bring it; a newer leader's takes its place.
 */
export class SnapshotReceiving implements SnapshotReceiver {
  readonly #parts: SnapshotReceivingParts
  #current: Receiving | undefined
  /** One offer after the other. */
  #offers: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(parts: SnapshotReceivingParts) {
    this.#parts = parts
  }

  offered(from: NodeId, offer: SnapshotOffer): Promise<SnapshotAnswer> {
    const answer = this.#offers.then(() => this.#answer(from, offer))
    this.#offers = answer.catch((error: unknown) => this.#parts.failed(error))
    return answer
  }

  /** How much of the snapshot that is coming in is here, in bytes; undefined: none is. */
  get receivedBytes(): number | undefined {
    return this.#current === undefined ? undefined : (this.#current.builder.cursor?.bytes ?? 0)
  }

  /** Ends, and removes what is not whole. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#offers
    await this.#discard()
  }

  async #answer(from: NodeId, offer: SnapshotOffer): Promise<SnapshotAnswer> {
    const parts = this.#parts
    if (this.#closed) return { type: 'refuse', reason: 'this node is stopping' }
    const current = this.#current
    if (current?.finishing) return { type: 'refuse', reason: 'another snapshot is being put in force' }
    if (current?.from === from && current.offer.id === offer.id && current.offer.term === offer.term) {
      current.sink?.end()
      await current.work
      if (current === this.#current) return { type: 'take', sink: this.#sinkFor(current) }
    } else if (current !== undefined && current.offer.term > offer.term) {
      return { type: 'refuse', reason: 'a newer leader is bringing a snapshot' }
    }
    await this.#discard()
    try {
      const directory = parts.newDirectory()
      const builder = await parts.build(directory, offer.meta)
      const { position } = builder.meta
      if (position.index <= parts.commitIndex()) {
        await builder.discard()
        return { type: 'have' }
      }
      parts.logger.info({ peer: from, index: position.index }, `receiving a snapshot from ${from}`)
      const receiving: Receiving = {
        ...{ from, offer, directory, builder },
        sink: undefined,
        work: Promise.resolve(),
        patience: undefined,
        finishing: false,
      }
      receiving.patience = parts.clock.after(PATIENCE_MS, () => this.#giveUp(receiving))
      this.#current = receiving
      return { type: 'take', sink: this.#sinkFor(receiving) }
    } catch (error) {
      if (error instanceof SnapshotError) return { type: 'refuse', reason: error.message }
      throw error
    }
  }

  #sinkFor(receiving: Receiving): Sink {
    receiving.sink = new Sink(receiving.builder, {
      add: (chunk) => this.#add(receiving, chunk),
      finish: () => this.#finish(receiving),
    })
    return receiving.sink
  }

  async #add(receiving: Receiving, chunk: Uint8Array): Promise<void> {
    receiving.patience?.cancel()
    receiving.patience = this.#parts.clock.after(PATIENCE_MS, () => this.#giveUp(receiving))
    await this.#guarded(receiving, () => receiving.builder.add(chunk))
  }

  async #finish(receiving: Receiving): Promise<void> {
    const parts = this.#parts
    const { from, offer, directory, builder } = receiving
    await this.#guarded(receiving, async () => {
      await builder.finish()
      if (this.#closed || receiving !== this.#current)
        throw new TransferError('too late', { resumable: false })
      receiving.finishing = true
      const { position } = builder.meta
      const counts = await parts.received({ from, term: offer.term, position, directory })
      this.#over(receiving)
      if (counts)
        parts.logger.info({ peer: from, index: position.index }, `the snapshot from ${from} is in force`)
      else await parts.removeDirectory(directory)
    })
  }

  /** Does something to what is being received; what cannot go on is discarded. */
  async #guarded(receiving: Receiving, run: () => Promise<void>): Promise<void> {
    const work = run()
    receiving.work = work.catch(() => {})
    try {
      await work
    } catch (error) {
      if (!(error instanceof SnapshotError)) {
        if (!(error instanceof TransferError)) this.#parts.failed(error)
        throw error
      }
      if (!error.resumable && receiving === this.#current) {
        this.#parts.logger.warn({ peer: receiving.from, err: error }, 'the snapshot cannot be taken')
        await this.#discard()
      }
      throw new TransferError(error.message, { resumable: error.resumable, cause: error })
    }
  }

  #giveUp(receiving: Receiving): void {
    if (receiving !== this.#current || receiving.finishing) return
    this.#offers = this.#offers
      .then(() => (receiving === this.#current && !receiving.finishing ? this.#discard() : undefined))
      .catch((error: unknown) => this.#parts.failed(error))
  }

  #over(receiving: Receiving): void {
    receiving.patience?.cancel()
    receiving.sink?.end()
    if (this.#current === receiving) this.#current = undefined
  }

  async #discard(): Promise<void> {
    const current = this.#current
    if (current === undefined || current.finishing) return
    this.#over(current)
    await current.work
    await current.builder.discard()
  }
}

/** What one connection feeds: when another takes over, it takes nothing more. */
class Sink implements SnapshotSink {
  readonly #builder: SnapshotBuilder
  readonly #into: { add(chunk: Uint8Array): Promise<void>; finish(): Promise<void> }
  #ended = false

  constructor(
    builder: SnapshotBuilder,
    into: { add(chunk: Uint8Array): Promise<void>; finish(): Promise<void> },
  ) {
    this.#builder = builder
    this.#into = into
  }

  get chunks(): number {
    return this.#builder.cursor?.chunks ?? 0
  }

  get complete(): boolean {
    return this.#builder.complete
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#assertOpen()
    await this.#into.add(chunk)
  }

  async finish(): Promise<void> {
    this.#assertOpen()
    await this.#into.finish()
  }

  end(): void {
    this.#ended = true
  }

  #assertOpen(): void {
    if (this.#ended) throw new TransferError('another connection has taken over', { resumable: true })
  }
}
