import type { Clock } from '../../../src/clock.ts'
import type { Dice } from '../engine/dice.ts'

/**
 * Operations that come up by themselves, at random moments: not when those before have been answered, as it would
 * be if whoever is answered asked the next thing. So a cluster in trouble meets as much to do as a healthy one, and
 * what came up meanwhile is waiting when the trouble is over.
 */
export class Arrivals {
  readonly #clock: Clock
  readonly #gapMs: number
  readonly #dice: Dice
  /** When the next one comes up. */
  #due: number
  /** How many have come up that nobody has taken. */
  #waiting = 0
  /** Who waits for one, in order. */
  readonly #takers: (() => void)[] = []

  /** @param rate how many a second, on average */
  constructor(clock: Clock, rate: number, dice: Dice) {
    this.#clock = clock
    this.#gapMs = 1000 / rate
    this.#dice = dice
    this.#due = clock.now()
    this.#arm()
  }

  /** Ends when there is an operation for the caller to do. */
  next(): Promise<void> {
    if (this.#waiting > 0) {
      this.#waiting--
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#takers.push(resolve))
  }

  /** From the moment when the last one was due: nothing is left out where a pause delayed it. */
  #arm(): void {
    this.#due += this.#dice.exponential(this.#gapMs)
    this.#clock.after(Math.max(0, this.#due - this.#clock.now()), () => {
      const take = this.#takers.shift()
      if (take === undefined) this.#waiting++
      else take()
      this.#arm()
    })
  }
}
