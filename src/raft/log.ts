import { assert } from './assert.ts'
import { EntryKind, LOG_START } from './types.ts'
import type { LogEntry, LogIndex, LogPosition, Proposal, SealEntries, Term } from './types.ts'

/** What a node knows of its log when it starts. */
export interface InitialLog {
  /** The entry before the first one that the log holds. */
  readonly boundary: LogPosition
  /** Where each run of entries of one term begins, in order. */
  readonly termStarts: readonly { readonly term: Term; readonly index: LogIndex }[]
  /** The newest entries, up to the last. */
  readonly tail: readonly LogEntry[]
  /** The entry before the tail's first; the last entry where the tail is empty. */
  readonly tailPrevious: LogPosition
}

export const EMPTY_LOG: InitialLog = Object.freeze({
  boundary: LOG_START,
  termStarts: [],
  tail: [],
  tailPrevious: LOG_START,
})

/** Roughly what an entry costs in memory beyond its bytes. */
const ENTRY_OVERHEAD = 100

/** Stands in the slots of entries that were let go, so that nothing keeps their bytes. */
const EVICTED: LogEntry = Object.freeze({
  ...LOG_START,
  kind: EntryKind.NoOp,
  data: new Uint8Array(0),
  encoded: new Uint8Array(0),
  size: 0,
})

/**
 * The log (§3.5) as the algorithm sees it. Of old entries it keeps only which term they are of; the newest
 * ones, the tail, it keeps whole, within a bound in bytes. What has left the tail is read from disk.
 */
export class RaftLog {
  #boundary: LogPosition
  readonly #seal: SealEntries
  readonly #maxTailBytes: number
  #termStarts: { term: Term; index: LogIndex }[]
  /** The entries from `#tailPrevious.index + 1` on stand in `#tail` from `#head` on. */
  #tail: LogEntry[]
  #head = 0
  #tailPrevious: LogPosition
  #tailBytes: number

  constructor(initial: InitialLog, options: { seal: SealEntries; maxTailBytes: number }) {
    this.#boundary = initial.boundary
    this.#seal = options.seal
    this.#maxTailBytes = options.maxTailBytes
    this.#termStarts = initial.termStarts.map((start) => ({ ...start }))
    this.#tail = [...initial.tail]
    this.#tailPrevious = initial.tailPrevious
    this.#tailBytes = initial.tail.reduce((sum, entry) => sum + sizeOf(entry), 0)
  }

  /** The entry before the first one: what stands up to there is gone, and part of every snapshot (§5). */
  get boundary(): LogPosition {
    return this.#boundary
  }

  get firstIndex(): LogIndex {
    return this.boundary.index + 1
  }

  get lastIndex(): LogIndex {
    return this.last.index
  }

  get lastTerm(): Term {
    return this.last.term
  }

  /** The last entry; the boundary where the log is empty. */
  get last(): LogPosition {
    return this.#tail.length > this.#head ? this.#tail[this.#tail.length - 1]! : this.#tailPrevious
  }

  /** The term of the entry at `index`, known for the boundary and everything after it. */
  termAt(index: LogIndex): Term | undefined {
    if (index === this.boundary.index) return this.boundary.term
    if (index < this.boundary.index || index > this.lastIndex) return undefined
    for (let run = this.#termStarts.length - 1; run >= 0; run--) {
      if (this.#termStarts[run]!.index <= index) return this.#termStarts[run]!.term
    }
    return undefined
  }

  /** Index, term and checksum of an entry that is in memory, or stands just before the tail or the log. */
  positionAt(index: LogIndex): LogPosition | undefined {
    if (index === this.#tailPrevious.index) return this.#tailPrevious
    if (index === this.boundary.index) return this.boundary
    return this.#at(index)
  }

  /**
   * The entries from `from` to `upTo`, as many as fit in `maxBytes` but at least one. Undefined where the
   * first of them is no longer in memory.
   */
  entries(from: LogIndex, upTo: LogIndex, maxBytes: number): readonly LogEntry[] | undefined {
    if (from > upTo) return []
    if (from <= this.#tailPrevious.index) return undefined
    assert(upTo <= this.lastIndex, `entries up to ${upTo} are wanted, the log ends at ${this.lastIndex}`)
    const start = this.#slot(from)
    const limit = this.#slot(upTo) + 1
    let end = start + 1
    let bytes = this.#tail[start]!.size
    while (end < limit && (bytes += this.#tail[end]!.size) <= maxBytes) end++
    return this.#tail.slice(start, end)
  }

  /** A leader's append: seals the proposals behind its last entry. It never overwrites (§3.5). */
  append(term: Term, proposals: readonly Proposal[]): readonly LogEntry[] {
    assert(term >= this.lastTerm, `term ${term} is appended after term ${this.lastTerm}`)
    const entries = this.#seal(this.last, term, proposals)
    this.#push(entries)
    return entries
  }

  /**
   * A follower's append: `entries`, the successors of `previous`, replace everything after it (Figure 3.1,
   * AppendEntries 3 and 4).
   */
  replaceAfter(previous: LogPosition, entries: readonly LogEntry[]): void {
    assert(
      previous.index >= this.boundary.index && previous.index <= this.lastIndex,
      `entries after ${previous.index} do not fit between ${this.boundary.index} and ${this.lastIndex}`,
    )
    if (previous.index < this.lastIndex) this.#truncateAfter(previous)
    this.#push(entries)
  }

  /**
   * The last index, at or below `index`, whose entry is of a term no higher than `term`: where the logs may
   * still agree (§3.5, the back-off by term).
   */
  lastIndexOfTermAtMost(term: Term, index: LogIndex): LogIndex {
    let end = Math.min(index, this.lastIndex)
    for (let run = this.#termStarts.length - 1; run >= 0; run--) {
      const start = this.#termStarts[run]!
      if (start.index > end) continue
      if (start.term <= term) return end
      end = start.index - 1
    }
    return Math.max(end, this.boundary.index)
  }

  /** Whether a log that ends so is at least as up-to-date as this one (§3.6.1). */
  isUpToDate(lastLogTerm: Term, lastLogIndex: LogIndex): boolean {
    return lastLogTerm > this.lastTerm || (lastLogTerm === this.lastTerm && lastLogIndex >= this.lastIndex)
  }

  /** The log begins behind `boundary` from now on, an entry of it (§5). What follows stays. */
  compact(boundary: LogPosition): void {
    const { index } = boundary
    assert(
      index > this.boundary.index && index <= this.lastIndex,
      `a log of ${this.firstIndex} to ${this.lastIndex} is to be cut behind ${index}`,
    )
    assert(this.termAt(index) === boundary.term, `entry ${index} is not of the term ${boundary.term}`)
    const known = this.positionAt(index)
    assert(
      known === undefined || known.checksum === boundary.checksum,
      `the log is to be cut behind entry ${index}, but its checksum is another one`,
    )
    if (index < this.lastIndex) this.#cutTermStarts(index)
    else this.#termStarts = []
    if (index > this.#tailPrevious.index) this.#cutTail(boundary)
    this.#boundary = boundary
  }

  /** Nothing stays but what `boundary` stands for: the log continues behind it. */
  reset(boundary: LogPosition): void {
    this.#boundary = this.#tailPrevious = boundary
    this.#termStarts = []
    this.#tail = []
    this.#head = 0
    this.#tailBytes = 0
  }

  /** Lets the oldest entries go from memory, none above `upTo`, until the tail is within its bound. */
  evict(upTo: LogIndex): void {
    while (this.#tailBytes > this.#maxTailBytes && this.#head < this.#tail.length) {
      const oldest = this.#tail[this.#head]!
      if (oldest.index > upTo) break
      this.#tailBytes -= sizeOf(oldest)
      this.#tailPrevious = { index: oldest.index, term: oldest.term, checksum: oldest.checksum }
      this.#tail[this.#head++] = EVICTED
    }
    if (this.#head > 1024 && this.#head > this.#tail.length / 2) {
      this.#tail = this.#tail.slice(this.#head)
      this.#head = 0
    }
  }

  #truncateAfter(previous: LogPosition): void {
    const { index, term, checksum } = previous
    while (this.#termStarts.length > 0 && this.#termStarts.at(-1)!.index > index) this.#termStarts.pop()
    if (index >= this.#tailPrevious.index) {
      const end = this.#slot(index + 1)
      for (let slot = end; slot < this.#tail.length; slot++) this.#tailBytes -= sizeOf(this.#tail[slot]!)
      this.#tail.length = end
    } else {
      this.#tail = []
      this.#head = 0
      this.#tailBytes = 0
      this.#tailPrevious = { index, term, checksum }
    }
  }

  /** The run in which the log is cut begins with the first entry that stays. */
  #cutTermStarts(boundary: LogIndex): void {
    const later = this.#termStarts.findIndex((start) => start.index > boundary)
    const run = (later === -1 ? this.#termStarts.length : later) - 1
    this.#termStarts.splice(0, run)
    const [first, second] = this.#termStarts
    if (second?.index === boundary + 1) this.#termStarts.shift()
    else first!.index = boundary + 1
  }

  #cutTail(boundary: LogPosition): void {
    const { index, term, checksum } = boundary
    this.#tail = this.#tail.slice(this.#slot(index) + 1)
    this.#head = 0
    this.#tailBytes = this.#tail.reduce((sum, entry) => sum + sizeOf(entry), 0)
    this.#tailPrevious = { index, term, checksum }
  }

  #push(entries: readonly LogEntry[]): void {
    let { index, term } = this.last
    for (const entry of entries) {
      assert(entry.index === index + 1, `entry ${entry.index} comes after entry ${index}`)
      assert(entry.term >= term, `term ${entry.term} comes after term ${term} at ${entry.index}`)
      if (entry.term !== (this.#termStarts.at(-1)?.term ?? -1)) {
        this.#termStarts.push({ term: entry.term, index: entry.index })
      }
      this.#tail.push(entry)
      this.#tailBytes += sizeOf(entry)
      index = entry.index
      term = entry.term
    }
  }

  #at(index: LogIndex): LogEntry | undefined {
    return index > this.#tailPrevious.index ? this.#tail[this.#slot(index)] : undefined
  }

  #slot(index: LogIndex): number {
    return this.#head + index - this.#tailPrevious.index - 1
  }
}

function sizeOf(entry: LogEntry): number {
  return entry.size + ENTRY_OVERHEAD
}
