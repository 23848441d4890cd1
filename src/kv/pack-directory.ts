import { Writer } from '../wire/protobuf.ts'
import type { ClosedPack } from './history.ts'
import { damaged, keyNumber, META_KEY, numberedKey, openRecord } from './layout.ts'
import { type Meta, Prefix, prefixBytes, sealedRecord } from './layout.ts'
import type { StateChange, StateReader } from './types.ts'

/** Where a pack is, and how many keys it names that were deleted in it. */
export interface PackLine {
  readonly firstRevision: number
  readonly lastRevision: number
  readonly deletions: number
  /** How many bytes the pack has. */
  readonly bytes: number
}

/**
 * Which packs of history the store holds: one line a pack, in memory as in the store, so that a revision's pack is
 * found without a search in the store, and a pack is deleted, with the tombstones that it names, without being read.
 */
export class PackDirectory {
  /** In the order of revisions, each where the one before it ends. */
  #lines: PackLine[] = []

  /**
   * The directory as the store has it.
   *
   * @throws DamagedDataError where it does not name all packs from the compaction on.
   */
  static async restore(reader: StateReader, meta: Meta): Promise<PackDirectory> {
    const directory = new PackDirectory()
    const lines = directory.#lines
    for await (const page of reader.scan(prefixBytes(Prefix.Directory))) {
      for (const [storeKey, record] of page) {
        const { line } = decodeLine(storeKey, record)
        const before = lines.at(-1)
        if (before !== undefined && line.firstRevision !== before.lastRevision + 1)
          throw damaged(storeKey, 'packs of history are missing before it')
        lines.push(line)
      }
    }
    const first = lines[0]?.firstRevision ?? meta.revision + 1
    const last = lines.at(-1)?.lastRevision ?? meta.revision
    if (first > meta.compactedRevision + 1 || last !== meta.revision)
      throw damaged(META_KEY, 'packs of history are missing')
    return directory
  }

  get size(): number {
    return this.#lines.length
  }

  /** Packs were written, the next ones after the last. */
  add(packs: readonly PackLine[]): void {
    for (const { firstRevision, lastRevision, deletions, bytes } of packs)
      this.#lines.push({ firstRevision, lastRevision, deletions, bytes })
  }

  /** The pack that a revision's changes are in; undefined where it is not in the store. */
  find(revision: number): PackLine | undefined {
    let low = 0
    let high = this.#lines.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#lines[middle]!.lastRevision < revision) low = middle + 1
      else high = middle
    }
    const found = this.#lines[low]
    return found !== undefined && found.firstRevision <= revision ? found : undefined
  }

  /**
   * Takes out the oldest packs that hold nothing after `compactedRevision`.
   *
   * @param most so many of them at most
   * @param deletions and so many that they name so many deleted keys, about
   */
  take(compactedRevision: number, most: number, deletions: number): readonly PackLine[] {
    let count = 0
    let named = 0
    while (count < most && named < deletions) {
      const line = this.#lines[count]
      if (line === undefined || line.lastRevision > compactedRevision) break
      named += line.deletions
      count++
    }
    return this.#lines.splice(0, count)
  }
}

/**
 * Encodes a pack's line in the directory:
 *
 *     message PackLine {
 *       uint64 last_revision = 1;
 *       repeated bytes deleted = 2;  // the keys that were deleted in it
 *       uint64 bytes = 3;            // of the pack
 *       fixed32 checksum = 15;       // see seal() in layout.ts
 *     }
 */
export function encodeLine({ firstRevision, lastRevision, deleted, bytes }: ClosedPack): StateChange {
  const storeKey = numberedKey(Prefix.Directory, firstRevision)
  const writer = new Writer(24 + deleted.reduce((sum, name) => sum + 4 + name.length, 0))
  writer.uint(1, lastRevision)
  for (const name of deleted) writer.bytes(2, Buffer.from(name, 'latin1'))
  writer.uint(3, bytes)
  return [storeKey, sealedRecord(storeKey, writer.finish())]
}

/** Decodes it. Throws a DamagedDataError where it is not what was written. */
export function decodeLine(
  storeKey: Uint8Array,
  record: Uint8Array,
): { readonly line: PackLine; readonly deleted: readonly Buffer[] } {
  const firstRevision = keyNumber(storeKey)
  const reader = openRecord(storeKey, record)
  let lastRevision = 0
  let bytes = 0
  const deleted: Buffer[] = []
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) lastRevision = reader.uint()
    else if (tag === 0x12) deleted.push(reader.bytes())
    else if (tag === 0x18) bytes = reader.uint()
    else reader.skip(tag)
  }
  if (lastRevision < firstRevision) throw damaged(storeKey, 'it is no line of the directory of packs')
  return { line: { firstRevision, lastRevision, deletions: deleted.length, bytes }, deleted }
}
