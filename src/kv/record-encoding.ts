import { bytesFieldSize, Reader, varintSize, WireError } from '../wire/protobuf.ts'
import { Prefix, seal, SEAL_SIZE } from './layout.ts'

/** The numbers of a record. */
export interface RecordNumbers {
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: number
}

/** What a record's bytes say. */
export interface RecordParts extends RecordNumbers {
  /** Where the value begins, from the beginning of the store key; 0: a tombstone. */
  readonly valueStart: number
}

/** How many bytes store key and record have together. Without a value, it is a tombstone. */
export function storedSize(key: Uint8Array, value: Uint8Array | undefined, numbers: RecordNumbers): number {
  const { createRevision, modRevision, version, lease } = numbers
  return (
    1 +
    key.length +
    fieldSize(createRevision) +
    fieldSize(modRevision) +
    fieldSize(version) +
    (lease === 0 ? 0 : fieldSize(lease)) +
    (value === undefined ? 0 : bytesFieldSize(value.length)) +
    SEAL_SIZE
  )
}

/**
 * Writes store key and record, one behind the other, and seals them. By hand: this is done for every write.
 *
 * @param bytes as many as `storedSize` says.
 * @returns where the value begins; 0: there is none.
 */
export function encodeStored(
  bytes: Buffer,
  key: Uint8Array,
  value: Uint8Array | undefined,
  { createRevision, modRevision, version, lease }: RecordNumbers,
): number {
  bytes[0] = Prefix.Key
  bytes.set(key, 1)
  let position = putField(bytes, 1 + key.length, 0x08, createRevision)
  position = putField(bytes, position, 0x10, modRevision)
  position = putField(bytes, position, 0x18, version)
  if (lease !== 0) position = putField(bytes, position, 0x20, lease)
  let valueStart = 0
  if (value !== undefined) {
    valueStart = putField(bytes, position, 0x2a, value.length)
    bytes.set(value, valueStart)
  }
  seal(bytes)
  return valueStart
}

/**
 * Reads a record that lies behind its store key of `storeKeySize` bytes. Does not look at the checksum.
 *
 * @throws WireError where it cannot be decoded.
 */
export function readParts(stored: Buffer, storeKeySize: number): RecordParts {
  const parts = { createRevision: 0, modRevision: 0, version: 0, lease: 0, valueStart: 0 }
  const end = stored.length - SEAL_SIZE
  const reader = new Reader(stored, storeKeySize, end)
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) parts.createRevision = reader.uint()
    else if (tag === 0x10) parts.modRevision = reader.uint()
    else if (tag === 0x18) parts.version = reader.uint()
    else if (tag === 0x20) parts.lease = reader.uint()
    else if (tag === 0x2a) {
      // The value is the last field, and no view of it is made where only the numbers are asked for.
      const length = reader.uint()
      if (length !== end - reader.position)
        throw new WireError('the value does not end where the record does')
      parts.valueStart = reader.position
      reader.position = end
    } else reader.skip(tag)
  }
  return parts
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
