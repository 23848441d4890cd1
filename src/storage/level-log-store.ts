import { BrokenInvariantError } from '../errors.ts'
import type { HardState, LogEntry, LogIndex, LogPosition, Write } from '../raft/types.ts'
import { EntryKind, LOG_START } from '../raft/types.ts'
import { concatEntries, decodeEntries } from '../wire/entry.ts'
import type { LogState } from '../wire/log-state.ts'
import { damaged } from './disk-failure.ts'
import type { Database, DatabaseBatch } from './disk.ts'
import { readEntries, rowsOf } from './log-reading.ts'
import { indexKey, KEYS_END, readState, recordsOf, stateRecord } from './log-records.ts'
import { scanLog } from './log-recovery.ts'
import type { LogStore, OpenLogOptions, RecoveredLog } from './log-store.ts'
import { contradiction, sameHardState } from './mark.ts'
import type { Mark } from './mark.ts'
import { assertChained, mergeWrites } from './merge-writes.ts'

/** What a log store stands on. It closes them when it is closed. */
export interface LevelLogStoreOptions {
  readonly database: Database
  readonly mark: Mark
  /** For messages: where the data is. */
  readonly path: string
}

/**
 * The log in LevelDB. Every append is one synced batch: a record of the entries (the bytes that go to the
 * peers), what truncation changes, and the log's state; then the mark is written. `log-records.ts` has the
 * layout.
 */
export class LevelLogStore implements LogStore {
  readonly #database: Database
  readonly #mark: Mark
  readonly #path: string
  /** As on disk; undefined until opened. */
  #state: LogState | undefined
  /** Where configuration entries stand, in order. */
  #configurations: LogIndex[] = []
  #appending = false
  #failure: Error | undefined
  /** Grows with each truncation, before and after: a read that saw none in between saw one log. */
  #truncations = 0

  constructor(options: LevelLogStoreOptions) {
    this.#database = options.database
    this.#mark = options.mark
    this.#path = options.path
  }

  /** Makes an empty log whose state machine is in `stateDirectory`: at the first start, once, before it is opened. */
  async create(stateDirectory: string): Promise<void> {
    const state: LogState = {
      batchNumber: 1,
      currentTerm: 0,
      votedFor: undefined,
      firstIndex: 1,
      lastIndex: 0,
      lastChecksum: 0,
      membershipIndex: 0,
      stateDirectory,
      boundary: LOG_START,
    }
    await this.#database
      .batch()
      .put(...stateRecord(state))
      .write({ sync: true })
    this.#mark.write(state)
    await this.#mark.sync()
  }

  async open(options: OpenLogOptions): Promise<RecoveredLog> {
    const state = readState(this.#database, this.#path)
    if (state === undefined) throw damaged(`The log in ${this.#path} has no state record`)
    if (this.#mark.newest === undefined) {
      throw damaged(`The mark in ${this.#path} is missing, or broken in both slots`)
    }
    const wrong = contradiction(state, this.#mark.newest)
    if (wrong !== undefined) throw damaged(`The log in ${this.#path} is not as new as its mark: ${wrong}`)
    const { configurations, ...found } = await scanLog(this.#database, this.#path, state, options)
    this.#state = state
    this.#configurations = configurations
    const hardState: HardState = { currentTerm: state.currentTerm, votedFor: state.votedFor }
    return { ...found, hardState, stateDirectory: state.stateDirectory }
  }

  async append(writes: readonly Write[]): Promise<void> {
    const state = this.#openState()
    if (this.#appending) throw new BrokenInvariantError('One append at a time')
    if (this.#failure !== undefined) throw this.#failure
    const { hardState, entries } = mergeWrites(writes, state.boundary.index, state.lastIndex)
    if (entries.length === 0 && hardState === undefined) return
    this.#appending = true
    try {
      await this.#write(state, hardState ?? state, entries)
    } catch (error) {
      // What was being written may or may not be there: nothing may be built on it.
      this.#failure = error instanceof Error ? error : new Error(String(error))
      throw error
    } finally {
      this.#appending = false
    }
  }

  async read(
    from: LogIndex,
    upTo: LogIndex,
    maxBytes: number,
  ): Promise<{ previous: LogPosition; entries: LogEntry[] }> {
    const { boundary, lastIndex } = this.#openState()
    const truncations = this.#truncations
    const last = Math.min(upTo, lastIndex)
    if (from <= last) {
      try {
        return await readEntries(this.#database, this.#path, boundary, { from, upTo: last, maxBytes })
      } catch (error) {
        if (truncations === this.#truncations && truncations % 2 === 0) throw error
      }
    }
    return { previous: LOG_START, entries: [] }
  }

  async close(): Promise<void> {
    await this.#database.close()
    await this.#mark.close()
  }

  async #write(state: LogState, hardState: HardState, entries: readonly LogEntry[]): Promise<void> {
    const [first] = entries
    const truncates = first !== undefined && first.index <= state.lastIndex
    const batch = this.#database.batch()
    let before = state.lastChecksum
    if (truncates) {
      this.#truncations++
      before = await this.#truncate(batch, first.index, state.boundary)
    }
    if (first !== undefined) assertChained(first, before)
    for (const [key, value] of recordsOf(entries)) batch.put(key, value)
    const configurations = this.#configurationsWith(entries)
    const last = entries[entries.length - 1]
    const next: LogState = {
      ...state,
      batchNumber: state.batchNumber + 1,
      currentTerm: hardState.currentTerm,
      votedFor: hardState.votedFor,
      lastIndex: last?.index ?? state.lastIndex,
      lastChecksum: last?.checksum ?? state.lastChecksum,
      membershipIndex: configurations[configurations.length - 1] ?? 0,
    }
    batch.put(...stateRecord(next))
    await batch.write({ sync: true })
    this.#mark.write(next)
    if (!sameHardState(state, next)) await this.#mark.sync()
    this.#state = next
    this.#configurations = configurations
    if (truncates) this.#truncations++
  }

  /**
   * Takes the entries from `from` on out of the log: the straddling record becomes its prefix, later ones go.
   * Returns the checksum of the last entry that stays.
   */
  async #truncate(batch: DatabaseBatch, from: LogIndex, boundary: LogPosition): Promise<number> {
    const iterator = this.#database.iterator({ gte: indexKey(from), lt: KEYS_END })
    try {
      for (;;) {
        const records = await iterator.nextv(1000)
        if (records.length === 0) break
        for (const [later] of records) batch.del(later)
      }
    } finally {
      await iterator.close()
    }
    if (from - 1 === boundary.index) return boundary.checksum
    const [record] = await rowsOf(this.#database, { lte: indexKey(from - 1), reverse: true }, 1)
    const entries = record === undefined ? [] : decodeEntries(record[1], undefined)
    const staying = entries.filter((entry) => entry.index < from)
    const last = staying[staying.length - 1]
    if (record === undefined || last?.index !== from - 1) {
      throw damaged(`The log in ${this.#path}: entry ${from - 1} is missing`)
    }
    if (staying.length < entries.length) batch.put(record[0], concatEntries(staying))
    return last.checksum
  }

  #configurationsWith(entries: readonly LogEntry[]): LogIndex[] {
    const [first] = entries
    if (first === undefined) return this.#configurations
    const added = entries.filter((entry) => entry.kind === EntryKind.Configuration).map(({ index }) => index)
    if (added.length === 0 && (this.#configurations.at(-1) ?? 0) < first.index) return this.#configurations
    return [...this.#configurations.filter((index) => index < first.index), ...added]
  }

  #openState(): LogState {
    if (this.#state === undefined) throw new BrokenInvariantError('The log is used before it is open')
    return this.#state
  }
}
