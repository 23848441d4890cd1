import type {
  Database,
  DatabaseBatch,
  DatabaseOptions,
  Disk,
  DiskSpace,
  SlotFile,
} from '../../src/storage/disk.ts'

/** What a failing disk throws: as if the process had ended there. */
export class CrashHere extends Error {
  override readonly name = 'CrashHere'
}

/** A disk that goes on for so many steps and then fails; every change is two steps, before and after it is made. */
export class FailingDisk implements Disk {
  readonly path: string
  readonly #disk: Disk
  #left: number

  constructor(disk: Disk, steps: number) {
    this.path = disk.path
    this.#disk = disk
    this.#left = steps
  }

  async openDatabase(name: string, options: DatabaseOptions): Promise<Database> {
    const database = await this.#change(() => this.#disk.openDatabase(name, options))
    return {
      getSync: (key) => database.getSync(key),
      get: (key) => database.get(key),
      iterator: (range) => database.iterator(range),
      snapshot: () => database.snapshot(),
      compactRange: (from, upTo) => database.compactRange(from, upTo),
      close: () => database.close(),
      batch: () => this.#batchOf(database),
    }
  }

  list(): Promise<string[]> {
    return this.#disk.list()
  }

  readFile(name: string): Promise<Uint8Array | undefined> {
    return this.#disk.readFile(name)
  }

  replaceFile(name: string, content: Uint8Array): Promise<void> {
    return this.#change(() => this.#disk.replaceFile(name, content))
  }

  async openSlotFile(name: string, size: number): Promise<SlotFile> {
    const file = await this.#change(() => this.#disk.openSlotFile(name, size))
    return {
      write: (offset, bytes) => {
        this.#step()
        file.write(offset, bytes)
        this.#step()
      },
      sync: () => this.#change(() => file.sync()),
      close: () => file.close(),
    }
  }

  syncDatabase(name: string): Promise<void> {
    return this.#change(() => this.#disk.syncDatabase(name))
  }

  removeDatabase(name: string): Promise<void> {
    return this.#change(() => this.#disk.removeDatabase(name))
  }

  space(): Promise<DiskSpace> {
    return this.#disk.space()
  }

  databaseBytes(name: string): Promise<number> {
    return this.#disk.databaseBytes(name)
  }

  #batchOf(database: Database): DatabaseBatch {
    const batch = database.batch()
    const failing: DatabaseBatch = {
      put: (key, value) => (batch.put(key, value), failing),
      del: (key) => (batch.del(key), failing),
      write: (options) => this.#change(() => batch.write(options)),
    }
    return failing
  }

  async #change<T>(make: () => Promise<T>): Promise<T> {
    this.#step()
    const made = await make()
    this.#step()
    return made
  }

  #step(): void {
    if (this.#left-- <= 0) throw new CrashHere('the process ended here')
  }
}
