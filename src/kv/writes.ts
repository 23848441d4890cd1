import type { Compaction } from './compaction.ts'
import type { History } from './history.ts'
import type { KeySpace } from './key-space.ts'
import { nameOf, type RecordNumbers, type StoredRecord } from './record.ts'
import type { SetHash } from './set-hash.ts'
import { addRecord, subtractRecord } from './state-hash.ts'
import type { Expectation, Operation } from './types.ts'

/** What an operation did. */
export interface Outcome {
  /** The store's revision after it; the one before it where it changed nothing. */
  readonly revision: number
  readonly succeeded: boolean
  /** Of a compare-and-swap that did not succeed: what was there. Good until the next operation. */
  readonly current: StoredRecord | undefined
}

/** A key with what it was before the operation. Found before anything is changed, so that all or nothing is. */
interface Target {
  readonly name: string
  readonly key: Uint8Array
  readonly previous: StoredRecord | undefined
}

/** What the operations do to the keys: present, history and hash, always all three. */
export class Writes {
  readonly #keys: KeySpace
  readonly #history: History
  readonly #hash: SetHash
  readonly #compaction: Compaction

  constructor(keys: KeySpace, history: History, hash: SetHash, compaction: Compaction) {
    this.#compaction = compaction
    this.#keys = keys
    this.#history = history
    this.#hash = hash
  }

  /**
   * Applies an operation to a store at `revision`; what it changes gets the next one.
   *
   * @returns what it did, or in words why no store can do it; then nothing was changed.
   */
  apply(operation: Operation, revision: number): Outcome | string {
    this.#keys.makeRoom()
    switch (operation.type) {
      case 'put':
        this.#put(this.#find(operation.key), operation.value, revision + 1)
        return this.#changed(revision + 1)
      case 'delete': {
        const target = this.#find(operation.key)
        if (!isPresent(target.previous)) return { revision, succeeded: false, current: undefined }
        this.#delete(target, revision + 1)
        return this.#changed(revision + 1)
      }
      case 'cas': {
        const target = this.#find(operation.key)
        const current = isPresent(target.previous) ? target.previous : undefined
        if (!holds(operation.expected, current)) return { revision, succeeded: false, current }
        this.#put(target, operation.newValue, revision + 1)
        return this.#changed(revision + 1)
      }
      case 'putMany':
        return this.#putMany(operation.puts, revision)
      case 'compact':
        return {
          revision,
          succeeded: this.#compaction.moveTo(operation.revision, revision),
          current: undefined,
        }
    }
  }

  #putMany(puts: readonly { key: Uint8Array; value: Uint8Array }[], revision: number): Outcome | string {
    if (puts.length === 0) return 'a multi-put has at least one pair'
    const targets = puts.map(({ key, value }) => ({ target: this.#find(key), value }))
    if (new Set(targets.map(({ target }) => target.name)).size < targets.length)
      return 'a key stands in a multi-put more than once'
    for (const { target, value } of targets) this.#put(target, value, revision + 1)
    return this.#changed(revision + 1)
  }

  #find(key: Uint8Array): Target {
    const name = nameOf(key)
    return { name, key, previous: this.#keys.find(name, key) }
  }

  #put(target: Target, value: Uint8Array, revision: number): void {
    const { previous } = target
    const numbers = isPresent(previous)
      ? {
          createRevision: previous.createRevision,
          modRevision: revision,
          version: previous.version + 1,
          lease: 0,
        }
      : { createRevision: revision, modRevision: revision, version: 1, lease: 0 }
    this.#replace(target, value, numbers)
  }

  #delete(target: Target, revision: number): void {
    this.#replace(target, undefined, { createRevision: 0, modRevision: revision, version: 0, lease: 0 })
  }

  #replace({ name, key, previous }: Target, value: Uint8Array | undefined, numbers: RecordNumbers): void {
    const record = this.#keys.replace(name, key, value, numbers)
    this.#history.add(record, previous)
    subtractRecord(this.#hash, previous)
    addRecord(this.#hash, record)
  }

  #changed(revision: number): Outcome {
    this.#history.endOfRevision()
    return { revision, succeeded: true, current: undefined }
  }
}

function isPresent(record: StoredRecord | undefined): record is StoredRecord {
  return record !== undefined && !record.isTombstone
}

function holds(expected: Expectation, current: StoredRecord | undefined): boolean {
  switch (expected.type) {
    case 'value':
      return current !== undefined && Buffer.compare(current.value, expected.value) === 0
    case 'modRevision':
      return current !== undefined && current.modRevision === expected.modRevision
    case 'absent':
      return current === undefined
  }
}
