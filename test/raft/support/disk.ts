import { LOG_START } from '../../../src/raft/types.ts'
import type { InitialState } from '../../../src/raft/state.ts'
import type {
  HardState,
  LogEntry,
  LogIndex,
  LogPosition,
  NodeId,
  Term,
  Write,
} from '../../../src/raft/types.ts'

/** The state machine at rest, and the entry up to which it had applied. */
export interface Checkpoint {
  readonly applied: LogIndex
  readonly values: ReadonlyMap<string, string>
}

/** A leader's checkpoint on its way to a follower. */
export interface ModelSnapshot {
  readonly from: NodeId
  readonly term: Term
  readonly position: LogPosition
  readonly checkpoint: Checkpoint
  /** What the state came from, so that the model knows the whole of every log, also where a node does not. */
  readonly entries: readonly LogEntry[]
}

/** What a server of the model has on disk: it survives a crash, and nothing else does. */
export class Disk {
  hardState: HardState = { currentTerm: 0, votedFor: undefined }
  /** The whole log, with what was cut: of that, a node that starts here sees nothing. */
  entries: LogEntry[] = []
  /** Where the log begins for the node. */
  boundary: LogPosition = LOG_START
  /** The state machine as it was checkpointed last. */
  checkpoint: Checkpoint = { applied: 0, values: new Map() }
  /** Snapshots that were received and do not count (yet), by their directory. */
  readonly received = new Map<string, ModelSnapshot>()

  /** Makes a write durable: its entries replace whatever stands from the first one's index on. */
  store(write: Write): void {
    if (write.hardState !== undefined) this.hardState = write.hardState
    if (write.reset !== undefined) {
      this.checkpoint = this.received.get(write.reset.directory)!.checkpoint
      this.boundary = write.reset.boundary
    }
    this.entries = this.changed(this.entries, write)
  }

  /** A log after a write. */
  changed(log: readonly LogEntry[], { reset, entries }: Write): LogEntry[] {
    if (reset === undefined) return replaced(log, entries)
    const before = this.received.get(reset.directory)!.entries
    return [...before, ...(reset.keepSuffix ? log.slice(before.length) : [])]
  }

  /** The position of the entry at `index`; 0 is the start of the log. */
  positionAt(index: LogIndex): LogPosition {
    if (index === 0) return LOG_START
    const { term, checksum } = this.entries[index - 1]!
    return { index, term, checksum }
  }

  /** What a node finds here when it starts and loads the last `tail` entries into memory. */
  load(tail = Infinity): InitialState {
    const { boundary } = this
    const held = this.entries.slice(boundary.index)
    const kept = Math.min(tail, held.length)
    const termStarts = held
      .filter((entry, at) => entry.term !== held[at - 1]?.term)
      .map(({ term, index }) => ({ term, index }))
    return {
      hardState: this.hardState,
      log: {
        boundary,
        termStarts,
        tail: held.slice(held.length - kept),
        tailPrevious: this.positionAt(this.entries.length - kept),
      },
      applied: this.checkpoint.applied,
    }
  }
}

/** A log with `entries` in place of whatever it held from the first one's index on. */
export function replaced(log: readonly LogEntry[], entries: readonly LogEntry[]): LogEntry[] {
  const first = entries[0]?.index ?? log.length + 1
  if (first > log.length + 1) throw new Error(`a write of entry ${first} leaves a gap after ${log.length}`)
  return [...log.slice(0, first - 1), ...entries]
}
