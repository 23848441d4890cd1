import type { LogIndex } from './types.ts'

interface Round {
  /** Sent along with heartbeats; a reply that carries it was sent after the round began. */
  readonly context: number
  /** What the reads must see: everything committed when the round began. */
  readonly index: LogIndex
  readonly ids: readonly number[]
}

/**
 * Linearizable reads without the log (§6.4): the leader notes its commitIndex, makes sure by a round of
 * heartbeats that it still leads, and serves the reads once that index is applied. All reads that come while
 * a round is under way share the next one.
 */
export class ReadRounds {
  #context: number
  #underWay: Round | undefined
  #waiting: number[] = []
  #confirmed: Round[] = []

  /** @param lastContext the last context that this node has used. */
  constructor(lastContext: number) {
    this.#context = lastContext
  }

  /** The newest context in use. */
  get context(): number {
    return this.#context
  }

  add(id: number): void {
    this.#waiting.push(id)
  }

  /**
   * Begins a round for the reads that wait, unless one is under way. Returns whether it did: the caller then
   * sends heartbeats with the new context.
   */
  begin(commitIndex: LogIndex): boolean {
    if (this.#underWay !== undefined || this.#waiting.length === 0) return false
    this.#context++
    this.#underWay = { context: this.#context, index: commitIndex, ids: this.#waiting }
    this.#waiting = []
    return true
  }

  /** A majority has confirmed the leader up to this context. Returns whether that ended the round under way. */
  confirm(context: number): boolean {
    if (this.#underWay === undefined || context < this.#underWay.context) return false
    this.#confirmed.push(this.#underWay)
    this.#underWay = undefined
    return true
  }

  /** The reads that may be served, now that everything up to `lastApplied` is applied. */
  takeServable(lastApplied: LogIndex): number[] {
    const ids: number[] = []
    while (this.#confirmed.length > 0 && this.#confirmed[0]!.index <= lastApplied) {
      ids.push(...this.#confirmed.shift()!.ids)
    }
    return ids
  }

  /** The leader steps down: all reads that are not served. */
  takeAll(): number[] {
    const ids = [
      ...this.#confirmed.flatMap((round) => round.ids),
      ...(this.#underWay?.ids ?? []),
      ...this.#waiting,
    ]
    this.#confirmed = []
    this.#underWay = undefined
    this.#waiting = []
    return ids
  }
}
