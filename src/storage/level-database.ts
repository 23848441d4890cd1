import { Level } from 'level'
import type { ChainedBatch, Iterator as LevelIterator } from 'level'
import { ClassicLevel as SecondLevel } from 'second-level'
import { openFailure, readFailure, writeFailure } from './disk-failure.ts'
import type {
  Database,
  DatabaseBatch,
  DatabaseIterator,
  DatabaseOptions,
  DatabaseRange,
  DatabaseSnapshot,
} from './disk.ts'

type Bytes = Uint8Array
type ByteLevel = Level<Bytes, Bytes>
type Compactable = { compactRange(from: Bytes, upTo: Bytes): Promise<void> }
type LevelToken = ReturnType<ByteLevel['snapshot']>

/** About how many bytes one page of an iterator holds. LevelDB's default of 16 KiB costs a turn of the event loop each. */
const PAGE_BYTES = 256 * 1024

/**
 * The library that `level` is on Node, once more: npm installs a second copy under another name, which has a LevelDB of its
 * own, and so a thread of its own. A LevelDB has one thread, for all its databases, that writes tables and sorts them:
 * appends to the log had to wait for two seconds and more while it sorted the state.
 */
const SECOND = SecondLevel as unknown as typeof Level<Bytes, Bytes>

/** A LevelDB database with bytes as keys and values, whose errors are those that stop the node. */
export class LevelDatabase implements Database {
  readonly #level: ByteLevel
  readonly #location: string

  private constructor(level: ByteLevel, location: string) {
    this.#level = level
    this.#location = location
  }

  /**
   * Opens or makes it. Throws as `openFailure` says. LevelDB makes the folder even where it makes no database.
   *
   * @param apart from the other databases of this process, by the second copy of LevelDB. Always the same for one place:
   *   a copy refuses what it has open itself, and does not see what the other has.
   */
  static async open(location: string, options: DatabaseOptions, apart = false): Promise<LevelDatabase> {
    const Binding = apart ? SECOND : Level
    const level: ByteLevel = new Binding(location, { keyEncoding: 'view', valueEncoding: 'view' })
    try {
      await level.open({
        createIfMissing: options.createIfMissing,
        writeBufferSize: options.writeBufferSize,
        cacheSize: options.cacheSize,
        // Snappy costs a tenth of all puts: what is written is tried anew at every level that it passes.
        compression: false,
      })
    } catch (error) {
      throw openFailure(error, location)
    }
    return new LevelDatabase(level, location)
  }

  getSync(key: Bytes): Bytes | undefined {
    try {
      return this.#level.getSync(key)
    } catch (error) {
      throw readFailure(error, `${this.#location} cannot be read`)
    }
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    try {
      return await this.#level.get(key)
    } catch (error) {
      throw readFailure(error, `${this.#location} cannot be read`)
    }
  }

  batch(): DatabaseBatch {
    return new LevelBatch(this.#level.batch(), this.#location)
  }

  iterator(range: DatabaseRange): DatabaseIterator {
    return new LevelPages(this.#level.iterator(pageOptions(range)), this.#location)
  }

  snapshot(): DatabaseSnapshot {
    return new LevelSnapshot(this.#level, this.#level.snapshot(), this.#location)
  }

  async compactRange(from: Bytes, upTo: Bytes): Promise<void> {
    try {
      // What `level` is on Node has it; its types are of what it is everywhere.
      await (this.#level as ByteLevel & Compactable).compactRange(from, upTo)
    } catch (error) {
      throw writeFailure(error, `${this.#location} cannot be compacted`)
    }
  }

  async close(): Promise<void> {
    await this.#level.close()
  }
}

class LevelSnapshot implements DatabaseSnapshot {
  readonly #level: ByteLevel
  readonly #snapshot: LevelToken
  readonly #location: string

  constructor(level: ByteLevel, snapshot: LevelToken, location: string) {
    this.#level = level
    this.#snapshot = snapshot
    this.#location = location
  }

  async get(key: Bytes): Promise<Bytes | undefined> {
    try {
      return await this.#level.get(key, { snapshot: this.#snapshot })
    } catch (error) {
      throw readFailure(error, `${this.#location} cannot be read`)
    }
  }

  iterator(range: DatabaseRange): DatabaseIterator {
    const options = { ...pageOptions(range), snapshot: this.#snapshot }
    return new LevelPages(this.#level.iterator(options), this.#location)
  }

  async close(): Promise<void> {
    await this.#snapshot.close()
  }
}

function pageOptions({ keysOnly, ...range }: DatabaseRange): object {
  return { ...range, values: keysOnly !== true, highWaterMarkBytes: PAGE_BYTES }
}

class LevelBatch implements DatabaseBatch {
  readonly #batch: ChainedBatch<ByteLevel, Bytes, Bytes>
  readonly #location: string

  constructor(batch: ChainedBatch<ByteLevel, Bytes, Bytes>, location: string) {
    this.#batch = batch
    this.#location = location
  }

  put(key: Bytes, value: Bytes): this {
    this.#batch.put(key, value)
    return this
  }

  del(key: Bytes): this {
    this.#batch.del(key)
    return this
  }

  async write(options: { sync: boolean }): Promise<void> {
    try {
      await this.#batch.write(options)
    } catch (error) {
      throw writeFailure(error, `${this.#location} cannot be written`)
    }
  }
}

class LevelPages implements DatabaseIterator {
  readonly #iterator: LevelIterator<ByteLevel, Bytes, Bytes>
  readonly #location: string

  constructor(iterator: LevelIterator<ByteLevel, Bytes, Bytes>, location: string) {
    this.#iterator = iterator
    this.#location = location
  }

  async nextv(count: number): Promise<[Bytes, Bytes][]> {
    try {
      return await this.#iterator.nextv(count)
    } catch (error) {
      throw readFailure(error, `${this.#location} cannot be read`)
    }
  }

  async close(): Promise<void> {
    await this.#iterator.close()
  }
}
