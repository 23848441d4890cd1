import { decodeMeta, META_KEY, numberedKey, Prefix } from '../kv/layout.ts'
import { Pack } from '../kv/pack.ts'
import type { Database, DatabaseBatch } from './disk.ts'

const PAGE_ROWS = 16

/**
 * Takes back what a crash left of a checkpoint that it cut off. The packs of history that are newer than the state
 * were written before the keys that they tell of, and hold what each change replaced: so the first change of a key in
 * them has what it was. Nothing else of a checkpoint is written before its last batch.
 *
 * One synced batch, like any other: cut off in its turn, it is made again. Rejects with DamagedDataError where a pack or
 * the record about it all cannot be trusted, and as the database does.
 */
export async function takeBackUnfinished(database: Database): Promise<void> {
  const meta = database.getSync(META_KEY)
  const revision = meta === undefined ? 0 : decodeMeta(meta).revision
  const batch = database.batch()
  const seen = new Set<string>()
  let found = false
  for await (const [storeKey, record] of newerThan(database, Prefix.History, revision)) {
    found = true
    takeBack(new Pack(storeKey, record), batch, seen)
    batch.del(storeKey)
  }
  for await (const [storeKey] of newerThan(database, Prefix.Directory, revision)) {
    found = true
    batch.del(storeKey)
  }
  if (found) await batch.write({ sync: true })
}

function takeBack(pack: Pack, batch: DatabaseBatch, seen: Set<string>): void {
  for (const { key, previous } of pack.changes()) {
    const name = key.toString('latin1')
    if (seen.has(name)) continue
    seen.add(name)
    if (previous === undefined) batch.del(Buffer.concat([Buffer.of(Prefix.Key), key]))
    else batch.put(...previous.change)
  }
}

/** The rows of a kind that is numbered by revisions. */
async function* newerThan(
  database: Database,
  prefix: number,
  revision: number,
): AsyncIterable<[Uint8Array, Uint8Array]> {
  const range = { gt: numberedKey(prefix, revision), lte: numberedKey(prefix, Number.MAX_SAFE_INTEGER) }
  const iterator = database.iterator(range)
  try {
    for (;;) {
      const page = await iterator.nextv(PAGE_ROWS)
      if (page.length === 0) return
      yield* page
    }
  } finally {
    await iterator.close()
  }
}
