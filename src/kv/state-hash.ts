import { decodeMeta, META_KEY, Prefix, prefixBytes } from './layout.ts'
import { nameOf, StoredRecord } from './record.ts'
import { decodeSession } from './session.ts'
import { ElementKind, SetHash } from './set-hash.ts'
import type { StateReader } from './types.ts'

/** Adds a key's record to the hash of the present. A tombstone counts as nothing. */
export function addRecord(hash: SetHash, record: StoredRecord | undefined): void {
  if (record === undefined || record.isTombstone) return
  const { checksum, createRevision, modRevision, version, lease } = record
  hash.add(ElementKind.Key, checksum, modRevision, version, createRevision, lease)
}

/** Takes a key's record out of the hash of the present. */
export function subtractRecord(hash: SetHash, record: StoredRecord | undefined): void {
  if (record === undefined || record.isTombstone) return
  const { checksum, createRevision, modRevision, version, lease } = record
  hash.subtract(ElementKind.Key, checksum, modRevision, version, createRevision, lease)
}

/** The hash over all that replicas at the same applied index have in common, as 16 hexadecimal digits. */
export function combinedHash(
  presentHash: bigint,
  sessionsHash: bigint,
  revision: number,
  clusterTimeMs: number,
): string {
  const store = new SetHash()
  store.add(ElementKind.Store, 0, revision, clusterTimeMs, 0, 0)
  const sum = BigInt.asUintN(64, presentHash + sessionsHash + store.value)
  return sum.toString(16).padStart(16, '0')
}

/**
 * Computes the state hash of the last checkpoint anew, from every record of the store, each of which is checked
 * as it is read. It equals `KvStateMachine.stateHash()` at that checkpoint, or records are missing or too many.
 *
 * @throws DamagedDataError where a record is not what was written under its key.
 */
export async function recomputeStateHash(reader: StateReader): Promise<string> {
  const present = new SetHash()
  for await (const page of reader.scan(prefixBytes(Prefix.Key))) {
    for (const [storeKey, record] of page) {
      const key = storeKey.subarray(1)
      addRecord(present, StoredRecord.decode(nameOf(key), key, record))
    }
  }
  const sessions = new SetHash()
  for await (const page of reader.scan(prefixBytes(Prefix.Session))) {
    for (const [storeKey, record] of page) {
      const session = decodeSession(storeKey, record)
      session.addTo(sessions)
      for (const answer of session.answers()) session.addAnswerTo(sessions, answer)
    }
  }
  const stored = reader.get(META_KEY)
  const { revision, clusterTimeMs } =
    stored === undefined ? { revision: 0, clusterTimeMs: 0 } : decodeMeta(stored)
  return combinedHash(present.value, sessions.value, revision, clusterTimeMs)
}
