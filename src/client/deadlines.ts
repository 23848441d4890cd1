import type { Clock, Timer } from '../clock.ts'

/** Deadlines that lie closer together than this are seen to together, in milliseconds. */
const GRAIN_MS = 4

/**
 * One timer for the deadlines of all calls. It stands at the earliest deadline that it heard of, which under
 * load is one of a call long since answered: then looking through those that are left, every few seconds,
 * costs less than a timer for each.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #expire: (now: number) => number
  #timer: Timer | undefined
  #at = Infinity
  #stopped = false

  /** @param expire ends the calls whose deadline has passed and returns the earliest of the rest (Infinity: none). */
  constructor(clock: Clock, expire: (now: number) => number) {
    this.#clock = clock
    this.#expire = expire
  }

  add(deadline: number, now: number): void {
    if (deadline >= this.#at || this.#stopped) return
    this.#timer?.cancel()
    this.#arm(deadline, deadline - now)
  }

  /** For good. */
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #arm(at: number, wait: number): void {
    this.#at = at
    this.#timer = this.#clock.after(Math.ceil(wait), () => {
      // Until the calls have been looked through, none of them may arm a timer of its own.
      this.#at = -Infinity
      // Where this process itself was held up, answers may be here already: what has arrived is seen to first.
      this.#clock.soon(() => this.#fire())
    })
  }

  #fire(): void {
    if (this.#stopped) return
    const now = this.#clock.now()
    const earliest = this.#expire(now)
    this.#at = Infinity
    if (earliest < Infinity) this.#arm(earliest, Math.max(GRAIN_MS, earliest - now))
  }
}
