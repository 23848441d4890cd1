import { checkSeal, META_KEY } from '../../kv/layout.ts'
import type { DatabaseIterator, DatabaseRange, DatabaseSnapshot } from '../disk.ts'
import { ChunkWriter, startOf } from './chunk.ts'
import { decodeSnapshotMeta } from './meta.ts'
import type { SnapshotChunk, SnapshotCursor, SnapshotMeta, StateSnapshot } from './snapshot.ts'

const PAGE_ROWS = 1000

/**
 * The state snapshot over what a store's database held at one moment, which it closes. Undefined where no checkpoint
 * was written yet. Throws DamagedDataError where the record about it all cannot be trusted.
 */
export async function openSnapshot(rows: DatabaseSnapshot): Promise<StateSnapshot | undefined> {
  try {
    const encoded = await rows.get(META_KEY)
    if (encoded !== undefined) return new StoreSnapshot(rows, decodeSnapshotMeta(encoded))
  } catch (error) {
    await rows.close()
    throw error
  }
  await rows.close()
  return undefined
}

class StoreSnapshot implements StateSnapshot {
  readonly meta: SnapshotMeta
  readonly #rows: DatabaseSnapshot

  constructor(rows: DatabaseSnapshot, meta: SnapshotMeta) {
    this.#rows = rows
    this.meta = meta
  }

  async *chunks(from?: SnapshotCursor): AsyncGenerator<SnapshotChunk> {
    const start = from ?? startOf(this.meta)
    const iterator = this.#rows.iterator(rangeFrom(start))
    try {
      yield* chunksOf(iterator, start)
    } finally {
      await iterator.close()
    }
  }

  close(): Promise<void> {
    return this.#rows.close()
  }
}

function rangeFrom({ chunks, lastKey, cutAt }: SnapshotCursor): DatabaseRange {
  if (chunks === 0) return {}
  return cutAt > 0 ? { gte: lastKey } : { gt: lastKey }
}

async function* chunksOf(iterator: DatabaseIterator, start: SnapshotCursor): AsyncGenerator<SnapshotChunk> {
  let chunk = new ChunkWriter(start)
  let from = start.cutAt
  for (;;) {
    const page = await iterator.nextv(PAGE_ROWS)
    if (page.length === 0) break
    for (const [key, value] of page) {
      // Whoever builds writes this record when all the others are there.
      if (META_KEY.every((byte, i) => byte === key[i]) && key.length === META_KEY.length) continue
      checkSeal(key, value)
      do {
        from = chunk.add(key, value, from)
        if (chunk.full) {
          const finished = chunk.finish(false)
          chunk = new ChunkWriter(finished.end)
          yield finished
        }
      } while (from < value.length)
      from = 0
    }
  }
  yield chunk.finish(true)
}
