import { assert } from '../raft/assert.ts'
import { FrozenRows } from './frozen-rows.ts'
import { Prefix } from './layout.ts'
import { RecordArena, SLOT_BYTES } from './record-arena.ts'
import { type RecordNumbers, storedSize } from './record-encoding.ts'
import { nameOf, StoredRecord } from './record.ts'
import { Slot } from './slab.ts'
import type { StateReader } from './types.ts'

/**
 * The present of every key, tombstones included. A record is found in the table, or else in the store. The table has
 * every record that is in no written checkpoint, and of the others those that were written or read lately.
 *
 * A record that it returns is a view: good until `makeRoom`, which everything begins with that is done from outside.
 */
export class KeySpace {
  readonly #reader: StateReader
  readonly #table = new Map<string, Slot>()
  readonly #arena: RecordArena
  /** Those whose records were replaced in this epoch, which ends with `freeze`: each once, in the order of the first time. */
  #dirty: Slot[] = []
  #dirtyBytes = 0
  #epoch = 1
  #frozen: FrozenRows | undefined

  /** @param cacheBytes how many bytes records may take in memory that are in the store, with the tables around them. */
  constructor(reader: StateReader, cacheBytes: number) {
    this.#reader = reader
    this.#arena = new RecordArena(this.#table, cacheBytes)
  }

  /** About how many bytes it takes in memory. */
  get bytes(): number {
    return this.#arena.bytes
  }

  /** About how many bytes the next checkpoint will write of them. */
  get dirtyBytes(): number {
    return this.#dirtyBytes
  }

  /** About how many bytes stand in memory around the records that are in no written checkpoint. */
  get unwrittenOverhead(): number {
    return (this.#dirty.length + (this.#frozen?.size ?? 0)) * SLOT_BYTES
  }

  /**
   * Lets go of what is beyond the bound. To be called before an operation begins: the records that were found before
   * are stale then. While one goes on nothing is let go of, so that it may look at as many records as it likes.
   */
  makeRoom(): void {
    this.#arena.makeRoom()
  }

  /**
   * The key's record or tombstone, good until `makeRoom`.
   *
   * @param name the key as `nameOf` gives it.
   * @throws DamagedDataError where the store holds one that fails its check.
   */
  find(name: string, key: Uint8Array): StoredRecord | undefined {
    const slot = this.#table.get(name)
    if (slot !== undefined) {
      slot.used = true
      return viewOf(slot)
    }
    const storeKey = storeKeyOf(key)
    const record = this.#reader.get(storeKey)
    if (record === undefined) return undefined
    StoredRecord.check(storeKey, record)
    const fresh = this.#newSlot(name)
    this.#arena.place(fresh, storeKey.length + record.length)
    const { stored } = fresh
    stored.set(storeKey)
    stored.set(record, storeKey.length)
    return viewOf(fresh)
  }

  /** The same, without a trace in the table: for what is looked at once. */
  peek(name: string, key: Uint8Array): StoredRecord | undefined {
    const slot = this.#table.get(name)
    if (slot !== undefined) return viewOf(slot)
    const record = this.#reader.get(storeKeyOf(key))
    return record === undefined ? undefined : StoredRecord.decode(name, key, record)
  }

  /** A read of the key's record or tombstone, which makes room first. Throws as `find` does. */
  read(key: Uint8Array): StoredRecord | undefined {
    this.makeRoom()
    return this.find(nameOf(key), key)
  }

  /**
   * Builds a record in place of the key's last one; without a value, a tombstone. `find` must have been asked for the
   * last one since `makeRoom`, which stays good.
   *
   * @returns the new one, good until `makeRoom`.
   */
  replace(
    name: string,
    key: Uint8Array,
    value: Uint8Array | undefined,
    numbers: RecordNumbers,
  ): StoredRecord {
    const slot = this.#table.get(name) ?? this.#newSlot(name)
    if (slot.dirtyIn === this.#epoch) {
      // It is written once all the same: with its last record.
      slot.slab.pins--
      this.#dirtyBytes -= slot.length
    } else {
      slot.dirtyIn = this.#epoch
      this.#dirty.push(slot)
    }
    this.#arena.place(slot, storedSize(key, value, numbers))
    slot.slab.pins++
    this.#dirtyBytes += slot.length
    return StoredRecord.build(slot.name, key, value, numbers, slot.stored, slot.slab)
  }

  #newSlot(name: string): Slot {
    const slot = new Slot(name)
    this.#table.set(name, slot)
    return slot
  }

  /** What has changed since the last call, for a checkpoint. It stays in memory until `thaw`. */
  freeze(): FrozenRows {
    assert(this.#frozen === undefined, 'one checkpoint is written at a time')
    this.#frozen = new FrozenRows(this.#dirty)
    this.#dirty = []
    this.#dirtyBytes = 0
    this.#epoch++
    return this.#frozen
  }

  /** What was frozen is found in the store now. Lets go of what is beyond the bound. */
  thaw(): void {
    assert(this.#frozen !== undefined, 'a checkpoint was frozen before it was written')
    this.#frozen.release()
    this.#frozen = undefined
    this.#arena.shrink()
  }
}

function storeKeyOf(key: Uint8Array): Buffer {
  const storeKey = Buffer.allocUnsafe(1 + key.length)
  storeKey[0] = Prefix.Key
  storeKey.set(key, 1)
  return storeKey
}

function viewOf(slot: Slot): StoredRecord {
  return StoredRecord.view(slot.name, slot.stored, slot.slab)
}
