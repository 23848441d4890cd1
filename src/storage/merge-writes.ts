import { BrokenInvariantError } from '../errors.ts'
import type { HardState, LogEntry, LogPosition, LogReset, Write } from '../raft/types.ts'
import { decodeEntries } from '../wire/entry.ts'

/** What several writes come to: the last hard state, and the entries that stand in the end. */
export interface MergedWrite {
  /** Absent: unchanged. */
  readonly hardState: HardState | undefined
  /** Absent: the log begins where it did. Else there are no entries. */
  readonly reset: LogReset | undefined
  /** Consecutive; they replace whatever the log holds from the first one's index on. */
  readonly entries: readonly LogEntry[]
}

/**
 * Merges writes into one: entries that a later write truncates are never written.
 *
 * Throws BrokenInvariantError where the writes leave a gap, reach to or below the boundary, are not chained to
 * each other, or reset the log and do more than that.
 *
 * @param boundary the index before the log's first entry
 * @param last the log's last index
 */
export function mergeWrites(writes: readonly Write[], boundary: number, last: number): MergedWrite {
  let hardState: HardState | undefined
  const entries: LogEntry[] = []
  for (const write of writes) {
    hardState = write.hardState ?? hardState
    if (write.reset !== undefined && (writes.length > 1 || write.entries.length > 0)) {
      throw new BrokenInvariantError('A write that resets the log comes alone')
    }
    for (const [position, entry] of write.entries.entries()) {
      const end = entries.length > 0 ? entries[entries.length - 1]!.index : last
      // Only the first entry of a write may truncate what came before.
      const fits = position === 0 ? entry.index > boundary && entry.index <= end + 1 : entry.index === end + 1
      if (!fits) {
        throw new BrokenInvariantError(
          `Entry ${entry.index} is to be written to a log that holds ${boundary + 1} to ${end}`,
        )
      }
      if (entry.index <= end && entries.length > 0) {
        entries.length = Math.max(0, entry.index - entries[0]!.index)
      }
      const before = entries[entries.length - 1]
      if (position === 0 && before !== undefined) assertChained(entry, before.checksum)
      entries.push(entry)
    }
  }
  return { hardState, reset: writes[0]?.reset, entries }
}

/**
 * Holds an entry to the one that it is to stand after: a log that is not chained would be found only at the
 * next start, when nothing can be done. Throws BrokenInvariantError.
 */
export function assertChained(entry: LogEntry, previousChecksum: number): void {
  try {
    decodeEntries(entry.encoded, previousChecksum)
  } catch (error) {
    throw new BrokenInvariantError(
      `Entry ${entry.index} does not belong after what the log holds before it`,
      {
        cause: error,
      },
    )
  }
}

/** The position of an entry. */
export function positionOf(entry: LogEntry): LogPosition {
  return { index: entry.index, term: entry.term, checksum: entry.checksum }
}
