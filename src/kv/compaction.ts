import type { KeySpace } from './key-space.ts'
import { numberedKey, Prefix } from './layout.ts'
import { decodeLine, type PackDirectory, type PackLine } from './pack-directory.ts'
import { nameOf } from './record.ts'
import type { RevisionMarks } from './revision-marks.ts'
import type { FreedSpace, StateChange, StateReader } from './types.ts'

/** How much one checkpoint deletes beside as much again as twice what it adds: packs, and keys that they name. */
const LEAST_PACKS = 256
const LEAST_DELETIONS = 16_384

/**
 * History up to a revision is given up. That is an entry of the log, after which no replica reads it any more. The
 * packs themselves, and the tombstones that they name, go from the store little by little, with the checkpoints,
 * on each replica at its own pace. So nothing that can be seen may depend on whether they are there.
 */
export class Compaction {
  readonly #marks: RevisionMarks
  /** The oldest revision that can be read. */
  #revision: number

  constructor(revision: number, marks: RevisionMarks) {
    this.#revision = revision
    this.#marks = marks
  }

  get revision(): number {
    return this.#revision
  }

  /**
   * Gives up what was before `revision`; no effect where that is done already.
   *
   * @param current the store's revision
   * @returns false where the revision is in the future; then nothing is done.
   */
  moveTo(revision: number, current: number): boolean {
    if (revision > current) return false
    if (revision > this.#revision) {
      this.#revision = revision
      this.#marks.forget(revision)
    }
    return true
  }
}

/** What may go with a checkpoint: taken out of the directory, to be deleted. */
export function takeCompacted(
  directory: PackDirectory,
  compactedRevision: number,
  written: { readonly packs: number; readonly records: number },
): readonly PackLine[] {
  const most = LEAST_PACKS + 2 * written.packs
  return directory.take(compactedRevision, most, LEAST_DELETIONS + 2 * written.records)
}

/** The space that the deletion of packs frees. */
export function freedSpace(packs: readonly PackLine[]): FreedSpace | undefined {
  const last = packs.at(-1)
  if (last === undefined) return undefined
  const bytes = packs.reduce((sum, pack) => sum + pack.bytes, 0)
  const upTo = numberedKey(Prefix.History, last.firstRevision)
  return { bytes, from: numberedKey(Prefix.History, 0), upTo }
}

/**
 * The deletion of packs, with the tombstones that they name where those are of no use any more: not in the way of
 * a read at the compaction or after it, nor of a key that was created again. To come after the records in a batch.
 */
export function* deletion(
  packs: readonly PackLine[],
  compactedRevision: number,
  reader: StateReader,
  keys: KeySpace,
): Iterable<StateChange> {
  for (const { firstRevision, deletions } of packs) {
    const lineKey = numberedKey(Prefix.Directory, firstRevision)
    const line = deletions === 0 ? undefined : reader.get(lineKey)
    yield [numberedKey(Prefix.History, firstRevision), undefined]
    yield [lineKey, undefined]
    if (line === undefined) continue
    for (const key of decodeLine(lineKey, line).deleted) {
      const record = keys.peek(nameOf(key), key)
      if (record?.isTombstone && record.modRevision <= compactedRevision) yield [record.storeKey, undefined]
    }
  }
}
