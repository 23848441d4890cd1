import { checkSeal, decodeMeta, type Meta, META_KEY, Prefix, prefixBytes } from './layout.ts'
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

/** What replicas have in common beside what they store. */
export type StorePosition = Pick<Meta, 'revision' | 'compactedRevision' | 'clusterTimeMs'>

const BEGINNING: StorePosition = Object.freeze({ revision: 0, compactedRevision: 0, clusterTimeMs: 0 })

/** The hash over all that replicas at the same applied index have in common, as 16 hexadecimal digits. */
export function combinedHash(presentHash: bigint, sessionsHash: bigint, position: StorePosition): string {
  const { revision, clusterTimeMs, compactedRevision } = position
  const store = new SetHash()
  store.add(ElementKind.Store, 0, revision, clusterTimeMs, compactedRevision, 0)
  const sum = BigInt.asUintN(64, presentHash + sessionsHash + store.value)
  return sum.toString(16).padStart(16, '0')
}

/** Computes the hash of a state anew, from the rows of its store, in any order. */
export class StateHasher {
  readonly #present = new SetHash()
  readonly #sessions = new SetHash()
  #keys = 0
  #sessionCount = 0

  /** How many keys were counted in, without tombstones. */
  get keys(): number {
    return this.#keys
  }

  /** How many sessions were counted in. */
  get sessions(): number {
    return this.#sessionCount
  }

  /**
   * Counts a row in, whatever it is of.
   *
   * @throws DamagedDataError where it is not what was written under its key.
   */
  add(storeKey: Uint8Array, record: Uint8Array): void {
    if (storeKey[0] === Prefix.Key) {
      const key = storeKey.subarray(1)
      const decoded = StoredRecord.decode(nameOf(key), key, record)
      if (!decoded.isTombstone) this.#keys++
      addRecord(this.#present, decoded)
    } else if (storeKey[0] === Prefix.Session) {
      const session = decodeSession(storeKey, record)
      this.#sessionCount++
      session.addTo(this.#sessions)
      for (const answer of session.answers()) session.addAnswerTo(this.#sessions, answer)
    } else {
      checkSeal(storeKey, record)
    }
  }

  /** The hash of all that was counted in, of a store at this position. */
  hash(position: StorePosition): string {
    return combinedHash(this.#present.value, this.#sessions.value, position)
  }
}

/**
 * Computes the state hash of the last checkpoint anew, from every record of the store, each of which is checked
 * as it is read. It equals `KvStateMachine.stateHash()` at that checkpoint, or records are missing or too many.
 *
 * @throws DamagedDataError where a record is not what was written under its key.
 */
export async function recomputeStateHash(reader: StateReader): Promise<string> {
  const hasher = new StateHasher()
  for (const prefix of [Prefix.Key, Prefix.Session]) {
    for await (const page of reader.scan(prefixBytes(prefix))) {
      for (const [storeKey, record] of page) hasher.add(storeKey, record)
    }
  }
  const stored = reader.get(META_KEY)
  return hasher.hash(stored === undefined ? BEGINNING : decodeMeta(stored))
}
