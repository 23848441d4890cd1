import { assert } from '../raft/assert.ts'
import { bufferOf, checkSeal, damaged, Prefix, SEAL_SIZE } from './layout.ts'
import { encodeStored, readParts, type RecordNumbers, storedSize } from './record-encoding.ts'
import type { KeyEntry, KeyRecord } from './types.ts'

export type { RecordNumbers } from './record-encoding.ts'

/** What a record's bytes lie on. They are the record's for as long as this is of the same generation. */
export interface Ground {
  readonly generation: number
}

/** Of bytes that belong to their record alone. */
const OWN: Ground = Object.freeze({ generation: 0 })

/**
 * A key's record, or the tombstone that a deleted key leaves, as it stands on disk: built once, when its entry is
 * applied, and used by the table in memory, the pack of history and the checkpoint.
 *
 *     message KeyRecord {
 *       uint64 create_revision = 1; uint64 mod_revision = 2; uint64 version = 3; uint64 lease = 4;
 *       bytes value = 5;       // absent: a tombstone
 *       fixed32 checksum = 15; // see seal() in layout.ts
 *     }
 *
 * It is a view: mostly of bytes in the arena, which lets go of them when it needs their room (see KeySpace.makeRoom).
 * To ask for bytes after that is a broken invariant; whoever keeps a record takes a `detached` one. The numbers are
 * copies and stay right.
 */
export class StoredRecord implements RecordNumbers {
  /** The key's bytes as a latin1 string: one character a byte, so that it serves as a Map's key. */
  readonly name: string
  readonly #stored: Buffer
  /** Where the value begins; 0: a tombstone. */
  readonly #valueStart: number
  readonly #ground: Ground
  readonly #generation: number
  readonly checksum: number
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: number

  private constructor(
    name: string,
    stored: Buffer,
    ground: Ground,
    valueStart: number,
    numbers: RecordNumbers,
  ) {
    this.name = name
    this.#stored = stored
    this.#valueStart = valueStart
    this.#ground = ground
    this.#generation = ground.generation
    this.checksum = stored.readUInt32LE(stored.length - 4)
    this.createRevision = numbers.createRevision
    this.modRevision = numbers.modRevision
    this.version = numbers.version
    this.lease = numbers.lease
  }

  /**
   * Builds a record; without a value, a tombstone. Copies key and value.
   *
   * @param stored where to: as many bytes as `storedSize` says; by default, bytes of its own.
   * @param ground what those lie on.
   */
  static build(
    name: string,
    key: Uint8Array,
    value: Uint8Array | undefined,
    numbers: RecordNumbers,
    stored: Buffer = Buffer.allocUnsafe(storedSize(key, value, numbers)),
    ground: Ground = OWN,
  ): StoredRecord {
    return new StoredRecord(name, stored, ground, encodeStored(stored, key, value, numbers), numbers)
  }

  /** A view of a record that was made by `build`, or checked: store key and record, one behind the other. */
  static view(name: string, stored: Buffer, ground: Ground): StoredRecord {
    const parts = readParts(stored, 1 + name.length)
    return new StoredRecord(name, stored, ground, parts.valueStart, parts)
  }

  /**
   * Reads a record that was stored under `key`. Copies it.
   *
   * @throws DamagedDataError where it is not what was written under this key.
   */
  static decode(name: string, key: Uint8Array, record: Uint8Array): StoredRecord {
    const stored = Buffer.allocUnsafe(1 + key.length + record.length)
    stored[0] = Prefix.Key
    stored.set(key, 1)
    stored.set(record, 1 + key.length)
    StoredRecord.check(stored.subarray(0, 1 + key.length), record)
    return StoredRecord.view(name, stored, OWN)
  }

  /** Throws a DamagedDataError unless the record is what was written under `storeKey`. */
  static check(storeKey: Uint8Array, record: Uint8Array): void {
    checkSeal(storeKey, record)
    try {
      readParts(bufferOf(record), 0)
    } catch (error) {
      throw damaged(storeKey, 'it cannot be decoded', error)
    }
  }

  /**
   * Reads a record that lies behind its key in the store, of `storeKeySize` bytes. Copies it.
   *
   * @throws DamagedDataError where the two do not belong together.
   */
  static decodeStored(stored: Buffer, storeKeySize: number): StoredRecord {
    const key = stored.subarray(1, storeKeySize)
    return StoredRecord.decode(nameOf(key), key, stored.subarray(storeKeySize))
  }

  /** The same record on bytes of its own, to be kept for as long as one likes. */
  detached(): StoredRecord {
    // Not from Node's pool of small buffers, whose 8 KiB would stay for as long as one record in them.
    const stored = Buffer.allocUnsafeSlow(this.size)
    stored.set(this.stored)
    return new StoredRecord(this.name, stored, OWN, this.#valueStart, this)
  }

  /** The key is deleted. */
  get isTombstone(): boolean {
    return this.#valueStart === 0
  }

  /** The key. */
  get key(): Buffer {
    return Buffer.from(this.name, 'latin1')
  }

  /** The value, not copied; of a tombstone, empty. */
  get value(): Buffer {
    const end = this.size - SEAL_SIZE
    return this.stored.subarray(this.isTombstone ? end : this.#valueStart, end)
  }

  /** Key in the state store and record, one behind the other, not copied. Not to be changed. */
  get stored(): Buffer {
    assert(this.#ground.generation === this.#generation, 'a record is used before its room is')
    return this.#stored
  }

  /** The key in the state store. */
  get storeKey(): Buffer {
    const storeKey = Buffer.allocUnsafe(this.storeKeySize)
    storeKey[0] = Prefix.Key
    storeKey.write(this.name, 1, 'latin1')
    return storeKey
  }

  /** Key and record as they are stored, not copied. */
  get change(): [Buffer, Buffer] {
    const { stored, storeKeySize } = this
    return [stored.subarray(0, storeKeySize), stored.subarray(storeKeySize)]
  }

  /** Bytes of the key in the state store. */
  get storeKeySize(): number {
    return 1 + this.name.length
  }

  /** Bytes of store key and record. */
  get size(): number {
    return this.#stored.length
  }

  /** As the interface of the state machine shows it, with a copy of the value. Not for tombstones. */
  toKeyRecord(): KeyRecord {
    const { value, createRevision, modRevision, version, lease } = this
    return { value: Buffer.from(value), createRevision, modRevision, version, lease }
  }

  /** The same with its key. */
  toKeyEntry(): KeyEntry {
    return { key: this.key, ...this.toKeyRecord() }
  }
}

/** A key's bytes as a string, a bijection: one character a byte. */
export function nameOf(key: Uint8Array): string {
  return bufferOf(key).toString('latin1')
}
