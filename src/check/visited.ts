import { type BitWindow, scatter } from './bits.ts'

/** More than this many 32-bit words are not kept: 1 GiB. */
const MOST_WORDS = 1 << 28

/** Of a record: hash, state, where the first set begins, how many words of each set follow. */
const HEADER = 5

/**
 * The configurations that a search has been in: which operations are linearized, and the state. Exact: a hash only
 * says where to look. A record holds the words of the two sets that are neither full nor empty, so its size goes
 * with the concurrency of the history and not with its length.
 */
export class VisitedSet {
  #arena = new Int32Array(1024)
  #used = 1
  #slots = new Int32Array(64)
  #count = 0

  /** Whether there is no room for more. */
  get full(): boolean {
    return this.#used > MOST_WORDS
  }

  /** Adds a configuration. False where it was there already. */
  add(state: number, completed: BitWindow, open: BitWindow): boolean {
    const hash = completed.hash ^ open.hash ^ Math.imul(scatter(state), 31)
    const mask = this.#slots.length - 1
    let slot = hash & mask
    for (let at = this.#slots[slot]!; at !== 0; at = this.#slots[slot]!) {
      if (this.#arena[at] === hash && this.#matches(at, state, completed, open)) return false
      slot = (slot + 1) & mask
    }
    this.#slots[slot] = this.#append(hash, state, completed, open)
    this.#count++
    if (this.#count * 2 > this.#slots.length) this.#grow()
    return true
  }

  #matches(at: number, state: number, completed: BitWindow, open: BitWindow): boolean {
    const arena = this.#arena
    const width = Math.max(0, completed.last - completed.first + 1)
    if (arena[at + 1] !== state || arena[at + 2] !== completed.first) return false
    if (arena[at + 3] !== width || arena[at + 4] !== open.last + 1) return false
    let from = at + HEADER
    for (let index = 0; index < width; index++) {
      if (arena[from++] !== completed.words[completed.first + index]) return false
    }
    for (let index = 0; index <= open.last; index++) {
      if (arena[from++] !== open.words[index]) return false
    }
    return true
  }

  #append(hash: number, state: number, completed: BitWindow, open: BitWindow): number {
    const width = Math.max(0, completed.last - completed.first + 1)
    const at = this.#used
    const end = at + HEADER + width + open.last + 1
    if (end > this.#arena.length) {
      const larger = new Int32Array(Math.max(end, this.#arena.length * 2))
      larger.set(this.#arena)
      this.#arena = larger
    }
    const arena = this.#arena
    arena[at] = hash
    arena[at + 1] = state
    arena[at + 2] = completed.first
    arena[at + 3] = width
    arena[at + 4] = open.last + 1
    let to = at + HEADER
    for (let index = 0; index < width; index++) arena[to++] = completed.words[completed.first + index]!
    for (let index = 0; index <= open.last; index++) arena[to++] = open.words[index]!
    this.#used = end
    return at
  }

  #grow(): void {
    const old = this.#slots
    const slots = new Int32Array(old.length * 2)
    const mask = slots.length - 1
    for (const at of old) {
      if (at === 0) continue
      let slot = this.#arena[at]! & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = at
    }
    this.#slots = slots
  }
}
