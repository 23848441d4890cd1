/** A number that looks random for each index, for hashing sets: the finalizer of MurmurHash3. */
export function scatter(index: number): number {
  let hash = (index + 1) | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/**
 * A set of small numbers that knows where it is full at its beginning and where it ends, so that what is in
 * between is all there is to compare, and whose hash (Zobrist's: the exclusive or of its members' numbers) costs
 * nothing to keep.
 */
export class BitWindow {
  readonly words: Int32Array
  readonly #salt: number
  /** The first word that is not full. */
  first = 0
  /** The last word that is not empty; less than `first` where there is none. */
  last = -1
  hash = 0

  /** @param salt tells the hashes of several sets apart */
  constructor(size: number, salt: number) {
    this.words = new Int32Array((size >>> 5) + 1)
    this.#salt = salt
  }

  has(index: number): boolean {
    return ((this.words[index >>> 5]! >>> (index & 31)) & 1) === 1
  }

  /** Adds a number that is not in the set. */
  add(index: number): void {
    const word = index >>> 5
    this.words[word]! |= 1 << (index & 31)
    this.hash ^= scatter(index ^ this.#salt)
    if (word > this.last) this.last = word
    while (this.words[this.first] === -1) this.first++
  }

  /** Removes a number that is in the set. */
  remove(index: number): void {
    const word = index >>> 5
    this.words[word]! &= ~(1 << (index & 31))
    this.hash ^= scatter(index ^ this.#salt)
    if (word < this.first) this.first = word
    while (this.last >= 0 && this.words[this.last] === 0) this.last--
  }
}
