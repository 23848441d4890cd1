import type { Clock } from '../clock.ts'

/** What clients were told within one second. Latencies are those of operations that succeeded, in milliseconds. */
export interface Second {
  readonly ok: number
  /** Failed for certain. */
  readonly failed: number
  readonly unknown: number
  /** Null: none succeeded. */
  readonly p50: number | null
  readonly p99: number | null
}

/** A time in which no operation succeeded, in milliseconds of the run. */
export interface Gap {
  readonly fromMs: number
  readonly toMs: number
}

/** Shorter pauses between two successes are not told of, in milliseconds. */
const SHORTEST_GAP_MS = 250

export type Outcome = 'ok' | 'failed' | 'unknown'

/** Counts what becomes of operations, second by second. */
export class Meter {
  readonly #clock: Clock
  readonly #began: number
  readonly #seconds: Second[] = []
  readonly #gaps: Gap[] = []
  readonly #latencies: number[] = []
  readonly #totals: Record<Outcome, number> = { ok: 0, failed: 0, unknown: 0 }
  #current: Record<Outcome, number> = { ok: 0, failed: 0, unknown: 0 }
  #lastOk = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#began = clock.now()
  }

  get totals(): Readonly<Record<Outcome, number>> {
    return this.#totals
  }

  /** An operation ended now. */
  ended(outcome: Outcome, latencyMs: number): void {
    const now = this.#advance()
    this.#current[outcome]++
    this.#totals[outcome]++
    if (outcome !== 'ok') return
    this.#latencies.push(latencyMs)
    if (now - this.#lastOk >= SHORTEST_GAP_MS) this.#gaps.push({ fromMs: this.#lastOk, toMs: now })
    this.#lastOk = now
  }

  /** Nothing was asked for a while, on purpose: that was no gap. */
  rested(): void {
    this.#lastOk = this.#advance()
  }

  /** The seconds that are over. */
  seconds(): readonly Second[] {
    this.#advance()
    return this.#seconds
  }

  /** The times without a success, the one that lasts until now included. */
  gaps(): readonly Gap[] {
    const now = this.#advance()
    return now - this.#lastOk >= SHORTEST_GAP_MS
      ? [...this.#gaps, { fromMs: this.#lastOk, toMs: now }]
      : this.#gaps
  }

  /** Closes the seconds that are over. Returns the milliseconds since the start. */
  #advance(): number {
    const now = this.#clock.now() - this.#began
    while (this.#seconds.length < Math.floor(now / 1000)) {
      const sorted = this.#latencies.splice(0).sort((a, b) => a - b)
      this.#seconds.push({ ...this.#current, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) })
      this.#current = { ok: 0, failed: 0, unknown: 0 }
    }
    return now
  }
}

/** The value that this share of a sorted list does not exceed; null where the list is empty. */
export function quantile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? null
}
