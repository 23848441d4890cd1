import type { Clock } from '../clock.ts'
import type { CheckpointChanges, StateChange } from '../kv/types.ts'
import { BrokenInvariantError } from '../errors.ts'
import type { Database, DatabaseBatch, DatabaseOptions, Disk } from './disk.ts'
import { openSnapshot } from './snapshot/reading.ts'
import type { StateSnapshot } from './snapshot/snapshot.ts'
import type { StateStore } from './state-store.ts'
import { takeBackUnfinished } from './unfinished-checkpoint.ts'

/**
 * Two checkpoints of the default size fill a write buffer: the fewer and larger the tables of level 0, the less often all
 * keys are merged. At a million keys this is half of all that a put costs.
 */
const OPTIONS = { writeBufferSize: 64 * 1024 * 1024, cacheSize: 64 * 1024 * 1024 }

/** How much of a batch is built in one turn of the event loop: what takes a small part of a millisecond. */
const SLICE_CHANGES = 100
const SLICE_BYTES = 128 * 1024

const PAGE_ROWS = 1000

export interface LevelStateStoreOptions {
  readonly disk: Disk
  /** The database's name on that disk. */
  readonly name: string
  readonly clock: Clock
  /** True at the first start only: later a missing database is damage. */
  readonly createIfMissing: boolean
}

/** The state machine's checkpoints in LevelDB. */
export class LevelStateStore implements StateStore {
  readonly #options: LevelStateStoreOptions
  #database: Database | undefined
  /** The checkpoint that is being written. */
  #checkpoint: Promise<void> | undefined

  constructor(options: LevelStateStoreOptions) {
    this.#options = options
  }

  async open(): Promise<void> {
    const { disk, name, createIfMissing } = this.#options
    const options: DatabaseOptions = { ...OPTIONS, createIfMissing }
    const database = await disk.openDatabase(name, options)
    try {
      await takeBackUnfinished(database)
    } catch (error) {
      // Nobody else knows of it, and an open one keeps its directory locked.
      await database.close()
      throw error
    }
    this.#database = database
  }

  async verifyFiles(pace: (bytes: number) => Promise<void>): Promise<void> {
    const { disk, name } = this.#options
    await disk.verifyDatabase?.(name, { pace })
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#opened().getSync(key)
  }

  async *scan(prefix: Uint8Array): AsyncIterable<readonly [Uint8Array, Uint8Array][]> {
    const end = prefixEnd(prefix)
    await this.#wholeCheckpoint()
    const iterator = this.#opened().iterator(end === undefined ? { gte: prefix } : { gte: prefix, lt: end })
    try {
      for (;;) {
        const page = await iterator.nextv(PAGE_ROWS)
        if (page.length === 0) return
        yield page
      }
    } finally {
      await iterator.close()
    }
  }

  async write(changes: Iterable<StateChange>): Promise<void> {
    const batch = new SlicedBatch(this.#opened().batch())
    for (const change of changes) if (batch.add(change)) await this.#turn()
    await batch.write()
  }

  async writeCheckpoint(checkpoint: CheckpointChanges, pieceBytes: number): Promise<void> {
    // It stays there where it fails: what is in the store then is not to be seen.
    this.#checkpoint = this.#writePieces(checkpoint, pieceBytes)
    await this.#checkpoint
    this.#checkpoint = undefined
  }

  async #writePieces({ early, final }: CheckpointChanges, pieceBytes: number): Promise<void> {
    let batch = new SlicedBatch(this.#opened().batch())
    for (const change of early) {
      if (batch.add(change)) await this.#turn()
      if (batch.bytes < pieceBytes) continue
      await batch.write()
      batch = new SlicedBatch(this.#opened().batch())
    }
    for (const change of final) if (batch.add(change)) await this.#turn()
    await batch.write()
  }

  /** Others have their turn. */
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#options.clock.soon(resolve))
  }

  async #wholeCheckpoint(): Promise<void> {
    while (this.#checkpoint !== undefined) await this.#checkpoint
  }

  async snapshot(): Promise<StateSnapshot | undefined> {
    await this.#wholeCheckpoint()
    return openSnapshot(this.#opened().snapshot())
  }

  reclaim(from: Uint8Array, upTo: Uint8Array): Promise<void> {
    return this.#opened().compactRange(from, upTo)
  }

  async close(): Promise<void> {
    await this.#database?.close()
    this.#database = undefined
  }

  #opened(): Database {
    if (this.#database === undefined)
      throw new BrokenInvariantError('The state store is used before it is open')
    return this.#database
  }
}

/** A batch that is built in several turns of the event loop where it is large. */
class SlicedBatch {
  readonly #batch: DatabaseBatch
  bytes = 0
  #sliceChanges = 0
  #sliceBytes = 0

  constructor(batch: DatabaseBatch) {
    this.#batch = batch
  }

  /** True where it is time to let others have their turn. */
  add([key, value]: StateChange): boolean {
    if (value === undefined) this.#batch.del(key)
    else this.#batch.put(key, value)
    const bytes = key.length + (value?.length ?? 0)
    this.bytes += bytes
    this.#sliceBytes += bytes
    if (++this.#sliceChanges < SLICE_CHANGES && this.#sliceBytes < SLICE_BYTES) return false
    this.#sliceChanges = this.#sliceBytes = 0
    return true
  }

  write(): Promise<void> {
    return this.#batch.write({ sync: true })
  }
}

/** The least key that is greater than every key with this prefix; undefined where there is none. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 0xff) length--
  if (length === 0) return undefined
  const end = Uint8Array.from(prefix.subarray(0, length))
  end[length - 1]!++
  return end
}
