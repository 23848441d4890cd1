import { crc32 } from 'node:zlib'
import { DamagedDataError } from '../errors.ts'
import type { LogPosition } from '../raft/types.ts'
import { Reader, Writer } from '../wire/protobuf.ts'
import type { RevisionMark } from './revision-marks.ts'

/**
 * The keys of the state store. Its first byte says what a key is for: `k` + key: a key's present, `v` + first
 * revision: a pack of history, `d` + the same: its line in the directory of packs, `s` + id: a session, `l`: leases
 * (none yet), `m`: the one record about it all. Numbers are 8 bytes, big-endian, so that their order is the store's.
 *
 * History only grows at its end. Nothing comes after it: LevelDB would have the table that holds its end and what
 * follows merged with each new table of history, and would write all of it once more.
 */
export const Prefix = {
  Directory: 0x64,
  Key: 0x6b,
  Lease: 0x6c,
  Meta: 0x6d,
  Session: 0x73,
  History: 0x76,
} as const

/** The key of the record about it all. */
export const META_KEY: Uint8Array = Buffer.from([Prefix.Meta])

/** The prefix as bytes, to scan by. */
export function prefixBytes(prefix: number): Uint8Array {
  return Buffer.from([prefix])
}

/** The key of what a number names: a session's or a pack's. */
export function numberedKey(prefix: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(9)
  key[0] = prefix
  key.writeUInt32BE(Math.floor(number / 0x1_0000_0000), 1)
  key.writeUInt32BE(number % 0x1_0000_0000, 5)
  return key
}

/** The number that a key names. */
export function keyNumber(storeKey: Uint8Array): number {
  const key = bufferOf(storeKey)
  if (key.length !== 9) throw damaged(key, 'its key has the wrong length')
  return key.readUInt32BE(1) * 0x1_0000_0000 + key.readUInt32BE(5)
}

/** The same bytes as a Buffer, not copied. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Every record ends with the field `fixed32 checksum = 15`: this tag and four bytes. */
const CHECKSUM_TAG = 0x7d
const CHECKSUM_SIZE = 4
/** What stands in the checksum's place while it is computed. */
const NO_CHECKSUM = new Uint8Array(CHECKSUM_SIZE)
/** How many bytes the checksum takes, with its tag. */
export const SEAL_SIZE = 1 + CHECKSUM_SIZE

/**
 * Ends a record with its checksum, which it returns: the CRC32 of the key that the record is stored under and
 * of the whole record with a checksum of 0. It covers the key, so that a record that turns up under another key
 * is noticed.
 *
 * @param bytes the store key, immediately followed by the record with room for its checksum at the end.
 */
export function seal(bytes: Buffer): number {
  const end = bytes.length - SEAL_SIZE
  bytes[end] = CHECKSUM_TAG
  bytes.writeUInt32LE(0, end + 1)
  const checksum = crc32(bytes)
  bytes.writeUInt32LE(checksum, end + 1)
  return checksum
}

/**
 * Checks a record that was found under `storeKey`.
 *
 * @returns its checksum.
 * @throws DamagedDataError where it is not what was written under this key.
 */
export function checkSeal(storeKey: Uint8Array, record: Uint8Array): number {
  const buffer = bufferOf(record)
  const end = buffer.length - CHECKSUM_SIZE
  if (end < 1 || buffer[end - 1] !== CHECKSUM_TAG) throw damaged(storeKey, 'it has no checksum')
  const checksum = crc32(NO_CHECKSUM, crc32(buffer.subarray(0, end), crc32(storeKey)))
  if (buffer.readUInt32LE(end) !== checksum) throw damaged(storeKey, 'its checksum does not fit')
  return checksum
}

/** Seals the body of a record that is to be stored under `storeKey`. */
export function sealedRecord(storeKey: Uint8Array, body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(storeKey.length + body.length + SEAL_SIZE)
  bytes.set(storeKey)
  bytes.set(body, storeKey.length)
  seal(bytes)
  return bytes.subarray(storeKey.length)
}

/** A reader of a record's body, after its checksum was found right. Throws a DamagedDataError where it is not. */
export function openRecord(storeKey: Uint8Array, record: Uint8Array): Reader {
  checkSeal(storeKey, record)
  return new Reader(record, 0, record.length - SEAL_SIZE)
}

/** The error for a record that cannot be trusted. */
export function damaged(storeKey: Uint8Array, what: string, cause?: unknown): DamagedDataError {
  const key = bufferOf(storeKey)
  const shown = key.subarray(0, 40).toString('hex') + (key.length > 40 ? '…' : '')
  return new DamagedDataError(
    `the state store's record under ${shown} (hex) is damaged: ${what}. ` +
      '`balsa recover --data DIR` has it made anew',
    { cause },
  )
}

/** What the checkpoint is of: in the same batch as all the rest. */
export interface Meta {
  readonly applied: LogPosition
  readonly revision: number
  /** What was before this revision cannot be read any more. */
  readonly compactedRevision: number
  readonly clusterTimeMs: number
  /** The set hash of the present, and that of the sessions. */
  readonly presentHash: bigint
  readonly sessionsHash: bigint
  /** How many bytes of history were written in the whole life of this store. */
  readonly historyBytes: number
  /** In the order of time; see RevisionMarks. */
  readonly marks: readonly RevisionMark[]
}

/** The version of all these formats. 2: with a directory of packs. 3: packs hold only what was replaced. 4: they come last. */
const FORMAT = 4

/** Encodes the record about it all. */
export function encodeMeta(meta: Meta): Uint8Array {
  const writer = new Writer(96)
  writer.uint(1, FORMAT)
  writer.uint(2, meta.applied.index)
  writer.uint(3, meta.applied.term)
  writer.fixed32(4, meta.applied.checksum)
  writer.uint(5, meta.revision)
  writer.uint(6, meta.compactedRevision)
  writer.uint(7, meta.clusterTimeMs)
  writer.bytes(8, hashBytes(meta.presentHash))
  writer.bytes(9, hashBytes(meta.sessionsHash))
  writer.uint(10, meta.historyBytes)
  for (const mark of meta.marks) {
    const begun = writer.begin(11)
    writer.uint(1, mark.clusterTimeMs)
    writer.uint(2, mark.revision)
    writer.uint(3, mark.historyBytes)
    writer.end(begun)
  }
  return sealedRecord(META_KEY, writer.finish())
}

/** Decodes the record about it all. Throws a DamagedDataError where it cannot be trusted. */
export function decodeMeta(record: Uint8Array): Meta {
  const reader = openRecord(META_KEY, record)
  const meta = {
    format: 0,
    applied: { index: 0, term: 0, checksum: 0 },
    revision: 0,
    compactedRevision: 0,
    clusterTimeMs: 0,
    presentHash: 0n,
    sessionsHash: 0n,
    historyBytes: 0,
    marks: [] as RevisionMark[],
  }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) meta.format = reader.uint()
    else if (tag === 0x10) meta.applied.index = reader.uint()
    else if (tag === 0x18) meta.applied.term = reader.uint()
    else if (tag === 0x25) meta.applied.checksum = reader.fixed32()
    else if (tag === 0x28) meta.revision = reader.uint()
    else if (tag === 0x30) meta.compactedRevision = reader.uint()
    else if (tag === 0x38) meta.clusterTimeMs = reader.uint()
    else if (tag === 0x42) meta.presentHash = reader.bytes().readBigUInt64BE()
    else if (tag === 0x4a) meta.sessionsHash = reader.bytes().readBigUInt64BE()
    else if (tag === 0x50) meta.historyBytes = reader.uint()
    else if (tag === 0x5a) meta.marks.push(readMark(reader.nested()))
    else reader.skip(tag)
  }
  if (meta.format !== FORMAT) {
    // Not for `balsa recover`: nothing is wrong with it.
    throw new DamagedDataError(
      `the state is of format version ${meta.format}; this version of Balsa reads version ${FORMAT}. ` +
        'Use the version of Balsa that wrote it',
    )
  }
  return meta
}

function readMark(reader: Reader): RevisionMark {
  const mark = { clusterTimeMs: 0, revision: 0, historyBytes: 0 }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) mark.clusterTimeMs = reader.uint()
    else if (tag === 0x10) mark.revision = reader.uint()
    else if (tag === 0x18) mark.historyBytes = reader.uint()
    else reader.skip(tag)
  }
  return mark
}

function hashBytes(hash: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(hash)
  return bytes
}
