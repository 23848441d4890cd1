import type { LogIndex, LogPosition } from '../raft/types.ts'
import type { Database } from './disk.ts'
import { indexKey } from './log-records.ts'

/** Places to cut are about so far apart, in bytes of entries; so much goes in one piece. */
export const CUT_STEP_BYTES = 256 * 1024

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

  /** The first place. */
  get first(): LogPosition | undefined {
    return this.#points[0]?.position
  }
}

/** Whole records at the begin of the log, which go in one batch. */
export interface CutPiece {
  readonly keys: readonly Uint8Array[]
  /** The last entry that goes with them. */
  readonly boundary: LogPosition
}

/** Finds the records between two places in the log: their keys, the entries are not read. */
export async function keysBetween(database: Database, from: LogIndex, upTo: LogIndex): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = []
  const iterator = database.iterator({ gte: indexKey(from), lte: indexKey(upTo), keysOnly: true })
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
