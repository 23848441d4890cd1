import type { Clock } from '../clock.ts'

/** How often a busy cluster gets a time stamp, in milliseconds. */
export const BUSY_STAMP_MS = 1_000
/** How often an idle one does. */
export const IDLE_STAMP_MS = 10_000
/** The most that one stamp may add: a leader that slept must not expire every session when it wakes. */
export const MAX_STAMP_STEP_MS = 15_000

/**
 * The leader's hand on cluster time: milliseconds of cluster life, which pass only while somebody leads. A
 * stamp is the last one in the log plus the time since, by the monotonic clock; no wall clock decides anything.
 */
export class ClusterTime {
  readonly #clock: Clock
  #stampMs = 0
  #stampedAt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** This node leads, and has applied all stamps of its predecessors, the last of which was `stampMs`. */
  begin(stampMs: number): void {
    this.#stampMs = stampMs
    this.#stampedAt = this.#clock.now()
  }

  /** The next stamp for the log, if one is due. `busy`: other entries were proposed since the last one. */
  due(busy: boolean): number | undefined {
    const now = this.#clock.now()
    const passed = now - this.#stampedAt
    if (passed < (busy ? BUSY_STAMP_MS : IDLE_STAMP_MS)) return undefined
    this.#stampMs += Math.round(Math.min(passed, MAX_STAMP_STEP_MS))
    this.#stampedAt = now
    return this.#stampMs
  }
}
