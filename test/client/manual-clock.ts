import type { Clock, Timer } from '../../src/clock.ts'

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #now = 0
  #timers: { at: number; order: number; run: () => void }[] = []
  #soon: (() => void)[] = []
  #order = 0

  now(): number {
    return this.#now
  }

  after(milliseconds: number, run: () => void): Timer {
    const timer = { at: this.#now + milliseconds, order: this.#order++, run }
    this.#timers.push(timer)
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) }
  }

  soon(run: () => void): void {
    this.#soon.push(run)
  }

  get timerCount(): number {
    return this.#timers.length
  }

  /** Time that passes within a turn: nothing else runs meanwhile. */
  spend(milliseconds: number): void {
    this.#now += milliseconds
  }

  /** Runs what is to run now, and the promises that come of it. */
  async settle(): Promise<void> {
    do {
      const due = this.#soon
      this.#soon = []
      for (const run of due) run()
      await new Promise((resolve) => setImmediate(resolve))
    } while (this.#soon.length > 0)
  }

  /** Timers that are due at the same moment run in one turn, before what is to run soon. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds
    await this.settle()
    for (;;) {
      const at = Math.min(...this.#timers.map((timer) => timer.at))
      if (at > end) break
      this.#now = Math.max(this.#now, at)
      const due = this.#timers
        .filter((timer) => timer.at === at)
        .sort((one, other) => one.order - other.order)
      for (const timer of due) {
        if (!this.#timers.includes(timer)) continue
        this.#timers = this.#timers.filter((other) => other !== timer)
        timer.run()
      }
      await this.settle()
    }
    this.#now = end
  }
}

/** What became of a promise, readable at once. */
export class Outcome<T> {
  value: T | undefined
  error: Error | undefined
  settled = false
  times = 0

  constructor(promise: Promise<T>) {
    promise.then(
      (value) => {
        this.value = value
        this.settled = true
        this.times++
      },
      (reason: unknown) => {
        this.error = reason as Error
        this.settled = true
        this.times++
      },
    )
  }
}
