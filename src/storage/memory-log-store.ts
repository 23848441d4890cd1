import { BrokenInvariantError } from '../errors.ts'
import { LOG_START } from '../raft/types.ts'
import type { HardState, LogEntry, LogIndex, LogPosition, LogReset, Term, Write } from '../raft/types.ts'
import type { LogStore, OpenLogOptions, RecoveredLog } from './log-store.ts'
import { assertChained, mergeWrites, positionOf } from './merge-writes.ts'

/** A log in memory, for tests and for what needs no disk. It remembers over `close` and `open`, not over the process. */
export class MemoryLogStore implements LogStore {
  #stateDirectory: string
  #boundary: LogPosition = LOG_START
  #entries: LogEntry[] = []
  #hardState: HardState = { currentTerm: 0, votedFor: undefined }
  #cutTarget: LogPosition | undefined
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
    const first = this.#boundary.index
    options.progress?.(entries.length, entries.length)
    return {
      hardState: this.#hardState,
      boundary: this.#boundary,
      last: this.#positionAt(this.#lastIndex)!,
      termStarts: this.#termStarts(),
      tail: entries.slice(start),
      tailPrevious: this.#positionAt(first + start)!,
      anchor: this.#positionAt(options.anchorIndex),
      stateDirectory: this.#stateDirectory,
    }
  }

  async append(writes: readonly Write[]): Promise<void> {
    this.#assertOpen()
    if (this.#appending) throw new BrokenInvariantError('One append at a time')
    const { hardState, reset, entries } = mergeWrites(writes, this.#boundary.index, this.#lastIndex)
    const [first] = entries
    if (first !== undefined) assertChained(first, this.#positionAt(first.index - 1)!.checksum)
    this.#appending = true
    // As on a disk, nothing is there before the caller went on.
    await Promise.resolve()
    if (first !== undefined) this.#entries.length = first.index - 1 - this.#boundary.index
    for (const entry of entries) this.#entries.push(entry)
    this.#hardState = hardState ?? this.#hardState
    if (reset !== undefined) this.#reset(reset)
    else if (this.#cutTarget !== undefined) this.#cutBehind(this.#cutTarget)
    this.#cutTarget = undefined
    this.#appending = false
  }

  async read(
    from: LogIndex,
    upTo: LogIndex,
    maxBytes: number,
  ): Promise<{ previous: LogPosition; entries: LogEntry[] }> {
    this.#assertOpen()
    if (from < 1) throw new BrokenInvariantError(`Entry ${from} is wanted, but the log begins after 0`)
    const last = Math.min(upTo, this.#lastIndex)
    if (from > last || from <= this.#boundary.index) return { previous: LOG_START, entries: [] }
    const wanted = this.#entries.slice(from - 1 - this.#boundary.index, last - this.#boundary.index)
    let end = 1
    let bytes = wanted[0]!.size
    while (end < wanted.length && bytes + wanted[end]!.size <= maxBytes) bytes += wanted[end++]!.size
    return { previous: this.#positionAt(from - 1)!, entries: wanted.slice(0, end) }
  }

  get bytes(): number {
    return this.#entries.reduce((sum, { size }) => sum + size, 0)
  }

  cutPoint(upTo: LogIndex, keepBytes: number): LogPosition | undefined {
    let kept = 0
    for (let at = this.#entries.length - 1; at >= 0; at--) {
      const entry = this.#entries[at]!
      if (kept >= keepBytes && entry.index <= upTo) return positionOf(entry)
      kept += entry.size
    }
    return undefined
  }

  cut(upTo: LogPosition): void {
    if (upTo.index > this.#boundary.index) this.#cutTarget = upTo
  }

  get cutReady(): boolean {
    return this.#cutTarget !== undefined
  }

  async close(): Promise<void> {
    this.#open = false
  }

  get #lastIndex(): LogIndex {
    return this.#boundary.index + this.#entries.length
  }

  #cutBehind(boundary: LogPosition): void {
    this.#entries = this.#entries.slice(Math.max(0, boundary.index - this.#boundary.index))
    this.#boundary = boundary
  }

  #reset({ boundary, keepSuffix, directory }: LogReset): void {
    if (boundary.index <= this.#boundary.index) {
      throw new BrokenInvariantError(
        `The log begins behind ${this.#boundary.index} and is to be reset to ${boundary.index}`,
      )
    }
    if (!keepSuffix) this.#entries = []
    this.#cutBehind(boundary)
    this.#stateDirectory = directory
  }

  #positionAt(index: LogIndex): LogPosition | undefined {
    if (index === this.#boundary.index) return this.#boundary
    const entry = this.#entries[index - 1 - this.#boundary.index]
    return entry === undefined ? undefined : positionOf(entry)
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
