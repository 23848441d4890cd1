import { BrokenInvariantError } from '../errors.ts'
import type { LogEntry, LogIndex, LogPosition } from '../raft/types.ts'
import { decodeEntries } from '../wire/entry.ts'
import { WireError } from '../wire/protobuf.ts'
import { damaged } from './disk-failure.ts'
import type { Database, DatabaseRange } from './disk.ts'
import { indexKey, indexOfKey, recordsBackFrom } from './log-records.ts'
import { positionOf } from './merge-writes.ts'

/** Which entries are wanted: from the first to the last, as many as fit in the bytes, at least one. */
export interface Wanted {
  readonly from: LogIndex
  readonly upTo: LogIndex
  readonly maxBytes: number
}

/**
 * Reads entries and what stands before them, and verifies that they are chained to it. Throws DamagedDataError
 * where one is missing or broken, BrokenInvariantError where they begin at or below the boundary.
 */
export async function readEntries(
  database: Database,
  path: string,
  boundary: LogPosition,
  wanted: Wanted,
): Promise<{ previous: LogPosition; entries: LogEntry[] }> {
  if (wanted.from <= boundary.index) {
    throw new BrokenInvariantError(
      `Entry ${wanted.from} is wanted, but the log begins after ${boundary.index}`,
    )
  }
  const reading = new Reading(path, wanted)
  let previous = boundary
  if (wanted.from - 1 > boundary.index) {
    const first = await recordBefore(database, path, boundary, wanted.from)
    reading.record(first.key, first.bytes, first.index, first.checksum)
    previous = reading.before ?? reading.missing(wanted.from - 1)
  } else {
    reading.last = boundary
  }
  const iterator = database.iterator({ gte: indexKey(reading.last.index + 1), lte: indexKey(wanted.upTo) })
  try {
    for (let count = 4; !reading.full; count = Math.min(count * 2, 256)) {
      const records = await iterator.nextv(count)
      if (records.length === 0) return reading.missing(reading.last.index + 1)
      for (const [key, bytes] of records) {
        if (reading.full) break
        reading.record(key, bytes, reading.last.index + 1, reading.last.checksum)
      }
    }
  } finally {
    await iterator.close()
  }
  return { previous, entries: reading.entries }
}

class Reading {
  readonly entries: LogEntry[] = []
  /** The entry before the first one wanted, once it was passed. */
  before: LogPosition | undefined
  /** The last entry decoded. */
  last: LogPosition = { index: 0, term: 0, checksum: 0 }
  full = false
  readonly #path: string
  readonly #wanted: Wanted
  #bytes = 0

  constructor(path: string, wanted: Wanted) {
    this.#path = path
    this.#wanted = wanted
  }

  /** Takes what is wanted of a record that begins with entry `index`, after an entry of checksum `seed`. */
  record(key: Uint8Array, bytes: Uint8Array, index: LogIndex, seed: number): void {
    if (indexOfKey(key) !== index) this.missing(index)
    let entries
    try {
      entries = decodeEntries(bytes, seed)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      throw damaged(
        `The log in ${this.#path}: the record of entry ${index} is broken (${error.message})`,
        error,
      )
    }
    if (entries[0]?.index !== index) this.missing(index)
    for (const entry of entries) this.#take(entry)
    this.last = positionOf(entries[entries.length - 1]!)
  }

  missing(index: LogIndex): never {
    throw damaged(`The log in ${this.#path}: entry ${index} is missing`)
  }

  #take(entry: LogEntry): void {
    const { from, upTo, maxBytes } = this.#wanted
    if (entry.index === from - 1) this.before = positionOf(entry)
    if (this.full || entry.index < from) return
    if (this.entries.length > 0 && this.#bytes + entry.size > maxBytes) {
      this.full = true
      return
    }
    this.entries.push(entry)
    this.#bytes += entry.size
    if (entry.index === upTo || this.#bytes >= maxBytes) this.full = true
  }
}

/** The record that holds the entry before `from`, and the checksum of the entry before that record. */
async function recordBefore(
  database: Database,
  path: string,
  boundary: LogPosition,
  from: LogIndex,
): Promise<{ key: Uint8Array; bytes: Uint8Array; index: LogIndex; checksum: number }> {
  const [record, earlier] = await rowsOf(database, recordsBackFrom(from - 1), 2)
  if (record === undefined) throw damaged(`The log in ${path}: entry ${from - 1} is missing`)
  const [key, bytes] = record
  const index = indexOfKey(key)
  if (earlier === undefined && index !== boundary.index + 1) {
    throw damaged(`The log in ${path}: entries ${boundary.index + 1} to ${index - 1} are missing`)
  }
  return { key, bytes, index, checksum: earlier === undefined ? boundary.checksum : lastChecksum(earlier[1]) }
}

/** An encoded entry ends with its checksum. */
function lastChecksum(record: Uint8Array): number {
  return Buffer.from(record.buffer, record.byteOffset, record.length).readUInt32LE(record.length - 4)
}

/** The first rows of a range, at most `count`. */
export async function rowsOf(
  database: Database,
  range: DatabaseRange,
  count: number,
): Promise<[Uint8Array, Uint8Array][]> {
  const rows: [Uint8Array, Uint8Array][] = []
  const iterator = database.iterator({ ...range, limit: count })
  try {
    while (rows.length < count) {
      const page = await iterator.nextv(count - rows.length)
      if (page.length === 0) break
      rows.push(...page)
    }
  } finally {
    await iterator.close()
  }
  return rows
}
