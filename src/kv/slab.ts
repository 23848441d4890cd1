/**
 * A piece of memory that records are put into one behind the other. It lies outside V8's heap: the garbage collector
 * copies and marks none of them, however many there are.
 */
export class Slab {
  readonly bytes: Buffer
  /** Another one each time the slab is given up: what was made of its bytes before is of no use then. */
  generation = 0
  /** Where the next record goes. */
  end = 0
  /** How many of the records that were put here are still those of their keys. */
  live = 0
  /** How many of its records are needed for a checkpoint that is not written yet. Until that is, it stays. */
  pins = 0
  /** Whose records were put here, in order. Most of them may be elsewhere by now. */
  slots: Slot[] = []

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
  }

  /** How many bytes it takes. */
  get size(): number {
    return this.bytes.length
  }
}

/** Where the records of slots are that have none. What it counts means nothing. */
const NOWHERE = new Slab(0)

/** Where a key's record lies. Made once for a key, and changed when its record is replaced or moved. */
export class Slot {
  readonly name: string
  slab = NOWHERE
  offset = 0
  length = 0
  /** Its record was asked for since it was put there. */
  used = false
  /** The last epoch (from one checkpoint to the next) in which its record was replaced; 0: none. */
  dirtyIn = 0

  /** @param name the key as `nameOf` gives it. */
  constructor(name: string) {
    this.name = name
  }

  /** Its record was given up. */
  leave(): void {
    this.slab.live--
    this.slab = NOWHERE
  }

  /** Store key and record, one behind the other. A view. */
  get stored(): Buffer {
    return this.slab.bytes.subarray(this.offset, this.offset + this.length)
  }
}
