import { LOG_START } from '../../../src/raft/types.ts'
import type { InitialState } from '../../../src/raft/state.ts'
import type { HardState, LogEntry, LogIndex, LogPosition, Write } from '../../../src/raft/types.ts'

/** What a server of the model has on disk: it survives a crash, and nothing else does. */
export class Disk {
  hardState: HardState = { currentTerm: 0, votedFor: undefined }
  entries: LogEntry[] = []
  /** The state machine as it was checkpointed last, and the entry up to which it had applied. */
  checkpoint: { applied: LogIndex; values: ReadonlyMap<string, string> } = { applied: 0, values: new Map() }

  /** Makes a write durable: its entries replace whatever stands from the first one's index on. */
  store(write: Write): void {
    if (write.hardState !== undefined) this.hardState = write.hardState
    this.entries = replaced(this.entries, write.entries)
  }

  /** The position of the entry at `index`; 0 is the start of the log. */
  positionAt(index: LogIndex): LogPosition {
    return index === 0 ? LOG_START : this.entries[index - 1]!
  }

  /** What a node finds here when it starts and loads the last `tail` entries into memory. */
  load(tail = Infinity): InitialState {
    const kept = Math.min(tail, this.entries.length)
    const termStarts = this.entries
      .filter((entry, at) => entry.term !== this.entries[at - 1]?.term)
      .map(({ term, index }) => ({ term, index }))
    return {
      hardState: this.hardState,
      log: {
        boundary: LOG_START,
        termStarts,
        tail: this.entries.slice(this.entries.length - kept),
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
