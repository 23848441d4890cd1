import type { RaftNode } from '../raft/node.ts'
import type { LogIndex, LogPosition, LogReset, SnapshotRequest } from '../raft/types.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { Checkpointer } from './checkpointer.ts'

/** Snapshots, as the driver needs them (§5). */
export interface DriverSnapshots {
  /** Resolves to what the follower has by it; undefined: it does not have it. */
  send(request: SnapshotRequest): Promise<LogPosition | undefined>
  /** This node leads no more. */
  cancel(): void
  /** The log is not to be cut beyond this entry: a follower is being brought what comes before. */
  readonly heldIndex: LogIndex
  /** Puts the state machine that lies in a directory in the place of the one in force. */
  install(reset: LogReset): Promise<void>
}

/** How much more of the log is kept, at most, while a snapshot is on its way to a follower, in bytes. */
const MAX_HELD_BYTES = 512 * 1024 * 1024

export interface LogCutterParts {
  readonly raft: RaftNode
  readonly log: LogStore
  readonly checkpointer: Checkpointer
  readonly snapshots: Pick<DriverSnapshots, 'heldIndex'>
}

/** Decides where the log is cut: behind the last checkpoint that is on disk, less what followers may want of it. */
export class LogCutter {
  readonly #parts: LogCutterParts
  readonly #keepBytes: number
  #checkpointIndex: LogIndex = 0

  /** @param keepBytes so much of the log stays behind the cut */
  constructor(parts: LogCutterParts, keepBytes: number) {
    this.#parts = parts
    this.#keepBytes = keepBytes
  }

  /** Where to cut, after a checkpoint; undefined: nowhere (yet). */
  due(): LogPosition | undefined {
    const { checkpointer, log, raft, snapshots } = this.#parts
    const { index } = checkpointer
    if (index === this.#checkpointIndex) return undefined
    this.#checkpointIndex = index
    // Without a bound a follower that never gets there would fill this node's disk.
    const mayHold = log.bytes < this.#keepBytes + MAX_HELD_BYTES
    const upTo = log.cutPoint(Math.min(index, mayHold ? snapshots.heldIndex : Infinity), this.#keepBytes)
    return upTo === undefined || upTo.index < raft.view().firstIndex ? undefined : upTo
  }
}
