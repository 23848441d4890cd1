import { BrokenInvariantError } from '../errors.ts'
import { LOG_START } from '../raft/types.ts'
import type { HardState, LogEntry, LogIndex, LogPosition, Term, Write } from '../raft/types.ts'
import type { LogStore, OpenLogOptions, RecoveredLog } from './log-store.ts'
import { assertChained, mergeWrites, positionOf } from './merge-writes.ts'

/** A log in memory, for tests and for what needs no disk. It remembers over `close` and `open`, not over the process. */
export class MemoryLogStore implements LogStore {
  readonly #stateDirectory: string
  readonly #entries: LogEntry[] = []
  #hardState: HardState = { currentTerm: 0, votedFor: undefined }
  #open = false
  #appending = false

  constructor(stateDirectory = 'state-1') {
    this.#stateDirectory = stateDirectory
  }

  async open(options: OpenLogOptions): Promise<RecoveredLog> {
    this.#open = true
    const entries = this.#entries
    let start = entries.length
    let room = options.tailBytes
    while (start > 0 && entries[start - 1]!.size <= room) room -= entries[--start]!.size
    options.progress?.(entries.length)
    return {
      hardState: this.#hardState,
      boundary: LOG_START,
      last: this.#positionAt(entries.length) ?? LOG_START,
      termStarts: this.#termStarts(),
      tail: entries.slice(start),
      tailPrevious: this.#positionAt(start) ?? LOG_START,
      anchor: this.#positionAt(options.anchorIndex),
      stateDirectory: this.#stateDirectory,
    }
  }

  async append(writes: readonly Write[]): Promise<void> {
    this.#assertOpen()
    if (this.#appending) throw new BrokenInvariantError('One append at a time')
    const { hardState, entries } = mergeWrites(writes, 0, this.#entries.length)
    const [first] = entries
    if (first !== undefined) assertChained(first, this.#positionAt(first.index - 1)!.checksum)
    this.#appending = true
    // As on a disk, nothing is there before the caller went on.
    await Promise.resolve()
    if (first !== undefined) this.#entries.length = first.index - 1
    for (const entry of entries) this.#entries.push(entry)
    this.#hardState = hardState ?? this.#hardState
    this.#appending = false
  }

  async read(
    from: LogIndex,
    upTo: LogIndex,
    maxBytes: number,
  ): Promise<{ previous: LogPosition; entries: LogEntry[] }> {
    this.#assertOpen()
    if (from < 1) throw new BrokenInvariantError(`Entry ${from} is wanted, but the log begins after 0`)
    const last = Math.min(upTo, this.#entries.length)
    if (from > last) return { previous: LOG_START, entries: [] }
    let end = from
    let bytes = this.#entries[from - 1]!.size
    while (end < last && bytes + this.#entries[end]!.size <= maxBytes) {
      bytes += this.#entries[end++]!.size
    }
    return { previous: this.#positionAt(from - 1)!, entries: this.#entries.slice(from - 1, end) }
  }

  async close(): Promise<void> {
    this.#open = false
  }

  #positionAt(index: LogIndex): LogPosition | undefined {
    const entry = this.#entries[index - 1]
    if (entry !== undefined) return positionOf(entry)
    return index === 0 ? LOG_START : undefined
  }

  #termStarts(): { term: Term; index: LogIndex }[] {
    const starts: { term: Term; index: LogIndex }[] = []
    for (const { term, index } of this.#entries) {
      if (starts[starts.length - 1]?.term !== term) starts.push({ term, index })
    }
    return starts
  }

  #assertOpen(): void {
    if (!this.#open) throw new BrokenInvariantError('The log is used before it is open')
  }
}
