import { BrokenInvariantError } from '../errors.ts'
import type { HardState, LogEntry, LogIndex, LogPosition, LogReset, Write } from '../raft/types.ts'
import { EntryKind, LOG_START } from '../raft/types.ts'
import { concatEntries, decodeEntries } from '../wire/entry.ts'
import type { LogState } from '../wire/log-state.ts'
import { damaged } from './disk-failure.ts'
import type { Database, DatabaseBatch } from './disk.ts'
import { CutPoints, keysBetween, nextPiece } from './log-cutting.ts'
import type { CutPiece } from './log-cutting.ts'
import { readEntries, rowsOf } from './log-reading.ts'
import { ENTRY_KEYS, indexKey, readState, recordsBackFrom, recordsOf, stateRecord } from './log-records.ts'
import { scanLog } from './log-recovery.ts'
import type { LogStore, OpenLogOptions, RecoveredLog } from './log-store.ts'
import { contradiction, sameHardState } from './mark.ts'
import type { Mark } from './mark.ts'
import { assertChained, mergeWrites } from './merge-writes.ts'

/**
 * When so much was cut off, LevelDB is told to give the space back. By itself it may leave it taken for gigabytes: what is
 * gone lies in tables at the low end of the keys, and it looks where something is written.
 */
const RECLAIM_BYTES = 128 * 1024 * 1024

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
  #underWay = Promise.resolve()
  #failure: Error | undefined
  #cutPoints = new CutPoints()
  /** Up to where the log is to be cut; undefined: it is. */
  #cutTarget: LogPosition | undefined
  /** What goes with the next append. */
  #piece: CutPiece | undefined
  #preparing = false
  /** How many bytes were cut off since LevelDB was last told to give their space back. */
  #goneBytes = 0
  #reclaiming = false
  /** Grows with each truncation, before and after: a read that saw none in between saw one log. */
  #truncations = 0

  constructor(options: LevelLogStoreOptions) {
    this.#database = options.database
    this.#mark = options.mark
    this.#path = options.path
  }

  /**
   * Makes an empty log whose state machine is in `stateDirectory`: at the first start, once, before it is opened.
   *
   * @param boundary what that state holds already
   */
  async create(stateDirectory: string, boundary: LogPosition = LOG_START): Promise<void> {
    const state: LogState = {
      batchNumber: 1,
      currentTerm: boundary.term,
      votedFor: undefined,
      firstIndex: boundary.index + 1,
      lastIndex: boundary.index,
      lastChecksum: boundary.checksum,
      membershipIndex: 0,
      stateDirectory,
      boundary,
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
    this.#cutPoints = new CutPoints(options.cutStepBytes)
    const { configurations, ...found } = await scanLog(this.#database, this.#path, state, {
      ...options,
      recordRead: (last, bytes) => this.#cutPoints.added(last, bytes),
    })
    this.#state = state
    this.#configurations = configurations
    const hardState: HardState = { currentTerm: state.currentTerm, votedFor: state.votedFor }
    return { ...found, hardState, stateDirectory: state.stateDirectory }
  }

  async append(writes: readonly Write[]): Promise<void> {
    const state = this.#openState()
    if (this.#appending) throw new BrokenInvariantError('One append at a time')
    if (this.#failure !== undefined) throw this.#failure
    const { hardState, reset, entries } = mergeWrites(writes, state.boundary.index, state.lastIndex)
    const nothing = entries.length === 0 && hardState === undefined && reset === undefined
    if (nothing && this.#piece === undefined) return
    this.#appending = true
    const work =
      reset === undefined
        ? this.#write(state, hardState ?? state, entries)
        : this.#reset(state, hardState ?? state, reset)
    this.#underWay = work.catch(() => {})
    try {
      await work
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
    if (from < 1) throw new BrokenInvariantError(`Entry ${from} is wanted, but the log begins after 0`)
    const truncations = this.#truncations
    const last = Math.min(upTo, lastIndex)
    if (from <= last && from > boundary.index) {
      try {
        return await readEntries(this.#database, this.#path, boundary, { from, upTo: last, maxBytes })
      } catch (error) {
        if (truncations === this.#truncations && truncations % 2 === 0) {
          // What stood before it may just have been cut.
          if (boundary === this.#openState().boundary && (this.#piece === undefined || !this.#appending))
            throw error
          await this.#underWay
          return this.read(from, upTo, maxBytes)
        }
      }
    }
    return { previous: LOG_START, entries: [] }
  }

  get bytes(): number {
    return this.#cutPoints.bytes
  }

  cutPoint(upTo: LogIndex, keepBytes: number): LogPosition | undefined {
    return this.#cutPoints.find(upTo, keepBytes)
  }

  cut(upTo: LogPosition): void {
    if (upTo.index <= (this.#cutTarget?.index ?? this.#openState().boundary.index)) return
    this.#cutTarget = upTo
    this.#prepareCut()
  }

  get cutReady(): boolean {
    return this.#piece !== undefined
  }

  async close(): Promise<void> {
    await this.#database.close()
    await this.#mark.close()
  }

  /** Looks for the next piece that is to go, beside whatever else is done. */
  #prepareCut(): void {
    const { boundary } = this.#openState()
    const target = this.#cutTarget
    if (this.#preparing || this.#piece !== undefined || target === undefined) return
    const places = this.#cutPoints.next(target.index)
    if (places.length === 0) {
      this.#cutTarget = undefined
      return
    }
    this.#preparing = true
    nextPiece(this.#database, boundary.index + 1, places).then(
      (piece) => {
        this.#preparing = false
        // A reset may have come in between.
        if (boundary === this.#openState().boundary) this.#piece = piece
        else this.#prepareCut()
      },
      (error: unknown) => {
        this.#failure = error instanceof Error ? error : new Error(String(error))
      },
    )
  }

  async #write(state: LogState, hardState: HardState, entries: readonly LogEntry[]): Promise<void> {
    const [first] = entries
    const piece = this.#piece
    const boundary = piece?.boundary ?? state.boundary
    const truncates = first !== undefined && first.index <= state.lastIndex
    const batch = this.#database.batch()
    let before = state.lastChecksum
    if (truncates) {
      this.#truncations++
      before = await this.#truncate(batch, first.index, state.boundary)
    }
    if (first !== undefined) assertChained(first, before)
    for (const key of piece?.keys ?? []) batch.del(key)
    for (const [key, value] of recordsOf(entries)) batch.put(key, value)
    const configurations = this.#configurationsWith(entries)
    const last = entries[entries.length - 1]
    // Written out, not spread: V8 takes a microsecond for each property that follows a spread.
    const next: LogState = {
      batchNumber: state.batchNumber + 1,
      currentTerm: hardState.currentTerm,
      votedFor: hardState.votedFor,
      firstIndex: boundary.index + 1,
      lastIndex: last?.index ?? state.lastIndex,
      lastChecksum: last?.checksum ?? state.lastChecksum,
      membershipIndex: configurations[configurations.length - 1] ?? 0,
      stateDirectory: state.stateDirectory,
      boundary,
    }
    await this.#commit(batch, state, next)
    this.#configurations = configurations
    if (truncates) {
      this.#cutPoints.truncated(first.index)
      this.#truncations++
    }
    if (last !== undefined) this.#cutPoints.added(last, sizeOf(entries))
    if (piece !== undefined) {
      this.#piece = undefined
      this.#cutOff(boundary.index)
      this.#prepareCut()
    }
  }

  /** The entries up to `upTo` are gone. */
  #cutOff(upTo: LogIndex): void {
    const before = this.#cutPoints.bytes
    this.#cutPoints.cut(upTo)
    this.#goneBytes += before - this.#cutPoints.bytes
    if (this.#goneBytes < RECLAIM_BYTES || this.#reclaiming) return
    this.#goneBytes = 0
    this.#reclaiming = true
    const done = (): void => {
      this.#reclaiming = false
    }
    // Where it fails, nothing but space is lost; a disk that is broken fails the next append.
    this.#database.compactRange(ENTRY_KEYS.gte, indexKey(upTo)).then(done, done)
  }

  /** The batch becomes durable, then the mark says that it is. */
  async #commit(batch: DatabaseBatch, state: LogState, next: LogState): Promise<void> {
    batch.put(...stateRecord(next))
    await batch.write({ sync: true })
    this.#mark.write(next)
    if (!sameHardState(state, next)) await this.#mark.sync()
    this.#state = next
  }

  /** The log begins behind a snapshot, whose state is in force from then on: in one batch, or not at all. */
  async #reset(state: LogState, hardState: HardState, reset: LogReset): Promise<void> {
    const { boundary, keepSuffix, directory } = reset
    if (boundary.index <= state.boundary.index) {
      throw new BrokenInvariantError(
        `The log begins behind ${state.boundary.index} and is to be reset to ${boundary.index}`,
      )
    }
    this.#truncations++
    const batch = this.#database.batch()
    const gone = await keysBetween(this.#database, 0, keepSuffix ? boundary.index : Number.MAX_SAFE_INTEGER)
    for (const key of gone) batch.del(key)
    if (keepSuffix) await this.#keepRest(batch, boundary)
    const kept = this.#configurations.filter((index) => index <= boundary.index || keepSuffix)
    await this.#commit(batch, state, {
      ...state,
      batchNumber: state.batchNumber + 1,
      currentTerm: hardState.currentTerm,
      votedFor: hardState.votedFor,
      firstIndex: boundary.index + 1,
      lastIndex: keepSuffix ? state.lastIndex : boundary.index,
      lastChecksum: keepSuffix ? state.lastChecksum : boundary.checksum,
      membershipIndex: kept[kept.length - 1] ?? 0,
      stateDirectory: directory,
      boundary,
    })
    this.#configurations = kept
    this.#piece = this.#cutTarget = undefined
    this.#cutOff(boundary.index)
    if (!keepSuffix) this.#cutPoints.truncated(0)
    this.#truncations++
  }

  /** Of the record that holds the boundary, what comes behind it becomes a record of its own. */
  async #keepRest(batch: DatabaseBatch, boundary: LogPosition): Promise<void> {
    const [record] = await rowsOf(this.#database, recordsBackFrom(boundary.index), 1)
    const entries = record === undefined ? [] : decodeEntries(record[1], undefined)
    const at = entries.findIndex(({ index }) => index === boundary.index)
    const held = entries[at]
    if (held === undefined || held.term !== boundary.term || held.checksum !== boundary.checksum) {
      throw damaged(`The log in ${this.#path}: entry ${boundary.index} is not the one that it held`)
    }
    const rest = entries.slice(at + 1)
    if (rest.length > 0) batch.put(indexKey(boundary.index + 1), concatEntries(rest))
  }

  /**
   * Takes the entries from `from` on out of the log: the straddling record becomes its prefix, later ones go.
   * Returns the checksum of the last entry that stays.
   */
  async #truncate(batch: DatabaseBatch, from: LogIndex, boundary: LogPosition): Promise<number> {
    const iterator = this.#database.iterator({ ...ENTRY_KEYS, gte: indexKey(from) })
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
    const [record] = await rowsOf(this.#database, recordsBackFrom(from - 1), 1)
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

function sizeOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, entry) => sum + entry.size, 0)
}
