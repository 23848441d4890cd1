/**
 * A hash of a set that does not depend on the order of its elements and follows each change at a constant
 * cost: every element is mixed into 64 bits, in two lanes of 32, and the lanes of all elements are added up,
 * modulo 2^32 each. An element that goes is subtracted. Replicas that applied the same entries have the same
 * sum, and a full scan gives it anew (`state-hash.ts`).
 *
 * An element is its kind, the CRC32 of its bytes (computed anyway: it is the record's checksum) and four
 * numbers of up to 53 bits. Its mixing is one-to-one in the CRC when the rest is equal.
 *
 * Its strength: this finds accidents, not attacks; whoever chooses keys and values can make two sets that
 * collide. Two states that differ in the bytes of one key or value only, differ in hash whenever the CRCs do:
 * always for a burst of up to 32 bits, and else but for one case in 2^32. A difference in revisions, versions,
 * sequence numbers or in the elements that are there goes unnoticed once in 2^64.
 */
export class SetHash {
  #low: number
  #high: number

  constructor(value = 0n) {
    this.#low = Number(value & 0xffff_ffffn) | 0
    this.#high = Number(value >> 32n) | 0
  }

  /** The sum, 64 bits. */
  get value(): bigint {
    return (BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0)
  }

  /** Adds an element. Numbers that its kind has no use for are 0. */
  add(kind: number, checksum: number, a: number, b: number, c: number, d: number): void {
    this.#low = (this.#low + lane(LOW_SEED, kind, checksum, a, b, c, d)) | 0
    this.#high = (this.#high + lane(HIGH_SEED, kind, checksum, a, b, c, d)) | 0
  }

  /** Takes an element out that was added with the same arguments. */
  subtract(kind: number, checksum: number, a: number, b: number, c: number, d: number): void {
    this.#low = (this.#low - lane(LOW_SEED, kind, checksum, a, b, c, d)) | 0
    this.#high = (this.#high - lane(HIGH_SEED, kind, checksum, a, b, c, d)) | 0
  }
}

/** Kinds of elements. */
export const ElementKind = { Key: 1, Session: 2, Answer: 3, Store: 4 } as const

const LOW_SEED = 0x9e37_79b9
const HIGH_SEED = 0x7f4a_7c15

function lane(
  seed: number,
  kind: number,
  checksum: number,
  a: number,
  b: number,
  c: number,
  d: number,
): number {
  let hash = mix(seed, kind)
  hash = mixNumber(hash, a)
  hash = mixNumber(hash, b)
  hash = mixNumber(hash, c)
  hash = mixNumber(hash, d)
  hash = mix(hash, checksum)
  // The finalizer of MurmurHash3: every bit of the input changes about half of the output's.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}

/** Mixes in a number of up to 53 bits. */
function mixNumber(hash: number, value: number): number {
  return mix(mix(hash, value | 0), (value / 0x1_0000_0000) | 0)
}

/** One round of MurmurHash3: one-to-one in `hash` as well as in `word`. */
function mix(hash: number, word: number): number {
  let scrambled = Math.imul(word, 0xcc9e_2d51)
  scrambled = (scrambled << 15) | (scrambled >>> 17)
  let mixed = hash ^ Math.imul(scrambled, 0x1b87_3593)
  mixed = (mixed << 13) | (mixed >>> 19)
  return (Math.imul(mixed, 5) + 0xe654_6b64) | 0
}
