import type { Clock } from '../clock.ts'
import type { StateChange } from '../kv/types.ts'
import { BrokenInvariantError } from '../errors.ts'
import type { Database, DatabaseOptions, Disk } from './disk.ts'
import { openSnapshot } from './snapshot/reading.ts'
import type { StateSnapshot } from './snapshot/snapshot.ts'
import type { StateStore } from './state-store.ts'

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

  constructor(options: LevelStateStoreOptions) {
    this.#options = options
  }

  async open(): Promise<void> {
    const { disk, name, createIfMissing } = this.#options
    const options: DatabaseOptions = { ...OPTIONS, createIfMissing }
    this.#database = await disk.openDatabase(name, options)
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
    const batch = this.#opened().batch()
    let count = 0
    let bytes = 0
    for (const [key, value] of changes) {
      if (value === undefined) batch.del(key)
      else batch.put(key, value)
      bytes += key.length + (value?.length ?? 0)
      if (++count === SLICE_CHANGES || bytes >= SLICE_BYTES) {
        count = bytes = 0
        await new Promise<void>((resolve) => this.#options.clock.soon(resolve))
      }
    }
    await batch.write({ sync: true })
  }

  async snapshot(): Promise<StateSnapshot | undefined> {
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

/** The least key that is greater than every key with this prefix; undefined where there is none. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 0xff) length--
  if (length === 0) return undefined
  const end = Uint8Array.from(prefix.subarray(0, length))
  end[length - 1]!++
  return end
}
