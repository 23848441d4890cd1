import type { RaftNode } from '../raft/node.ts'
import type { LogIndex, LogPosition, LogReset, NodeId, SnapshotRequest } from '../raft/types.ts'
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

/** A follower that lacks as much as before at so many checkpoints in a row is gone, and the disk is not filled for it. */
const MAX_IDLE_CHECKPOINTS = 3

/** How much more of the log is kept, at most, for followers that are brought up to date by a snapshot, in bytes. */
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
  /** Have a snapshot, and lack what came since: without it they would need another one, and so on for ever. */
  readonly #catchingUp = new Map<NodeId, { matchIndex: LogIndex; idle: number }>()

  /** @param keepBytes so much of the log stays behind the cut */
  constructor(parts: LogCutterParts, keepBytes: number) {
    this.#parts = parts
    this.#keepBytes = keepBytes
  }

  /** A follower has the snapshot that it needed. What it still lacks is kept until it has it. */
  brought(follower: NodeId): void {
    this.#catchingUp.set(follower, { matchIndex: -1, idle: 0 })
  }

  /** Where to cut, after a checkpoint; undefined: nowhere (yet). */
  due(): LogPosition | undefined {
    const { checkpointer, log, raft, snapshots } = this.#parts
    const { index } = checkpointer
    if (index === this.#checkpointIndex) return undefined
    this.#checkpointIndex = index
    // Without a bound a follower that never gets there would fill this node's disk.
    const mayHold = log.bytes < this.#keepBytes + MAX_HELD_BYTES
    if (!mayHold) this.#catchingUp.clear()
    const held = mayHold ? Math.min(snapshots.heldIndex, this.#lackedFrom(index)) : Infinity
    const upTo = log.cutPoint(Math.min(index, held), this.#keepBytes)
    return upTo === undefined || upTo.index < raft.view().firstIndex ? undefined : upTo
  }

  /** What those that are catching up have at the least; Infinity: a cut behind `index` takes nothing from them. */
  #lackedFrom(index: LogIndex): LogIndex {
    const { log, raft } = this.#parts
    const cut = log.cutPoint(index, this.#keepBytes)?.index
    let lacked = Infinity
    for (const [id, before] of this.#catchingUp) {
      const matchIndex = raft.view().followers.find((follower) => follower.id === id)?.matchIndex
      const idle = matchIndex === before.matchIndex ? before.idle + 1 : 0
      // It has all that goes, or this node does not lead any more.
      const over = matchIndex === undefined || (cut !== undefined && matchIndex >= cut)
      if (over || idle >= MAX_IDLE_CHECKPOINTS) this.#catchingUp.delete(id)
      else {
        this.#catchingUp.set(id, { matchIndex, idle })
        lacked = Math.min(lacked, matchIndex)
      }
    }
    return lacked
  }
}
