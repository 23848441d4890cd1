import type { CheckpointChanges, StateChange } from '../kv/types.ts'
import { BrokenInvariantError } from '../errors.ts'
import type { DatabaseIterator, DatabaseRange, DatabaseSnapshot } from './disk.ts'
import { openSnapshot } from './snapshot/reading.ts'
import type { StateSnapshot } from './snapshot/snapshot.ts'
import type { StateStore } from './state-store.ts'

const PAGE_ROWS = 1000

/** Checkpoints in memory, for tests and for what needs no disk. It remembers over `close` and `open`, not over the process. */
export class MemoryStateStore implements StateStore {
  /** By key as latin1, whose order is that of the bytes. */
  #values = new Map<string, Uint8Array>()
  #open = false

  async open(): Promise<void> {
    this.#open = true
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#assertOpen()
    return this.#values.get(textOf(key))
  }

  async *scan(prefix: Uint8Array): AsyncIterable<readonly [Uint8Array, Uint8Array][]> {
    this.#assertOpen()
    const start = textOf(prefix)
    const rows = [...this.#values]
      .filter(([key]) => key.startsWith(start))
      .sort(([a], [b]) => (a < b ? -1 : 1))
    for (let i = 0; i < rows.length; i += PAGE_ROWS) {
      yield rows.slice(i, i + PAGE_ROWS).map(([key, value]) => [Buffer.from(key, 'latin1'), value])
    }
  }

  async writeCheckpoint({ early, final }: CheckpointChanges): Promise<void> {
    await this.write([...early, ...final])
  }

  async write(changes: Iterable<StateChange>): Promise<void> {
    this.#assertOpen()
    // Copied: what the caller does to its buffers afterwards must not reach the store.
    const next = [...changes].map(([key, value]) => [textOf(key), value && Uint8Array.from(value)] as const)
    await Promise.resolve()
    for (const [key, value] of next) {
      if (value === undefined) this.#values.delete(key)
      else this.#values.set(key, value)
    }
  }

  async snapshot(): Promise<StateSnapshot | undefined> {
    this.#assertOpen()
    return openSnapshot(new RowsSnapshot(new Map(this.#values)))
  }

  async reclaim(): Promise<void> {
    this.#assertOpen()
  }

  async close(): Promise<void> {
    this.#open = false
  }

  #assertOpen(): void {
    if (!this.#open) throw new BrokenInvariantError('The state store is used before it is open')
  }
}

/** The rows as they were at one moment. */
class RowsSnapshot implements DatabaseSnapshot {
  readonly #values: Map<string, Uint8Array>

  constructor(values: Map<string, Uint8Array>) {
    this.#values = values
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#values.get(textOf(key))
  }

  /** In ascending order, from `gt` or `gte` on: what a snapshot is read by. */
  iterator({ gt, gte }: DatabaseRange): DatabaseIterator {
    const least = gt === undefined ? textOf(gte ?? new Uint8Array(0)) : `${textOf(gt)}\0`
    const keys = [...this.#values.keys()].filter((key) => key >= least).sort()
    let position = 0
    return {
      nextv: async (count) => {
        const page = keys.slice(position, (position += count))
        return page.map((key) => [Buffer.from(key, 'latin1'), this.#values.get(key)!])
      },
      async close() {},
    }
  }

  async close(): Promise<void> {}
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
}
