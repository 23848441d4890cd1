import { assert } from '../raft/assert.ts'
import { Slab, type Slot } from './slab.ts'

const MOST_SLAB_BYTES = 1024 * 1024
const LEAST_SLAB_BYTES = 1024

/** A slab is a small part of the bound, so that to give one up is a small step. */
const SLABS = 32

/** A record of more than this part of a slab gets a slab of its own: what is left of the last one is not much then. */
const LARGE = 1 / 4

/** A slab takes a record for each so many bytes that it has: so the table grows with the slabs, which are counted. */
const LEAST_BYTES_PER_SLOT = 128

/** About what a record takes in memory beside its bytes: slot, name, place in a Map and in the list of its slab. */
export const SLOT_BYTES = 200

/** V8's Map takes 2^24 and no more; room is made for the next operation before that. */
const MOST_SLOTS = 2 ** 24 - 2 ** 16

/** This part of a slab may survive it, so that to give one up always makes room: one opened costs two given up. */
const SURVIVORS = 1 / 2

/** A slab is emptied where no more than this part of its records is live: to copy those costs little. */
const MOSTLY_DEAD = 1 / 4

/** Slabs to be used again: fresh memory has to be faulted in, and goes only when V8 sees to it. */
const MOST_SPARE = 4

/**
 * Where the bytes of records are: in slabs, filled in order of arrival, which go round first in, first out. Beyond the
 * bound the oldest slab is given up. Of its records that are still those of their keys, the ones that were used since
 * they were put there get a second chance, as in the CLOCK algorithm: they are put into the newest slab. The others
 * leave the table. A slab that a checkpoint still needs stays, so the arena may exceed its bound by what is unwritten.
 *
 * Where the same keys are written again and again, most of what lies there was replaced. So within the bound, too, slabs
 * go of which little is live, and what is goes into the newest one, as in a log-structured file system.
 */
export class RecordArena {
  readonly #table: Map<string, Slot>
  readonly #bound: number
  readonly #mostSlots: number
  readonly #slabSize: number
  /** The oldest first. */
  readonly #slabs = new Set<Slab>()
  readonly #spare: Slab[] = []
  #slabBytes = 0
  /** Where records go that need no slab of their own. */
  #filling: Slab | undefined
  /** A slab was opened since `makeRoom` last looked. */
  #grown = false

  /**
   * @param table where the slots stand by name. They are put there before they get a place here; those whose records
   *   are given up are taken out.
   * @param bound how many bytes all may take, with the table, beside a few spare slabs.
   * @param mostSlots how many slots the table may have.
   */
  constructor(table: Map<string, Slot>, bound: number, mostSlots = MOST_SLOTS) {
    this.#table = table
    this.#bound = bound
    this.#mostSlots = mostSlots
    this.#slabSize = Math.min(MOST_SLAB_BYTES, Math.max(LEAST_SLAB_BYTES, Math.floor(bound / SLABS)))
  }

  /** About how many bytes it takes, with the table. */
  get bytes(): number {
    return this.#slabBytes + this.#table.size * SLOT_BYTES
  }

  /** Gives a slot new room, of `length` bytes, to be filled by the caller. Where its record was, that stays for now. */
  place(slot: Slot, length: number): void {
    const slab = this.#slabFor(length)
    slot.slab.live--
    slab.live++
    slot.slab = slab
    slot.offset = slab.end
    slot.length = length
    slot.used = false
    slab.end += length
    slab.slots.push(slot)
  }

  /** Returns to the bound, if it may have been exceeded since the last call. Views of records may be stale then. */
  makeRoom(): void {
    if (!this.#grown) return
    for (const slab of this.#slabs) {
      if (slab.pins > 0 || slab.live > slab.slots.length * MOSTLY_DEAD || slab === this.#filling) continue
      this.#giveUp(slab, () => true)
    }
    this.shrink()
  }

  /** Returns to the bound, as far as the slabs that checkpoints need allow. Views of records may be stale then. */
  shrink(): void {
    this.#grown = false
    // A Set is iterated in order of insertion, with what is added on the way. So what had its second chance comes again.
    for (const slab of this.#slabs) {
      if (this.bytes <= this.#bound && this.#table.size <= this.#mostSlots) return
      if (slab.pins === 0 && !this.#isLargeAndUsed(slab)) this.#giveUp(slab, (slot) => slot.used)
    }
  }

  #slabFor(length: number): Slab {
    if (length > this.#slabSize * LARGE) return this.#open(new Slab(length))
    const filling = this.#filling
    if (
      filling !== undefined &&
      length <= filling.size - filling.end &&
      filling.slots.length < filling.size / LEAST_BYTES_PER_SLOT
    )
      return filling
    this.#filling = this.#open(this.#spare.pop() ?? new Slab(this.#slabSize))
    return this.#filling
  }

  #open(slab: Slab): Slab {
    this.#slabs.add(slab)
    this.#slabBytes += slab.size
    this.#grown = true
    return slab
  }

  /** @param survives whether a record that lies there goes into another slab; if not, it leaves the table */
  #giveUp(slab: Slab, survives: (slot: Slot) => boolean): void {
    this.#slabs.delete(slab)
    if (slab === this.#filling) this.#filling = undefined
    this.#slabBytes -= slab.size
    this.#clear(slab, survives)
    assert(slab.live === 0, 'a slab that is given up holds no record any more')
    slab.generation++
    slab.end = 0
    slab.slots = []
    if (slab.size === this.#slabSize && this.#spare.length < MOST_SPARE) this.#spare.push(slab)
  }

  /** The second chance of a record with a slab of its own: it is the newest one again, without a copy. */
  #isLargeAndUsed(slab: Slab): boolean {
    const first = slab.slots[0]!
    if (first.length < slab.size || first.slab !== slab || !first.used) return false
    first.used = false
    this.#slabs.delete(slab)
    this.#slabs.add(slab)
    return true
  }

  #clear(slab: Slab, survives: (slot: Slot) => boolean): void {
    let survivors = slab.size * SURVIVORS
    for (const slot of slab.slots) {
      // It was replaced, or it stands in the list twice and is dealt with.
      if (slot.slab !== slab) continue
      if (survives(slot) && slot.length <= survivors) {
        survivors -= slot.length
        const { stored } = slot
        this.place(slot, stored.length)
        slot.stored.set(stored)
      } else {
        this.#table.delete(slot.name)
        slot.leave()
      }
    }
  }
}
