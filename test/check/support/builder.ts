import type { Operation } from '../../../src/check/types.ts'

/** An operation of a history written by hand: who, from when to when, what was asked and answered. */
export function op<Input, Output>(
  process: number | string,
  [call, end]: readonly [number, number],
  input: Input,
  output: Output | undefined,
  key = 'x',
): Operation<Input, Output> {
  return { process, key, input, output, call, return: output === undefined ? Infinity : end }
}

/** A generator of numbers that looks random and is the same for the same seed (mulberry32). */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!
  }
}
