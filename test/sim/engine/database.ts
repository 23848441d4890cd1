import { DiskError } from '../../../src/errors.ts'
import type {
  Database,
  DatabaseBatch,
  DatabaseIterator,
  DatabaseRange,
  DatabaseSnapshot,
} from '../../../src/storage/disk.ts'
import type { Dice } from './dice.ts'
import type { Change, Io } from './disk.ts'
import { Rows, textOf } from './rows.ts'

/** A LevelDB database as it stands on a disk: what readers see, and what of it a power loss can take back. */
export class DatabaseFiles {
  rows = new Rows()
  /** What is durable, where that is not all of `rows`, and the batches that are not. */
  #durable: Rows | undefined
  #unsynced: (readonly Change[])[] = []

  apply(changes: readonly Change[], durable: boolean): void {
    if (!durable) {
      this.#durable ??= this.rows.clone()
      this.#unsynced.push(changes)
    } else if (this.#durable !== undefined) {
      // Only the write-ahead file in use is synced: what was written to an older one can still be lost.
      change(this.#durable, changes)
    }
    change(this.rows, changes)
  }

  /** Any of the batches that were not synced is lost, not only the last ones. */
  losePower(dice: Dice): void {
    if (this.#durable === undefined) return
    for (const changes of this.#unsynced) if (dice.chance(0.5)) change(this.#durable, changes)
    this.rows = this.#durable
    this.recover()
  }

  /** Opened anew: LevelDB writes what it finds in its logs into tables, and syncs them. */
  recover(): void {
    this.#durable = undefined
    this.#unsynced = []
  }
}

function change(rows: Rows, changes: readonly Change[]): void {
  for (const [key, value] of changes) {
    if (value === undefined) rows.delete(key)
    else rows.set(key, value)
  }
}

/** A database that a process has open. */
export class SimulatedDatabase implements Database {
  readonly #name: string
  readonly #files: DatabaseFiles
  readonly #io: Io
  readonly #release: () => void
  #open = true

  constructor(name: string, files: DatabaseFiles, io: Io, release: () => void) {
    this.#name = name
    this.#files = files
    this.#io = io
    this.#release = release
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    this.#assertOpen()
    return this.#files.rows.get(textOf(key))
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    await this.#io.wait(0.02)
    return this.getSync(key)
  }

  async compactRange(): Promise<void> {
    this.#assertOpen()
    await this.#io.wait(20)
  }

  batch(): DatabaseBatch {
    this.#assertOpen()
    const changes: Change[] = []
    const [files, io, name] = [this.#files, this.#io, this.#name]
    const batch: DatabaseBatch = {
      put(key, value) {
        changes.push([textOf(key), new Uint8Array(value)])
        return batch
      },
      del(key) {
        changes.push([textOf(key), undefined])
        return batch
      },
      write({ sync }) {
        return io.write(sync ? io.syncMs : 0.05, `${name} cannot be written`, {
          sync,
          done: (durable) => {
            files.apply(changes, durable)
            io.watcher.written(name, changes, durable)
          },
          what: () => `writes ${changes.length} rows to ${name}${sync ? '' : ', unsynced'}`,
        })
      },
    }
    return batch
  }

  iterator(range: DatabaseRange): DatabaseIterator {
    this.#assertOpen()
    return this.#iteratorOver(this.#files.rows, range)
  }

  snapshot(): DatabaseSnapshot {
    this.#assertOpen()
    const rows = this.#files.rows.clone()
    return {
      get: async (key) => {
        await this.#io.wait(0.02)
        return rows.get(textOf(key))
      },
      iterator: (range) => this.#iteratorOver(rows, range),
      async close() {},
    }
  }

  #iteratorOver(rows: Rows, range: DatabaseRange): DatabaseIterator {
    let keys = rows.between(lowOf(range), highOf(range))
    if (range.reverse) keys.reverse()
    if (range.limit !== undefined) keys = keys.slice(0, range.limit)
    // The rows as they are now: an iterator of LevelDB reads a snapshot.
    const found = keys.map((key) => [key, rows.get(key)!] as const)
    const io = this.#io
    let position = 0
    return {
      async nextv(count) {
        await io.wait(0.03)
        const page = found.slice(position, (position += count))
        return page.map(([key, value]) => [Buffer.from(key, 'latin1'), Buffer.from(value)])
      },
      async close() {},
    }
  }

  async close(): Promise<void> {
    if (this.#open) this.#release()
    this.#open = false
  }

  #assertOpen(): void {
    if (!this.#open) throw new DiskError(`${this.#name} is closed`)
  }
}

/** The next key after a key is that key and a zero byte. */
const NEXT = '\0'

function lowOf({ gt, gte }: DatabaseRange): string | undefined {
  if (gt !== undefined) return textOf(gt) + NEXT
  return gte === undefined ? undefined : textOf(gte)
}

function highOf({ lt, lte }: DatabaseRange): string | undefined {
  if (lte !== undefined) return textOf(lte) + NEXT
  return lt === undefined ? undefined : textOf(lt)
}
