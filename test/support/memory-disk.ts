import { DiskError, WrongDirectoryError } from '../../src/errors.ts'
import { damaged } from '../../src/storage/disk-failure.ts'
import type {
  Database,
  DatabaseBatch,
  DatabaseIterator,
  DatabaseOptions,
  DatabaseRange,
  DatabaseSnapshot,
  Disk,
  DiskSpace,
  SlotFile,
} from '../../src/storage/disk.ts'

/**
 * A directory in memory. What is written stays, synced or not, as after a crash of the process. `crash` ends
 * what is open, and everything opened before it fails from then on.
 */
export class MemoryDisk implements Disk {
  readonly path = 'memory'
  readonly #databases = new Map<string, SortedMap>()
  readonly #files = new Map<string, Uint8Array>()
  readonly #locks = new Set<string>()
  #life = { over: false }
  /** What it says is free. */
  freeBytes = 2 ** 40

  async openDatabase(name: string, options: DatabaseOptions): Promise<Database> {
    if (this.#locks.has(name)) {
      throw new WrongDirectoryError(`${name}: another process uses this directory`)
    }
    let rows = this.#databases.get(name)
    if (rows === undefined) {
      if (!options.createIfMissing) throw damaged(`${this.path}/${name} is missing`)
      rows = new SortedMap()
      this.#databases.set(name, rows)
    }
    this.#locks.add(name)
    return new MemoryDatabase(rows, this.#life, () => this.#locks.delete(name))
  }

  async list(): Promise<string[]> {
    return [...this.#databases.keys(), ...this.#files.keys()]
  }

  async readFile(name: string): Promise<Uint8Array | undefined> {
    const content = this.#files.get(name)
    return content === undefined ? undefined : Uint8Array.from(content)
  }

  async replaceFile(name: string, content: Uint8Array): Promise<void> {
    this.#files.set(name, Uint8Array.from(content))
  }

  async openSlotFile(name: string, size: number): Promise<SlotFile> {
    const present = this.#files.get(name) ?? new Uint8Array(0)
    const content = new Uint8Array(Math.max(size, present.length))
    content.set(present)
    this.#files.set(name, content)
    const life = this.#life
    return {
      write(offset, bytes) {
        assertAlive(life)
        content.set(bytes, offset)
      },
      async sync() {
        assertAlive(life)
      },
      async close() {},
    }
  }

  async syncDatabase(): Promise<void> {}

  async removeDatabase(name: string): Promise<void> {
    this.#databases.delete(name)
  }

  async space(): Promise<DiskSpace> {
    return { freeBytes: this.freeBytes, totalBytes: 2 ** 40 }
  }

  async databaseBytes(name: string): Promise<number> {
    let bytes = 0
    for (const [key, value] of this.#databases.get(name)?.values ?? []) bytes += key.length + value.length
    return bytes
  }

  /** Removes a file, as an accident would. */
  removeFile(name: string): void {
    this.#files.delete(name)
  }

  /** The process that had things open is gone. */
  crash(): void {
    this.#life.over = true
    this.#life = { over: false }
    this.#locks.clear()
  }
}

interface Life {
  over: boolean
}

function assertAlive(life: Life): void {
  if (life.over) throw new DiskError('this process has crashed')
}

/** Bytes by bytes, in order: keys as latin1, whose order is that of the bytes. */
class SortedMap {
  readonly values = new Map<string, Uint8Array>()
  #sorted: string[] = []
  #stale = false

  get keys(): readonly string[] {
    if (this.#stale) {
      this.#sorted = [...this.values.keys()].sort()
      this.#stale = false
    }
    return this.#sorted
  }

  set(key: string, value: Uint8Array): void {
    this.#stale ||= !this.values.has(key)
    this.values.set(key, value)
  }

  delete(key: string): void {
    this.#stale = this.values.delete(key) || this.#stale
  }
}

class MemoryDatabase implements Database {
  readonly #rows: SortedMap
  readonly #life: Life
  readonly #release: () => void

  constructor(rows: SortedMap, life: Life, release: () => void) {
    this.#rows = rows
    this.#life = life
    this.#release = release
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    assertAlive(this.#life)
    return this.#rows.values.get(textOf(key))
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.getSync(key)
  }

  async compactRange(): Promise<void> {
    assertAlive(this.#life)
  }

  batch(): DatabaseBatch {
    const changes: [string, Uint8Array | undefined][] = []
    const [rows, life] = [this.#rows, this.#life]
    const batch: DatabaseBatch = {
      put(key, value) {
        changes.push([textOf(key), Uint8Array.from(value)])
        return batch
      },
      del(key) {
        changes.push([textOf(key), undefined])
        return batch
      },
      async write() {
        await Promise.resolve()
        assertAlive(life)
        for (const [key, value] of changes) {
          if (value === undefined) rows.delete(key)
          else rows.set(key, value)
        }
      },
    }
    return batch
  }

  iterator(range: DatabaseRange): DatabaseIterator {
    assertAlive(this.#life)
    return iteratorOver(this.#rows, range)
  }

  snapshot(): DatabaseSnapshot {
    assertAlive(this.#life)
    const rows = new SortedMap()
    for (const [key, value] of this.#rows.values) rows.set(key, value)
    return {
      get: async (key) => rows.values.get(textOf(key)),
      iterator: (range) => iteratorOver(rows, range),
      async close() {},
    }
  }

  async close(): Promise<void> {
    if (!this.#life.over) this.#release()
  }
}

function iteratorOver(map: SortedMap, range: DatabaseRange): DatabaseIterator {
  // The rows as they are now: an iterator of LevelDB reads a snapshot.
  const keys = map.keys.filter((key) => inRange(key, range))
  if (range.reverse) keys.reverse()
  const rows = keys.slice(0, range.limit).map((key) => [key, map.values.get(key)!] as const)
  let position = 0
  return {
    async nextv(count) {
      await Promise.resolve()
      const page = rows.slice(position, (position += count))
      return page.map(([key, value]) => [Buffer.from(key, 'latin1'), Buffer.from(value)])
    },
    async close() {},
  }
}

function inRange(key: string, range: DatabaseRange): boolean {
  if (range.gt !== undefined && key <= textOf(range.gt)) return false
  if (range.gte !== undefined && key < textOf(range.gte)) return false
  if (range.lt !== undefined && key >= textOf(range.lt)) return false
  return range.lte === undefined || key <= textOf(range.lte)
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
}
