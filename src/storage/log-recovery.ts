import type { LogEntry, LogIndex, LogPosition, Term } from '../raft/types.ts'
import { EntryKind } from '../raft/types.ts'
import { decodeEntries } from '../wire/entry.ts'
import type { LogState } from '../wire/log-state.ts'
import { WireError } from '../wire/protobuf.ts'
import { damaged } from './disk-failure.ts'
import type { Database } from './disk.ts'
import { ENTRY_KEYS, indexOfKey } from './log-records.ts'
import type { OpenLogOptions, RecoveredLog } from './log-store.ts'
import { positionOf } from './merge-writes.ts'

/** A record of the newest ones, kept until the end of the log is found. */
interface KeptRecord {
  readonly bytes: Uint8Array
  /** The entry before its first. */
  readonly previous: LogPosition
}

export interface ScanOptions extends OpenLogOptions {
  /** Told of each record: its last entry, and its length in bytes. */
  readonly recordRead?: (last: LogPosition, bytes: number) => void
}

/** What a reading of the whole log found. */
export interface LogScan extends Omit<RecoveredLog, 'hardState' | 'stateDirectory'> {
  /** Where configuration entries stand. */
  readonly configurations: LogIndex[]
}

/**
 * Reads all of the log and holds it to its state record: no gap, no broken or unchained entry, and the end
 * where the last batch put it. Throws DamagedDataError.
 */
export async function scanLog(
  database: Database,
  path: string,
  state: LogState,
  options: ScanOptions,
): Promise<LogScan> {
  const scan = new Scan(path, state, options)
  const iterator = database.iterator(ENTRY_KEYS)
  try {
    for (;;) {
      const records = await iterator.nextv(1000)
      if (records.length === 0) break
      for (const [key, bytes] of records) scan.record(key, bytes)
      options.progress?.(scan.last.index - state.boundary.index, state.lastIndex - state.boundary.index)
    }
  } finally {
    await iterator.close()
  }
  return scan.finish()
}

class Scan {
  readonly #path: string
  readonly #state: LogState
  readonly #options: ScanOptions
  readonly #configurations: LogIndex[] = []
  readonly #termStarts: { term: Term; index: LogIndex }[] = []
  readonly #kept: KeptRecord[] = []
  #keptBytes = 0
  #anchor: LogPosition | undefined
  last: LogPosition

  constructor(path: string, state: LogState, options: ScanOptions) {
    this.#path = path
    this.#state = state
    this.#options = options
    this.last = state.boundary
    if (options.anchorIndex === state.boundary.index) this.#anchor = state.boundary
  }

  record(key: Uint8Array, bytes: Uint8Array): void {
    const previous = this.last
    const index = indexOfKey(key)
    const wanted = previous.index + 1
    if (Number.isNaN(index)) throw this.#damaged('it has a record whose key is no index')
    if (index !== wanted) {
      throw this.#damaged(
        index > wanted
          ? `entries ${wanted} to ${index - 1} are missing`
          : `a record begins with entry ${index}, where entry ${wanted} was expected`,
      )
    }
    const entries = this.#decode(bytes, previous)
    const [first] = entries
    if (first === undefined) throw this.#damaged(`the record of entry ${wanted} is empty`)
    if (first.index !== wanted || first.term < previous.term) {
      throw this.#damaged(
        `the record of entry ${wanted} begins with entry ${first.index} of term ${first.term}, ` +
          `after term ${previous.term}`,
      )
    }
    this.#take(entries, previous.term)
    this.last = positionOf(entries[entries.length - 1]!)
    this.#options.recordRead?.(this.last, bytes.length)
    this.#keep({ bytes, previous })
  }

  finish(): LogScan {
    const last = this.last
    const { firstIndex, lastIndex, lastChecksum, boundary, membershipIndex } = this.#state
    if (last.index !== lastIndex) {
      throw this.#damaged(`it ends with entry ${last.index}, but entry ${lastIndex} had been written`)
    }
    if (last.checksum !== lastChecksum) {
      throw this.#damaged(`the checksum of its last entry ${lastIndex} is not the one that had been written`)
    }
    if (firstIndex !== boundary.index + 1) {
      throw this.#damaged(
        `its state record has it begin with entry ${firstIndex}, after entry ${boundary.index}`,
      )
    }
    const configurations = this.#configurations
    const newest = configurations[configurations.length - 1]
    if (newest === undefined ? membershipIndex > boundary.index : newest !== membershipIndex) {
      throw this.#damaged(
        `its newest configuration is entry ${newest}, but entry ${membershipIndex} had been written`,
      )
    }
    // One that was cut, with what stood before it: the snapshot or the state knows the members.
    if (newest === undefined && membershipIndex > 0) configurations.push(membershipIndex)
    const { tail, tailPrevious } = this.#tail()
    const termStarts = this.#termStarts
    return { boundary, last, termStarts, tail, tailPrevious, anchor: this.#anchor, configurations }
  }

  #take(entries: readonly LogEntry[], termBefore: Term): void {
    let term = termBefore
    for (const entry of entries) {
      if (entry.term !== term || this.#termStarts.length === 0) {
        term = entry.term
        this.#termStarts.push({ term, index: entry.index })
      }
      if (entry.kind === EntryKind.Configuration) this.#configurations.push(entry.index)
      if (entry.index === this.#options.anchorIndex) this.#anchor = positionOf(entry)
    }
  }

  #decode(bytes: Uint8Array, previous: LogPosition): LogEntry[] {
    try {
      return decodeEntries(bytes, previous.checksum)
    } catch (error) {
      throw this.#broken(error, previous.index + 1)
    }
  }

  /** Whole records, as many as the tail may need, so that a long log is not held in memory. */
  #keep(record: KeptRecord): void {
    this.#kept.push(record)
    this.#keptBytes += record.bytes.length
    let surplus = 0
    while (surplus < this.#kept.length) {
      const oldest = this.#kept[surplus]!
      if (this.#keptBytes - oldest.bytes.length < this.#options.tailBytes) break
      this.#keptBytes -= oldest.bytes.length
      surplus++
    }
    if (surplus > 0) this.#kept.splice(0, surplus)
  }

  /** The newest entries that fit in the bytes asked for, decoded again from buffers that hold them alone. */
  #tail(): { tail: LogEntry[]; tailPrevious: LogPosition } {
    const tail: LogEntry[] = []
    for (const group of grouped(this.#kept)) {
      const bytes = group.length === 1 ? group[0]!.bytes : Buffer.concat(group.map((record) => record.bytes))
      for (const entry of this.#decode(bytes, group[0]!.previous)) tail.push(entry)
    }
    let start = tail.length
    let room = this.#options.tailBytes
    while (start > 0 && tail[start - 1]!.size <= room) room -= tail[--start]!.size
    if (start > 0) return { tail: tail.slice(start), tailPrevious: positionOf(tail[start - 1]!) }
    return { tail, tailPrevious: this.#kept[0]?.previous ?? this.last }
  }

  #broken(error: unknown, first: LogIndex): Error {
    if (!(error instanceof WireError)) throw error
    return this.#damaged(`the record of entry ${first} is broken (${error.message})`, error)
  }

  #damaged(what: string, cause?: unknown): Error {
    return damaged(`The log in ${this.#path}: ${what}`, cause)
  }
}

/** Records in groups of some size: many small buffers cost more than their bytes, a huge one keeps them all alive. */
function* grouped(records: readonly KeptRecord[]): Generator<KeptRecord[]> {
  const limit = 64 * 1024
  let group: KeptRecord[] = []
  let bytes = 0
  for (const record of records) {
    if (group.length > 0 && bytes + record.bytes.length > limit) {
      yield group
      group = []
      bytes = 0
    }
    group.push(record)
    bytes += record.bytes.length
  }
  if (group.length > 0) yield group
}
