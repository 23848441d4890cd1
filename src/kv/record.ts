import { bytesFieldSize, Reader, varintSize } from '../wire/protobuf.ts'
import { bufferOf, checkSeal, damaged, Prefix, seal, SEAL_SIZE } from './layout.ts'
import type { KeyEntry, KeyRecord } from './types.ts'

/** The numbers of a record. */
export interface RecordNumbers {
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: number
}

/**
 * A key's record, or the tombstone that a deleted key leaves, as it stands on disk: built once, in a buffer of
 * its own, when its entry is applied, and used by the tables in memory, the pack of history and the
 * checkpoint. So it never holds on to the message that its value came with.
 *
 *     message KeyRecord {
 *       uint64 create_revision = 1; uint64 mod_revision = 2; uint64 version = 3; uint64 lease = 4;
 *       bytes value = 5;       // absent: a tombstone
 *       fixed32 checksum = 15; // see seal() in layout.ts
 *     }
 */
export class StoredRecord implements RecordNumbers {
  /** The key's bytes as a latin1 string: one character a byte, so that it serves as a Map's key. */
  readonly name: string
  /** The store key, immediately followed by the record. */
  readonly #bytes: Buffer
  readonly #keyEnd: number
  /** Where the value begins; 0: a tombstone. */
  readonly #valueStart: number
  readonly checksum: number
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: number

  private constructor(
    name: string,
    bytes: Buffer,
    valueStart: number,
    checksum: number,
    numbers: RecordNumbers,
  ) {
    this.name = name
    this.#bytes = bytes
    this.#keyEnd = 1 + name.length
    this.#valueStart = valueStart
    this.checksum = checksum
    this.createRevision = numbers.createRevision
    this.modRevision = numbers.modRevision
    this.version = numbers.version
    this.lease = numbers.lease
  }

  /** Builds a record; without a value, a tombstone. Copies key and value. */
  static build(
    name: string,
    key: Uint8Array,
    value: Uint8Array | undefined,
    numbers: RecordNumbers,
  ): StoredRecord {
    const { createRevision, modRevision, version, lease } = numbers
    const isTombstone = value === undefined
    // By hand and into the exact size: this is done for every write.
    const size =
      1 +
      key.length +
      fieldSize(createRevision) +
      fieldSize(modRevision) +
      fieldSize(version) +
      (lease === 0 ? 0 : fieldSize(lease)) +
      (isTombstone ? 0 : bytesFieldSize(value.length)) +
      SEAL_SIZE
    const bytes = Buffer.allocUnsafe(size)
    bytes[0] = Prefix.Key
    bytes.set(key, 1)
    let position = putField(bytes, 1 + key.length, 0x08, createRevision)
    position = putField(bytes, position, 0x10, modRevision)
    position = putField(bytes, position, 0x18, version)
    if (lease !== 0) position = putField(bytes, position, 0x20, lease)
    let valueStart = 0
    if (!isTombstone) {
      valueStart = putField(bytes, position, 0x2a, value.length)
      bytes.set(value, valueStart)
    }
    return new StoredRecord(name, bytes, valueStart, seal(bytes), numbers)
  }

  /**
   * Reads a record that was stored under `key`. Copies it.
   *
   * @throws DamagedDataError where it is not what was written under this key.
   */
  static decode(name: string, key: Uint8Array, record: Uint8Array): StoredRecord {
    const bytes = Buffer.allocUnsafe(1 + key.length + record.length)
    bytes[0] = Prefix.Key
    bytes.set(key, 1)
    bytes.set(record, 1 + key.length)
    const storeKey = bytes.subarray(0, 1 + key.length)
    const checksum = checkSeal(storeKey, record)
    const numbers = { createRevision: 0, modRevision: 0, version: 0, lease: 0 }
    let valueStart = 0
    const reader = new Reader(bytes, 1 + key.length, bytes.length - SEAL_SIZE)
    try {
      for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
        if (tag === 0x08) numbers.createRevision = reader.uint()
        else if (tag === 0x10) numbers.modRevision = reader.uint()
        else if (tag === 0x18) numbers.version = reader.uint()
        else if (tag === 0x20) numbers.lease = reader.uint()
        else if (tag === 0x2a) valueStart = reader.position + varintSize(reader.bytes().length)
        else reader.skip(tag)
      }
    } catch (error) {
      throw damaged(storeKey, 'it cannot be decoded', error)
    }
    return new StoredRecord(name, bytes, valueStart, checksum, numbers)
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

  /** The key is deleted. */
  get isTombstone(): boolean {
    return this.#valueStart === 0
  }

  /** The key, as a view. */
  get key(): Buffer {
    return this.#bytes.subarray(1, this.#keyEnd)
  }

  /** The value, as a view; of a tombstone, empty. */
  get value(): Buffer {
    const end = this.#bytes.length - SEAL_SIZE
    return this.#bytes.subarray(this.isTombstone ? end : this.#valueStart, end)
  }

  /** The key in the state store. */
  get storeKey(): Buffer {
    return this.#bytes.subarray(0, this.#keyEnd)
  }

  /** The record as it is stored. */
  get encoded(): Buffer {
    return this.#bytes.subarray(this.#keyEnd)
  }

  /** Key in the state store and record, one behind the other, not to be changed. */
  get stored(): Buffer {
    return this.#bytes
  }

  /** Bytes of the key in the state store. */
  get storeKeySize(): number {
    return this.#keyEnd
  }

  /** Bytes of store key and record. */
  get size(): number {
    return this.#bytes.length
  }

  /** The same in a buffer of its own: small buffers share slabs, and one that lives long holds a whole slab. */
  copy(): StoredRecord {
    return new StoredRecord(this.name, Buffer.from(this.#bytes), this.#valueStart, this.checksum, this)
  }

  /** As the interface of the state machine shows it. Not for tombstones. */
  toKeyRecord(): KeyRecord {
    const { value, createRevision, modRevision, version, lease } = this
    return { value, createRevision, modRevision, version, lease }
  }

  /** The same with its key. */
  toKeyEntry(): KeyEntry {
    const { key, value, createRevision, modRevision, version, lease } = this
    return { key, value, createRevision, modRevision, version, lease }
  }
}

function fieldSize(value: number): number {
  return 1 + varintSize(value)
}

/** Writes a tag and a varint and returns where they end. */
function putField(bytes: Buffer, start: number, tag: number, value: number): number {
  let position = start
  bytes[position++] = tag
  let rest = value
  while (rest >= 0x8000_0000) {
    bytes[position++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  while (rest >= 0x80) {
    bytes[position++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[position++] = rest
  return position
}

/** A key's bytes as a string, a bijection: one character a byte. */
export function nameOf(key: Uint8Array): string {
  return bufferOf(key).toString('latin1')
}
