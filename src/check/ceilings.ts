/**
 * The lowest ceiling of the operations that still need a place. Adding and removing cost little as long as
 * operations leave about in the order of their ceilings, as those of a legal order do.
 */
export class Ceilings {
  /** The operations with a ceiling, from the lowest. */
  readonly #byCeiling: Int32Array
  readonly #ceilings: Float64Array
  readonly #rank: Int32Array
  readonly #placed: Uint8Array
  /** The rank of the first that still needs a place. */
  #first = 0

  /** @param ceilings of each operation; `Infinity` for those without one and for those that need no place */
  constructor(ceilings: readonly number[]) {
    this.#ceilings = Float64Array.from(ceilings)
    this.#byCeiling = Int32Array.from(ceilings.keys())
      .filter((operation) => ceilings[operation] !== Infinity)
      .sort((a, b) => ceilings[a]! - ceilings[b]!)
    this.#rank = new Int32Array(ceilings.length).fill(-1)
    this.#byCeiling.forEach((operation, rank) => (this.#rank[operation] = rank))
    this.#placed = new Uint8Array(this.#byCeiling.length)
  }

  /** The lowest of them, or `Infinity`. */
  get lowest(): number {
    return this.#first < this.#byCeiling.length ? this.#ceilings[this.lowestOperation]! : Infinity
  }

  /** The operation that has it; only where there is one. */
  get lowestOperation(): number {
    return this.#byCeiling[this.#first]!
  }

  place(operation: number): void {
    const rank = this.#rank[operation]!
    if (rank < 0) return
    this.#placed[rank] = 1
    while (this.#placed[this.#first] === 1) this.#first++
  }

  takeBack(operation: number): void {
    const rank = this.#rank[operation]!
    if (rank < 0) return
    this.#placed[rank] = 0
    if (rank < this.#first) this.#first = rank
  }
}
