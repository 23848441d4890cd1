import { Random } from '../../../src/raft/random.ts'

/** A seeded source of chance with the distributions that a simulation needs. */
export class Dice {
  readonly #random: Random

  constructor(seed: number) {
    this.#random = new Random(seed)
  }

  /** A source of its own for every part of a run, so that what one part draws changes nothing for the others. */
  static of(seed: number, name: string): Dice {
    let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ (seed / 0x1_0000_0000)
    for (let i = 0; i < name.length; i++) mixed = Math.imul(mixed ^ name.charCodeAt(i), 0x01000193)
    return new Dice(mixed >>> 0)
  }

  /** A whole number from 0 up to, and without, `bound`. */
  below(bound: number): number {
    return this.#random.below(bound)
  }

  /** In [0, 1). */
  unit(): number {
    return this.#random.below(0x1_0000_0000) / 0x1_0000_0000
  }

  chance(probability: number): boolean {
    return probability > 0 && this.unit() < probability
  }

  /** From `low` up to `high`. */
  between(low: number, high: number): number {
    return low + this.unit() * (high - low)
  }

  /** Of an exponential distribution. */
  exponential(mean: number): number {
    return rounded(-mean * Math.log(1 - this.unit()))
  }

  /** Of a Pareto distribution: mostly near `least`, now and then far above it, at most `most`. */
  heavyTailed(least: number, shape: number, most: number): number {
    return rounded(Math.min(most, least * Math.exp(-Math.log(1 - this.unit()) / shape)))
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!
  }

  /** One of the choices, each with a chance in proportion to its weight. */
  weighted<T>(choices: readonly T[], weightOf: (choice: T) => number): T {
    const total = choices.reduce((sum, choice) => sum + weightOf(choice), 0)
    let left = this.unit() * total
    for (const choice of choices) {
      left -= weightOf(choice)
      if (left < 0) return choice
    }
    return choices[choices.length - 1]!
  }

  shuffled<T>(items: readonly T[]): T[] {
    const mixed = [...items]
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!]
    }
    return mixed
  }
}

/**
 * To 1/1024, which adds up exactly: the last bits of a logarithm (and even more of a power) may be others in code
 * that was optimized than in code that was not, and a replay must not depend on that.
 */
function rounded(value: number): number {
  return Math.round(value * 1024) / 1024
}
