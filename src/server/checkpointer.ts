import type { Clock } from '../clock.ts'
import { BrokenInvariantError, UnavailableError } from '../errors.ts'
import type { Checkpoint, FreedSpace, StateMachine } from '../kv/types.ts'
import type { LogIndex } from '../raft/types.ts'
import type { StateStore } from '../storage/state-store.ts'

/** How much deleted history may still take space on disk, about, in bytes. */
const RECLAIM_BYTES = 128 * 1024 * 1024

/**
 * In so many batches a checkpoint of the size at which one is due is written, or a larger one: each waits for the disk. In
 * one, of 32 MiB, it kept everything else from the processor and the disk while LevelDB took it in, and was copied into
 * ever larger memory as it grew: the slowest hundredth of all puts took a third longer.
 */
const PIECES = 32

export interface CheckpointSettings {
  /** How long what is applied may wait for its checkpoint, in milliseconds. */
  readonly checkpointIntervalMs: number
  /** How many bytes of it. */
  readonly checkpointBytes: number
  /** How many bytes of memory it may take at the most; half of them make a checkpoint due. By default any number. */
  readonly maxUnwrittenBytes?: number
  /**
   * How much of a first period counts as gone by, from 0 to below 1; by default 0. All nodes apply the same at the same
   * time: each has its own, or all would write at the same time too, and no majority would be quick then.
   */
  readonly headStart?: number
}

/**
 * Writes the state machine's changes to the state store behind the clients' backs: every second or every few
 * MiB, frozen at the end of an apply, all or nothing. Between checkpoints the log alone holds them.
 */
export class Checkpointer {
  readonly #machine: StateMachine
  #store: StateStore
  readonly #clock: Clock
  readonly #settings: CheckpointSettings
  #writing: Promise<void> | undefined
  /** Bytes of history deleted since their space was last given back. */
  #freedBytes = 0
  #reclaiming = false
  #paused = false
  /** The last one was due by its bytes: writes go on, and so does the rhythm. */
  #byBytes = false
  #lastAt: number
  #writtenAt: number
  #index: LogIndex

  constructor(machine: StateMachine, store: StateStore, clock: Clock, settings: CheckpointSettings) {
    this.#machine = machine
    this.#store = store
    this.#clock = clock
    this.#settings = settings
    const { checkpointIntervalMs, headStart = 0 } = settings
    this.#writtenAt = clock.now()
    this.#lastAt = this.#writtenAt - headStart * checkpointIntervalMs
    this.#index = machine.applied.index
  }

  /** The state store holds everything up to here. */
  get index(): LogIndex {
    return this.#index
  }

  /** How long ago the last one was written, or this node started, in milliseconds. */
  get ageMs(): number {
    return this.#clock.now() - this.#writtenAt
  }

  /** Begins a checkpoint if one is due. Resolves when it is written; rejects as the store does. */
  async writeIfDue(): Promise<void> {
    if (this.#writing !== undefined) return
    const {
      checkpointIntervalMs,
      checkpointBytes,
      maxUnwrittenBytes = Infinity,
      headStart = 0,
    } = this.#settings
    const enough = this.#byBytes ? checkpointBytes : checkpointBytes * (1 - headStart)
    const { unwrittenBytes, unwrittenMemoryBytes } = this.#machine
    const full = unwrittenBytes >= enough || unwrittenMemoryBytes >= maxUnwrittenBytes / 2
    if (!full && this.#clock.now() - this.#lastAt < checkpointIntervalMs) return
    this.#byBytes = full
    await this.#write()
  }

  /** Writes what there is, for a clean stop: the next start has nothing to replay. */
  async flush(): Promise<void> {
    await this.#writing
    await this.#write()
  }

  /**
   * Writes until the store holds everything up to an entry, which must be applied. Rejects as the store does, with
   * BrokenInvariantError where an earlier write has failed, and with UnavailableError where the store is being replaced.
   */
  async writeUpTo(index: LogIndex): Promise<void> {
    while (this.#index < index) {
      if (this.#paused) throw new UnavailableError('this node is taking over the state of another')
      const before = this.#index
      await (this.#writing ?? this.#write())
      if (this.#index === before && this.#writing === undefined && !this.#paused) {
        throw new BrokenInvariantError(`The checkpoint does not get beyond entry ${before}`)
      }
    }
  }

  /** Writes nothing from now on; resolves when nothing is being written. The store is about to be replaced. */
  async pause(): Promise<void> {
    this.#paused = true
    await this.#writing
  }

  /** Goes on with another store, which holds what the machine has now. */
  resume(store: StateStore): void {
    this.#store = store
    this.#index = this.#machine.applied.index
    this.#freedBytes = 0
    this.#paused = false
  }

  async #write(): Promise<void> {
    if (this.#paused) return
    this.#lastAt = this.#clock.now()
    const checkpoint = this.#machine.freeze()
    if (checkpoint === undefined) return
    this.#writing = this.#store.writeCheckpoint(checkpoint, this.#pieceBytes(checkpoint))
    try {
      await this.#writing
    } finally {
      this.#writing = undefined
    }
    this.#machine.checkpointWritten()
    this.#index = checkpoint.upTo.index
    this.#writtenAt = this.#clock.now()
    this.#reclaim(checkpoint.freed)
  }

  /** What waited long behind a slow disk is not written in ever more pieces, each of which waits for that disk. */
  #pieceBytes({ bytes }: Checkpoint): number {
    return Math.max(this.#settings.checkpointBytes, bytes) / PIECES
  }

  /** Beside the checkpoints that follow; where it fails, they do. */
  #reclaim(freed: FreedSpace | undefined): void {
    this.#freedBytes += freed?.bytes ?? 0
    if (freed === undefined || this.#freedBytes < RECLAIM_BYTES || this.#reclaiming) return
    this.#freedBytes = 0
    this.#reclaiming = true
    const done = (): void => {
      this.#reclaiming = false
    }
    this.#store.reclaim(freed.from, freed.upTo).then(done, done)
  }
}
