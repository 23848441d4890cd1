import { EntryKind, LOG_START } from '../../src/raft/types.ts'
import type { HardState, LogEntry, LogPosition, Write } from '../../src/raft/types.ts'
import { sealEntries } from '../../src/wire/entry.ts'

/** `count` commands of one term after `previous`, with data that says where they stand. */
export function commands(previous: LogPosition, term: number, count: number, bytes = 0): readonly LogEntry[] {
  const proposals = Array.from({ length: count }, (_, i) => ({
    kind: EntryKind.Command,
    data: Buffer.from(`${previous.index + 1 + i}@${term}`.padEnd(bytes, '.')),
  }))
  return sealEntries(previous, term, proposals)
}

/** The position of the last of these entries. */
export function endOf(entries: readonly LogEntry[]): LogPosition {
  const last = entries[entries.length - 1]
  return last === undefined ? LOG_START : { index: last.index, term: last.term, checksum: last.checksum }
}

/** The position of the entry with this index, of entries that begin at 1. */
export function positionAt(entries: readonly LogEntry[], index: number): LogPosition {
  const entry = entries[index - 1]
  return entry === undefined ? LOG_START : { index, term: entry.term, checksum: entry.checksum }
}

/** A write of entries. The stores do not look at its id. */
export function write(entries: readonly LogEntry[], hardState?: HardState): Write {
  return { id: 1, hardState, reset: undefined, entries }
}
