import { assert } from '../raft/assert.ts'
import { answerTooLarge, futureRevision } from '../wire/read-request.ts'
import { AnswerSize } from '../wire/result.ts'
import type { History } from './history.ts'
import type { KeySpace } from './key-space.ts'
import { damaged, numberedKey, Prefix } from './layout.ts'
import { type Changes, Pack } from './pack.ts'
import type { PackDirectory } from './pack-directory.ts'
import type { StoredRecord } from './record.ts'
import type { KeyRecord, PastRead, PastRefusal, StateMachine, StateReader } from './types.ts'

/** Packs kept after they were read, in bytes: a read of several keys meets the same ones. */
const KEPT_BYTES = 4 * 1024 * 1024

/** What a look into a pack costs, however small that is, in bytes. */
const LOOK_BYTES = 16 * 1024

/** What a look for a key's present costs, which may be one into the store, beside the bytes of the record. */
const KEY_BYTES = 4 * 1024

/** All of history that can be read: packs in memory and in the store. */
export class Packs {
  readonly #reader: StateReader
  readonly #history: History
  readonly #directory: PackDirectory
  /** By first revision, in the order in which they were read. */
  readonly #kept = new Map<number, Pack>()
  #keptBytes = 0

  constructor(reader: StateReader, history: History, directory: PackDirectory) {
    this.#reader = reader
    this.#history = history
    this.#directory = directory
  }

  /**
   * The pack that a revision's changes are in, which must not be compacted.
   *
   * @throws DamagedDataError where it is not what was written.
   */
  find(revision: number): Changes {
    const line = this.#directory.find(revision)
    if (line !== undefined) return this.#stored(line.firstRevision)
    const changes = this.#history.find(revision)
    assert(changes !== undefined, `history has the changes of revision ${revision}`)
    return changes
  }

  #stored(firstRevision: number): Pack {
    const kept = this.#kept.get(firstRevision)
    if (kept !== undefined) return kept
    const storeKey = numberedKey(Prefix.History, firstRevision)
    const record = this.#reader.get(storeKey)
    if (record === undefined) throw damaged(storeKey, 'it is missing')
    const pack = new Pack(storeKey, record)
    this.#kept.set(firstRevision, pack)
    this.#keptBytes += pack.bytes
    for (const [first, oldest] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES) break
      this.#kept.delete(first)
      this.#keptBytes -= oldest.bytes
    }
    return pack
  }
}

/** A read of keys as they were at a revision. What they were cannot change, so it may take as long as it takes. */
export class PastReading implements PastRead {
  readonly #store: Pick<StateMachine, 'revision' | 'compactedRevision'>
  readonly #present: KeySpace
  readonly #packs: Packs
  readonly #keys: readonly Uint8Array[]
  readonly #revision: number
  readonly #maxBytes: number
  readonly #found: (KeyRecord | undefined)[] = []
  readonly #size: AnswerSize
  #search: KeySearch | undefined

  /**
   * @param keys those that are asked for
   * @param revision as they were then
   * @param maxBytes how many bytes the answer may have
   */
  constructor(
    store: Pick<StateMachine, 'revision' | 'compactedRevision'>,
    present: KeySpace,
    packs: Packs,
    keys: readonly Uint8Array[],
    revision: number,
    maxBytes: number,
  ) {
    this.#store = store
    this.#present = present
    this.#packs = packs
    this.#keys = keys
    this.#revision = revision
    this.#maxBytes = maxBytes
    this.#size = new AnswerSize(revision, maxBytes)
  }

  advance(maxBytes: number): readonly (KeyRecord | undefined)[] | PastRefusal | undefined {
    const refusal = this.#refusal()
    if (refusal !== undefined) return refusal
    let bytes = 0
    while (this.#found.length < this.#keys.length) {
      const key = this.#keys[this.#found.length]!
      if (this.#search === undefined) {
        // The first look is free: most reads ask for one key, and most keys have not changed since.
        if (bytes > 0 && bytes >= maxBytes) return undefined
        this.#search = this.#searchFor(key)
        bytes += KEY_BYTES
      }
      while (!this.#search.done) {
        if (bytes >= maxBytes) return undefined
        bytes += LOOK_BYTES + this.#search.look()
      }
      const { record } = this.#search
      this.#search = undefined
      const found = record === undefined || record.isTombstone ? undefined : record.toKeyRecord()
      if (!this.#size.fits(key, found)) return this.#refused(answerTooLarge(this.#maxBytes))
      bytes += found?.value.length ?? 0
      this.#found.push(found)
    }
    return this.#found
  }

  #searchFor(key: Uint8Array): KeySearch {
    return new KeySearch(this.#packs, key, this.#revision, this.#present.read(key))
  }

  #refusal(): PastRefusal | undefined {
    const { revision, compactedRevision } = this.#store
    const asked = this.#revision
    if (asked < compactedRevision) {
      return {
        refused: 'COMPACTED',
        message: `revision ${asked} has been compacted away: the oldest that can be read is ${compactedRevision}`,
        oldestRevision: compactedRevision,
      }
    }
    return asked <= revision ? undefined : this.#refused(futureRevision(asked, revision))
  }

  #refused(message: string): PastRefusal {
    return { refused: 'INVALID_ARGUMENT', message, oldestRevision: this.#store.compactedRevision }
  }
}

/**
 * The search for one key's record at a revision: what the key's first change after it replaced; where there is no
 * such change, the present.
 *
 * It looks from both ends in turn: from the present back, over the packs that changed the key (each change names
 * what it replaced, and so the revision where that was made), and from the revision on, pack by pack. A key that
 * changes seldom is found soon by the former, one that changes all the time by the latter. Where one pack in n has
 * a change of it, about the lesser of n and a n-th of all packs are read in each direction: no more than the root
 * of their number.
 */
class KeySearch {
  readonly #packs: Packs
  readonly #key: Uint8Array
  readonly #revision: number
  /** Where the search is done: the record of the revision. Good for this turn only, where it is the present. */
  record: StoredRecord | undefined
  done = false
  /** The revision that made what the key was after the earliest change of it that is known. */
  #madeAt = 0
  /** The first revision in which no change of the key was looked for. */
  #from: number
  #backward = true

  constructor(packs: Packs, key: Uint8Array, revision: number, present: StoredRecord | undefined) {
    this.#packs = packs
    this.#key = key
    this.#revision = revision
    this.#from = revision + 1
    this.#know(present)
  }

  /** Looks into one more pack. Returns about how many bytes that has. */
  look(): number {
    const from = this.#backward ? this.#madeAt : this.#from
    const pack = this.#packs.find(from)
    const change = pack.firstChangeAfter(this.#key, this.#revision)
    if (change === undefined) {
      assert(!this.#backward, 'a change stands where it was made')
      this.#from = pack.lastRevision + 1
    } else {
      this.#know(change.previous)
    }
    this.#backward = !this.#backward
    return pack.bytes
  }

  /**
   * A change replaced nothing where there was nothing for a long time: its tombstone may be gone. Of a record that is
   * not the one, only the revision is kept: it may be the present, which is good for this turn only.
   */
  #know(record: StoredRecord | undefined): void {
    this.#madeAt = record?.modRevision ?? 0
    this.done = this.#madeAt <= this.#revision
    if (this.done) this.record = record
  }
}
