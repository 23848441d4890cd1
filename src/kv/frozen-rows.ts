import { assert } from '../raft/assert.ts'
import type { Slab, Slot } from './slab.ts'
import type { StateChange } from './types.ts'

/** Of each row: where it begins in its slab, where its record begins, and where that ends. */
const NUMBERS = 3

/**
 * The records that go into a checkpoint: where they lay at the moment when it was frozen. Their keys may be replaced
 * since; the bytes stay where they are until `release`. In numbers outside V8's heap, for there are many of them.
 */
export class FrozenRows {
  #slabs: readonly Slab[]
  readonly #places: Uint32Array

  /** Takes over the pins that the records of these slots have on their slabs. */
  constructor(slots: readonly Slot[]) {
    this.#slabs = slots.map(({ slab }) => slab)
    this.#places = new Uint32Array(NUMBERS * slots.length)
    let at = 0
    for (const { name, offset, length } of slots) {
      this.#places[at++] = offset
      this.#places[at++] = offset + 1 + name.length
      this.#places[at++] = offset + length
    }
  }

  /** How many there are. */
  get size(): number {
    return this.#slabs.length
  }

  /** The rows, in the order of the slots, not copied: good until `release`. */
  *changes(): Iterable<StateChange> {
    const slabs = this.#slabs
    const places = this.#places
    let at = 0
    for (const { bytes } of slabs) {
      assert(this.#slabs === slabs, 'the rows of a checkpoint are read before it is written')
      const start = places[at++]
      const middle = places[at++]
      yield [bytes.subarray(start, middle), bytes.subarray(middle, places[at++])]
    }
  }

  /** The checkpoint is written: the slabs may go. */
  release(): void {
    for (const slab of this.#slabs) slab.pins--
    this.#slabs = []
  }
}
