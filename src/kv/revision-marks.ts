/** Where the store stood at a moment of cluster time. */
export interface RevisionMark {
  readonly clusterTimeMs: number
  readonly revision: number
  /** How many bytes of history had been written by then, of the whole life of this store. */
  readonly historyBytes: number
}

/** How many marks are kept. */
const MOST = 256

/** The beginning of every store. */
const BEGINNING: RevisionMark = Object.freeze({ clusterTimeMs: 0, revision: 0, historyBytes: 0 })

/** How many of them there are at least, evenly over the time that they span, once that is long enough. */
const LEAST = MOST / 2

/**
 * Which revision stood at which cluster time, as far back as history goes: what tells how old a revision is. One
 * mark is made with a time stamp of the log, and their number is bounded: the longer the time that they span, the
 * further they are apart.
 *
 * They are advice for who proposes a compaction and change no answer; so they are no part of the state's hash.
 */
export class RevisionMarks {
  /** In the order of time. The first one is not after the compaction, all others are. */
  #marks: readonly RevisionMark[]

  /** @param marks as `list` gave them; none: of an empty store. */
  constructor(marks: readonly RevisionMark[] = []) {
    this.#marks = marks.length === 0 ? [BEGINNING] : marks
  }

  /** All of them, the oldest first. */
  get list(): readonly RevisionMark[] {
    return this.#marks
  }

  /** A time stamp was applied. */
  add(mark: RevisionMark): void {
    const last = this.#marks.at(-1)!
    const span = mark.clusterTimeMs - this.#marks[0]!.clusterTimeMs
    if (mark.revision === last.revision || (mark.clusterTimeMs - last.clusterTimeMs) * LEAST < span) return
    const marks = [...this.#marks, mark]
    this.#marks = marks.length > MOST ? marks.filter((_, i) => i % 2 === 0) : marks
  }

  /** History up to `revision` is gone. */
  forget(revision: number): void {
    const last = this.#marks.findLastIndex((mark) => mark.revision <= revision)
    this.#marks = this.#marks.slice(last)
  }

  /** The newest revision of which it is known that it stood at `clusterTimeMs` or before; 0: of none. */
  revisionAt(clusterTimeMs: number): number {
    return this.#marks.findLast((mark) => mark.clusterTimeMs <= clusterTimeMs)?.revision ?? 0
  }

  /** The oldest known revision after which no more than `bytes` of history were written until `historyBytes`. */
  revisionWithin(bytes: number, historyBytes: number): number {
    const within = this.#marks.find((mark) => historyBytes - mark.historyBytes <= bytes)
    return (within ?? this.#marks.at(-1)!).revision
  }
}
