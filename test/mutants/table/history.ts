import { tests } from '../mutant.ts'
import type { Mutant } from '../mutant.ts'

const HISTORY = tests('kv/past', 'kv/past-model')

/** Mistakes in reads of older revisions and in the compaction of history. */
export const COMPACTION: readonly Mutant[] = [
  {
    name: 'pack-deleted-that-is-still-needed',
    mistake: 'A pack goes as soon as it begins before the compaction, with the changes after it',
    edits: [
      {
        file: 'src/kv/pack-directory.ts',
        find: `      if (line === undefined || line.lastRevision > compactedRevision) break\n`,
        replace: `      if (line === undefined || line.firstRevision > compactedRevision) break\n`,
      },
    ],
    caughtBy: HISTORY,
  },
  {
    name: 'read-below-compaction-served',
    mistake: 'A read before the compaction is served from packs that happen to be there still',
    edits: [
      {
        file: 'src/kv/past.ts',
        find: `    if (asked < compactedRevision) {\n`,
        replace: `    if (asked < compactedRevision && asked < 0) {\n`,
      },
    ],
    caughtBy: HISTORY,
  },
  {
    name: 'read-at-compaction-refused',
    mistake: 'The revision of the compaction itself cannot be read: off by one',
    edits: [
      {
        file: 'src/kv/past.ts',
        find: `    if (asked < compactedRevision) {\n`,
        replace: `    if (asked <= compactedRevision && compactedRevision > 0) {\n`,
      },
    ],
    caughtBy: HISTORY,
  },
  {
    name: 'tombstone-deleted-too-early',
    mistake: 'With a pack go the tombstones of all keys that it names, those of later deletions too',
    edits: [
      {
        file: 'src/kv/compaction.ts',
        find: `      if (record?.isTombstone && record.modRevision <= compactedRevision) yield [record.storeKey, undefined]\n`,
        replace: `      if (record?.isTombstone && compactedRevision > 0) yield [record.storeKey, undefined]\n`,
      },
    ],
    caughtBy: HISTORY,
  },
  {
    name: 'present-deleted-with-its-tombstone',
    mistake: 'A key that was created again goes with the pack that names its deletion',
    edits: [
      {
        file: 'src/kv/compaction.ts',
        find: `      if (record?.isTombstone && record.modRevision <= compactedRevision) yield [record.storeKey, undefined]\n`,
        replace: `      if (record !== undefined && record.modRevision <= compactedRevision) yield [record.storeKey, undefined]\n`,
      },
    ],
    caughtBy: HISTORY,
  },
  {
    name: 'version-goes-on-over-a-tombstone',
    mistake: 'A key that is created again is another one where its tombstone is still there',
    edits: [
      {
        file: 'src/kv/writes.ts',
        find: `          version: previous.version + 1,\n          lease: 0,\n        }\n      : { createRevision: revision, modRevision: revision, version: 1, lease: 0 }\n`,
        replace:
          `          version: previous.version + 1,\n          lease: 0,\n        }\n` +
          `      : { createRevision: revision, modRevision: revision, version: previous === undefined ? 1 : 2, lease: 0 }\n`,
      },
    ],
    caughtBy: HISTORY,
  },
  {
    name: 'change-at-the-revision-undone',
    mistake: 'A read at a revision shows what was before the change of that very revision: off by one',
    edits: [
      {
        file: 'src/kv/pack.ts',
        find: `      if (order < 0 || (order === 0 && change.revision <= revision)) low = middle + 1\n`,
        replace: `      if (order < 0 || (order === 0 && change.revision < revision)) low = middle + 1\n`,
      },
    ],
    caughtBy: HISTORY,
  },
  {
    name: 'compaction-forgotten-at-restart',
    mistake: 'A node that comes back serves what was given up, as far as it still has it',
    edits: [
      {
        file: 'src/kv/state-machine.ts',
        find: `    this.#compaction = new Compaction(meta.compactedRevision, this.#marks)\n`,
        replace: `    this.#compaction = new Compaction(Math.min(meta.compactedRevision, 0), this.#marks)\n`,
      },
    ],
    caughtBy: HISTORY,
  },
  {
    name: 'compaction-of-the-future',
    mistake: 'A compaction takes any revision, and what is written later cannot be read at its own',
    edits: [
      {
        file: 'src/kv/compaction.ts',
        find: `    if (revision > current) return false\n`,
        replace: `    if (revision > current + 1000) return false\n`,
      },
    ],
    caughtBy: HISTORY,
  },
]
