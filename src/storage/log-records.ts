import { crc32 } from 'node:zlib'
import type { LogEntry, LogIndex } from '../raft/types.ts'
import { concatEntries } from '../wire/entry.ts'
import { decodeLogState, encodeLogState } from '../wire/log-state.ts'
import type { LogState } from '../wire/log-state.ts'
import { damaged } from './disk-failure.ts'
import type { Database } from './disk.ts'

/**
 * What stands in the log's database: records of entries, keyed by the index of their first entry, and behind
 * them one record with the log's state, as four bytes of CRC32 and message LogState.
 */

/** Sorts after all indexes, whose first byte is 0. */
const STATE_KEY: Uint8Array = Buffer.from('state', 'ascii')

/** Above every index key, below the state's. */
export const KEYS_END: Uint8Array = Uint8Array.of(1)

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
