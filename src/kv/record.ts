import { bytesFieldSize, Reader, varintSize, type Writer } from '../wire/protobuf.ts'
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
 * A record of up to so many bytes is kept as a string of one character a byte. V8 moves and frees strings one by one,
 * while small buffers share slabs of 8 KiB, each of which stays for as long as one of its thirty records: with random
 * writes that was ten times the memory, and work for the garbage collector. Larger ones have a buffer of their own.
 */
const MOST_TEXT = 4096

/**
 * A key's record, or the tombstone that a deleted key leaves, as it stands on disk: built once, when its entry is
 * applied, and used by the tables in memory, the pack of history and the checkpoint. So it never holds on to the
 * message that its value came with.
 *
 *     message KeyRecord {
 *       uint64 create_revision = 1; uint64 mod_revision = 2; uint64 version = 3; uint64 lease = 4;
 *       bytes value = 5;       // absent: a tombstone
 *       fixed32 checksum = 15; // see seal() in layout.ts
 *     }
 */
export class StoredRecord implements RecordNumbers {
  /** Where small records are put together. */
  static readonly #scratch = Buffer.alloc(MOST_TEXT)

  /** The key's bytes as a latin1 string: one character a byte, so that it serves as a Map's key. */
  readonly name: string
  /** The store key, immediately followed by the record. */
  readonly #stored: string | Buffer
  /** Where the value begins; 0: a tombstone. */
  readonly #valueStart: number
  readonly checksum: number
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: number

  private constructor(
    name: string,
    stored: Buffer,
    valueStart: number,
    checksum: number,
    numbers: RecordNumbers,
  ) {
    this.name = name
    this.#stored = stored.length > MOST_TEXT ? stored : stored.toString('latin1')
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
    const bytes = StoredRecord.#room(size)
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
    const bytes = StoredRecord.#room(1 + key.length + record.length)
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

  /** A buffer of this size, to be used up before the next one is asked for. */
  static #room(size: number): Buffer {
    return size > MOST_TEXT ? Buffer.allocUnsafeSlow(size) : StoredRecord.#scratch.subarray(0, size)
  }

  /** The key is deleted. */
  get isTombstone(): boolean {
    return this.#valueStart === 0
  }

  /** The key. */
  get key(): Buffer {
    return Buffer.from(this.name, 'latin1')
  }

  /** The value; of a tombstone, empty. */
  get value(): Buffer {
    const end = this.size - SEAL_SIZE
    const start = this.isTombstone ? end : this.#valueStart
    const stored = this.#stored
    return typeof stored === 'string'
      ? Buffer.from(stored.slice(start, end), 'latin1')
      : stored.subarray(start, end)
  }

  /** Key in the state store and record, one behind the other. Not to be changed. */
  get stored(): Buffer {
    const stored = this.#stored
    return typeof stored === 'string' ? Buffer.from(stored, 'latin1') : stored
  }

  /** The key in the state store. */
  get storeKey(): Buffer {
    const storeKey = Buffer.allocUnsafe(this.storeKeySize)
    storeKey[0] = Prefix.Key
    storeKey.write(this.name, 1, 'latin1')
    return storeKey
  }

  /** Key and record as they are stored. */
  get change(): [Buffer, Buffer] {
    const { stored, storeKeySize } = this
    return [stored.subarray(0, storeKeySize), stored.subarray(storeKeySize)]
  }

  /** Writes key in the state store and record, one behind the other, as a field. */
  writeTo(writer: Writer, field: number): void {
    const stored = this.#stored
    if (typeof stored === 'string') writer.latin1(field, stored)
    else writer.bytes(field, stored)
  }

  /** Bytes of the key in the state store. */
  get storeKeySize(): number {
    return 1 + this.name.length
  }

  /** Bytes of store key and record. */
  get size(): number {
    return this.#stored.length
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
