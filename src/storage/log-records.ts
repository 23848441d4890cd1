import { crc32 } from 'node:zlib'
import type { LogEntry, LogIndex } from '../raft/types.ts'
import { concatEntries } from '../wire/entry.ts'
import { decodeLogState, encodeLogState } from '../wire/log-state.ts'
import type { LogState } from '../wire/log-state.ts'
import { damaged } from './disk-failure.ts'
import type { Database, DatabaseRange } from './disk.ts'

/**
 * What stands in the log's database: one record with the log's state, as four bytes of CRC32 and message LogState,
 * and after it records of entries, keyed by the index of their first entry.
 *
 * Nothing comes after the entries: LevelDB would have the table that holds the last of them and what follows merged
 * with each new table of entries, and would write all of them once more.
 */

/** Sorts before all indexes, which are longer. */
export const STATE_KEY: Uint8Array = Uint8Array.of(0)

/** The records of entries, and no other. */
export const ENTRY_KEYS = { gte: new Uint8Array(8), lt: Uint8Array.of(1) } as const

/** The records of entries that begin with `index` or before it, the last of them first. */
export function recordsBackFrom(index: LogIndex): DatabaseRange {
  return { gte: ENTRY_KEYS.gte, lte: indexKey(index), reverse: true }
}

/** A record holds more only where one entry does: what is read for one entry stays small. */
const MAX_RECORD_BYTES = 256 * 1024

/** The key of the record that begins with `index`: 8 bytes, big-endian. */
export function indexKey(index: LogIndex): Uint8Array {
  const key = Buffer.allocUnsafe(8)
  key.writeUInt32BE(Math.floor(index / 0x1_0000_0000), 0)
  key.writeUInt32BE(index >>> 0, 4)
  return key
}

/** The index that a key stands for; NaN for what is no index key. */
export function indexOfKey(key: Uint8Array): LogIndex {
  if (key.length !== 8) return Number.NaN
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.length)
  return bytes.readUInt32BE(0) * 0x1_0000_0000 + bytes.readUInt32BE(4)
}

/** The record with the log's state, as a key and a value to be put. */
export function stateRecord(state: LogState): [Uint8Array, Uint8Array] {
  const encoded = encodeLogState(state)
  const value = Buffer.allocUnsafe(4 + encoded.length)
  value.writeUInt32LE(crc32(encoded), 0)
  value.set(encoded, 4)
  return [STATE_KEY, value]
}

/** The log's state, undefined where the database has none. Throws DamagedDataError where it is broken. */
export function readState(database: Database, path: string): LogState | undefined {
  const value = database.getSync(STATE_KEY)
  if (value === undefined) return undefined
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length)
  if (bytes.length < 4 || bytes.readUInt32LE(0) !== crc32(bytes.subarray(4))) {
    throw damaged(`The log in ${path}: the checksum of its state record does not fit`)
  }
  return decodeLogState(bytes.subarray(4))
}

/** Entries as the records that they are stored in: one, unless they are many bytes. */
export function* recordsOf(entries: readonly LogEntry[]): Generator<[Uint8Array, Uint8Array]> {
  let start = 0
  let bytes = 0
  for (let i = 0; i < entries.length; i++) {
    const size = entries[i]!.size
    if (i > start && bytes + size > MAX_RECORD_BYTES) {
      yield [indexKey(entries[start]!.index), concatEntries(entries.slice(start, i))]
      start = i
      bytes = 0
    }
    bytes += size
  }
  if (start === 0 && entries.length > 0) yield [indexKey(entries[0]!.index), concatEntries(entries)]
  else if (start < entries.length) {
    yield [indexKey(entries[start]!.index), concatEntries(entries.slice(start))]
  }
}
