import type { LogIndex, LogPosition } from '../raft/types.ts'
import type { Database } from './disk.ts'
import { indexKey, indexOfKey } from './log-records.ts'

/** Places to cut are about so far apart, in bytes of entries; so much goes in one piece at the least. */
export const CUT_STEP_BYTES = 256 * 1024

/**
 * A piece reaches over so many places at most, and takes so many records at most where it reaches over more than one.
 * One piece goes with every second append, and an append may bring more than one step.
 */
const MOST_PLACES = 64
const MOST_RECORDS = 1000

interface CutPoint {
  readonly position: LogPosition
  /** Bytes of entries up to there, counted from where the counting began. */
  readonly bytes: number
}

/**
 * Where a log can be cut: at the end of a record, now and then, so that a long log costs little memory. A record
 * is never taken apart for it; the one in which the cut would fall stays whole.
 */
export class CutPoints {
  readonly #stepBytes: number
  #points: CutPoint[] = []
  #begin = 0
  #end = 0

  constructor(stepBytes = CUT_STEP_BYTES) {
    this.#stepBytes = stepBytes
  }

  /** How many bytes of entries the log has, about. */
  get bytes(): number {
    return this.#end - this.#begin
  }

  /** A record of so many bytes was added, whose last entry this is. */
  added(last: LogPosition, bytes: number): void {
    this.#end += bytes
    if (this.#end - (this.#points.at(-1)?.bytes ?? this.#begin) < this.#stepBytes) return
    const { index, term, checksum } = last
    this.#points.push({ position: { index, term, checksum }, bytes: this.#end })
  }

  /** The entries from `from` on are gone. */
  truncated(from: LogIndex): void {
    const kept = this.#points.findLastIndex(({ position }) => position.index < from) + 1
    if (kept === this.#points.length) return
    this.#points.length = kept
    this.#end = this.#points.at(-1)?.bytes ?? this.#begin
  }

  /** The entries up to `upTo` are gone. */
  cut(upTo: LogIndex): void {
    const gone = this.#points.findLastIndex(({ position }) => position.index <= upTo) + 1
    this.#begin = this.#points[gone - 1]?.bytes ?? this.#begin
    this.#points = this.#points.slice(gone)
  }

  /** The last place at or before `upTo` with at least `keepBytes` behind it. */
  find(upTo: LogIndex, keepBytes: number): LogPosition | undefined {
    return this.#points.findLast(
      ({ position, bytes }) => position.index <= upTo && this.#end - bytes >= keepBytes,
    )?.position
  }

  /** The first places, none of them behind `upTo`: what a piece may reach over. */
  next(upTo: LogIndex): readonly LogPosition[] {
    const places = this.#points.slice(0, MOST_PLACES).map(({ position }) => position)
    return places.filter(({ index }) => index <= upTo)
  }
}

/** Whole records at the begin of the log, which go in one batch. */
export interface CutPiece {
  readonly keys: readonly Uint8Array[]
  /** The last entry that goes with them. */
  readonly boundary: LogPosition
}

/**
 * Finds the next piece, which begins with entry `from`.
 *
 * @param places where it may end, in order; at least one
 */
export async function nextPiece(
  database: Database,
  from: LogIndex,
  places: readonly LogPosition[],
): Promise<CutPiece> {
  const last = places.at(-1)!
  const keys = await keysBetween(database, from, last.index, MOST_RECORDS)
  if (keys.length < MOST_RECORDS) return { keys, boundary: last }
  const unsure = indexOfKey(keys.at(-1)!)
  const boundary = places.findLast(({ index }) => index < unsure)
  if (boundary !== undefined)
    return { keys: keys.filter((key) => indexOfKey(key) <= boundary.index), boundary }
  const first = places[0]!
  return { keys: await keysBetween(database, from, first.index), boundary: first }
}

/** Finds the records between two places in the log, so many at most: their keys, the entries are not read. */
export async function keysBetween(
  database: Database,
  from: LogIndex,
  upTo: LogIndex,
  limit = Infinity,
): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = []
  const iterator = database.iterator({ gte: indexKey(from), lte: indexKey(upTo), limit, keysOnly: true })
  try {
    for (;;) {
      const page = await iterator.nextv(1000)
      if (page.length === 0) return keys
      for (const [key] of page) keys.push(key)
    }
  } finally {
    await iterator.close()
  }
}
