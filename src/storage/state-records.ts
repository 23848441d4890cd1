import { decodeMeta, META_KEY } from '../kv/layout.ts'
import { combinedHash, StateHasher } from '../kv/state-hash.ts'
import type { StateReader } from '../kv/types.ts'
import { damaged } from './disk-failure.ts'

/** How many records are checked before others have their turn. */
const SLICE = 100

/**
 * Checks every record of a state store, which may be written to meanwhile: its checksum, and that the hash of all of
 * them is the one of their checkpoint, so that none is missing or too many. Throws DamagedDataError.
 *
 * @param path for messages: where the data is
 * @param pace told of the bytes that were read; resolves when more may be
 */
export async function verifyRecords(
  store: StateReader,
  path: string,
  pace: (bytes: number) => Promise<void>,
): Promise<void> {
  const hasher = new StateHasher()
  let stored: Uint8Array | undefined
  // One scan sees the store as it was at its beginning, whatever is written meanwhile.
  for await (const page of store.scan(new Uint8Array(0))) {
    for (let start = 0; start < page.length; start += SLICE) {
      let bytes = 0
      for (const [key, value] of page.slice(start, start + SLICE)) {
        hasher.add(key, value)
        bytes += key.length + value.length
        if (Buffer.compare(key, META_KEY) === 0) stored = value
      }
      await pace(bytes)
    }
  }
  if (stored === undefined) return
  const meta = decodeMeta(stored)
  if (hasher.hash(meta) !== combinedHash(meta.presentHash, meta.sessionsHash, meta)) {
    throw damaged(`The state in ${path}: records are missing or too many (their hash does not fit)`)
  }
}
