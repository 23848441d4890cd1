import { Cursor, FormatError } from './format.ts'

/** Tags of a version edit (version_edit.cc). */
const Tag = {
  Comparator: 1,
  LogNumber: 2,
  NextFileNumber: 3,
  LastSequence: 4,
  CompactPointer: 5,
  DeletedFile: 6,
  NewFile: 7,
  PreviousLogNumber: 9,
} as const

const COMPARATOR = 'leveldb.BytewiseComparator'

/** A table as MANIFEST names it. The keys are internal ones: with sequence and type. */
export interface TableEntry {
  readonly number: number
  readonly size: number
  readonly smallest: Buffer
  readonly largest: Buffer
}

/** What MANIFEST comes to: the files that are the database. */
export interface Manifest {
  /** By number. */
  readonly tables: ReadonlyMap<number, TableEntry>
  /** Write-ahead files from this number on are part of the database. 0: none is yet. */
  readonly logNumber: number
  readonly lastSequence: number
}

/** Replays the version edits of a MANIFEST. Throws a FormatError where LevelDB would, or should. */
export function replayManifest(edits: readonly Buffer[]): Manifest {
  const tables = new Map<number, TableEntry>()
  let logNumber: number | undefined
  let lastSequence: number | undefined
  let nextFile: number | undefined
  for (const edit of edits) {
    const cursor = new Cursor(edit)
    // A moved table is deleted from one level and new at another, in one edit.
    const gone: number[] = []
    const added: TableEntry[] = []
    while (!cursor.done) {
      const tag = cursor.uint()
      if (tag === Tag.Comparator) {
        const name = cursor.bytes().toString('latin1')
        if (name !== COMPARATOR) throw new FormatError(`its keys are ordered by ${name}`)
      } else if (tag === Tag.LogNumber) logNumber = cursor.uint()
      else if (tag === Tag.PreviousLogNumber) cursor.uint()
      else if (tag === Tag.NextFileNumber) nextFile = cursor.uint()
      else if (tag === Tag.LastSequence) lastSequence = cursor.uint()
      else if (tag === Tag.CompactPointer) {
        cursor.uint()
        cursor.bytes()
      } else if (tag === Tag.DeletedFile) {
        cursor.uint()
        gone.push(cursor.uint())
      } else if (tag === Tag.NewFile) {
        cursor.uint()
        added.push({
          number: cursor.uint(),
          size: cursor.uint(),
          smallest: cursor.bytes(),
          largest: cursor.bytes(),
        })
      } else throw new FormatError(`it has an edit with the unknown tag ${tag}`)
    }
    for (const number of gone) tables.delete(number)
    for (const table of added) tables.set(table.number, table)
  }
  if (logNumber === undefined || lastSequence === undefined || nextFile === undefined) {
    throw new FormatError('it has no whole version of the database')
  }
  return { tables, logNumber, lastSequence }
}
