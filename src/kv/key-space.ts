import { GenerationalCache } from './cache.ts'
import { Prefix } from './layout.ts'
import { nameOf, StoredRecord } from './record.ts'
import type { StateReader } from './types.ts'

/**
 * The present of every key, tombstones included. A record is found where it is newest: in the cache, which
 * takes every record that is written or read and so never holds one that is out of date; among the dirty ones
 * (applied, in no checkpoint); among the frozen ones (in the checkpoint that is being written); in the store.
 */
export class KeySpace {
  readonly #reader: StateReader
  readonly #cache: GenerationalCache
  #dirty = new Map<string, StoredRecord>()
  #frozen: ReadonlyMap<string, StoredRecord> = new Map()
  #dirtyBytes = 0

  constructor(reader: StateReader, cacheBytes: number) {
    this.#reader = reader
    this.#cache = new GenerationalCache(cacheBytes)
  }

  /** About how many bytes the next checkpoint will write of them. */
  get dirtyBytes(): number {
    return this.#dirtyBytes
  }

  /**
   * The key's record or tombstone.
   *
   * @param name the key as `nameOf` gives it.
   * @throws DamagedDataError where the store holds one that fails its check.
   */
  find(name: string, key: Uint8Array): StoredRecord | undefined {
    const cached = this.#cache.get(name)
    if (cached !== undefined) return cached
    const record = this.#dirty.get(name) ?? this.#frozen.get(name) ?? this.#load(name, key)
    if (record !== undefined) this.#cache.set(record)
    return record
  }

  /** The same, without a trace in the cache: for what is looked at once. */
  peek(name: string, key: Uint8Array): StoredRecord | undefined {
    return this.#cache.get(name) ?? this.#dirty.get(name) ?? this.#frozen.get(name) ?? this.#load(name, key)
  }

  #load(name: string, key: Uint8Array): StoredRecord | undefined {
    const storeKey = Buffer.allocUnsafe(1 + key.length)
    storeKey[0] = Prefix.Key
    storeKey.set(key, 1)
    const stored = this.#reader.get(storeKey)
    return stored === undefined ? undefined : StoredRecord.decode(name, key, stored)
  }

  /** The key's record; a tombstone counts as none. */
  findPresent(key: Uint8Array): StoredRecord | undefined {
    const record = this.find(nameOf(key), key)
    return record?.isTombstone ? undefined : record
  }

  /** Puts a record in place of the key's last one, which `find` has found. */
  replace(previous: StoredRecord | undefined, record: StoredRecord): void {
    const keys = this.#dirty.size
    this.#dirty.set(record.name, record)
    // A key that was dirty already is written once all the same: with its last record.
    const spared = this.#dirty.size === keys ? (previous?.size ?? 0) : 0
    this.#dirtyBytes += record.size - spared
    this.#cache.set(record)
  }

  /** What has changed since the last call, for a checkpoint. It is still found here, until `thaw`. */
  freeze(): ReadonlyMap<string, StoredRecord> {
    this.#frozen = this.#dirty
    this.#dirty = new Map()
    this.#dirtyBytes = 0
    return this.#frozen
  }

  /** What was frozen is found in the store now. */
  thaw(): void {
    this.#frozen = new Map()
  }
}
