import type { Clock } from '../clock.ts'
import { assert } from '../raft/assert.ts'
import type { LogEntry } from '../raft/types.ts'

/** How long entries are applied before everything else has a turn, in milliseconds: heartbeats have to go out on time. */
const TURN_MS = 20

/**
 * Committed entries that the core has handed out, applied a while at a time: what an entry costs its bytes do not say,
 * and a MiB of pairs of a few bytes each would keep a node busy for as long as an election time-out.
 */
export class Applying {
  readonly #clock: Clock
  readonly #apply: (entry: LogEntry) => void
  #entries: readonly LogEntry[] = []
  /** How many of them are applied. */
  #applied = 0

  constructor(clock: Clock, apply: (entry: LogEntry) => void) {
    this.#clock = clock
    this.#apply = apply
  }

  /** Whether some are left. */
  get waiting(): boolean {
    return this.#applied < this.#entries.length
  }

  /** Takes what the core hands out once everything that it handed out before is applied. */
  handOut(entries: readonly LogEntry[]): void {
    assert(!this.waiting, 'entries are handed out when those before them are applied')
    this.#entries = entries
    this.#applied = 0
  }

  /** Applies for a while, at least one entry. Returns the last one applied; undefined where none was left. */
  turn(): LogEntry | undefined {
    const began = this.#clock.now()
    let last: LogEntry | undefined
    while (this.waiting) {
      last = this.#entries[this.#applied++]!
      this.#apply(last)
      if (this.#clock.now() - began >= TURN_MS) break
    }
    if (!this.waiting) this.drop()
    return last
  }

  /** What is left is not applied: a snapshot that holds it takes the place of the state. */
  drop(): void {
    this.#entries = []
    this.#applied = 0
  }
}
