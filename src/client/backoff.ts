/** The first pause before trying again, and the longest, in milliseconds. */
const FIRST_MS = 20
const LONGEST_MS = 500

/** Pauses that double, with jitter so that clients that failed together do not come back together. */
export class Backoff {
  readonly #random: () => number
  #tries = 0

  /** @param random in [0, 1). */
  constructor(random: () => number) {
    this.#random = random
  }

  /** The next pause in milliseconds: between a half and the whole of what doubling gives. */
  next(): number {
    const whole = Math.min(FIRST_MS * 2 ** this.#tries, LONGEST_MS)
    if (whole < LONGEST_MS) this.#tries++
    return whole / 2 + (this.#random() * whole) / 2
  }

  reset(): void {
    this.#tries = 0
  }
}
