import * as path from 'node:path'
import {
  FileDamage,
  flawed,
  readFully,
  readLiveFiles,
  readRecordLog,
  withFile,
  writeAheadPath,
} from './live-files.ts'
import type { LiveFiles, Pace } from './live-files.ts'
import type { TableEntry } from './manifest.ts'
import { verifyTable } from './table.ts'

export interface VerifyOptions {
  /** Slows the reading down. Default: as fast as it goes. */
  readonly pace?: Pace
  /** Told now and then how many bytes of how many tables' bytes are checked. */
  readonly progress?: (bytes: number, ofBytes: number) => void
}

/** What was checked. */
export interface Verified {
  readonly files: number
  readonly bytes: number
}

/** A batch begins with its sequence number (8 bytes) and the number of its changes (4). */
const BATCH_HEAD = 12

/** How often another look is taken at files that somebody changes meanwhile. */
const ATTEMPTS = 5

/**
 * Checks every file that is part of a LevelDB database, without LevelDB, whose recovery drops in silence what it
 * cannot read: CURRENT, MANIFEST, every table with all its blocks, and the write-ahead files, which must follow
 * each other without a gap. An unfinished end of the newest write-ahead file is what a crash leaves, and no damage.
 *
 * LevelDB may have the database open meanwhile: what is found wrong counts only where the file is still part of
 * the database after that. Throws FileDamage, which names the file, and whatever reading throws.
 */
export async function verifyDatabase(directory: string, options: VerifyOptions = {}): Promise<Verified> {
  const check = new Check(directory, options)
  const live = await check.live()
  await check.tables([...live.tables.values()])
  await check.writeAhead()
  return check.done
}

class Check {
  readonly #directory: string
  readonly #progress: NonNullable<VerifyOptions['progress']>
  readonly #pace: Pace
  #files = 0
  #bytes = 0
  #ofBytes = 0

  constructor(directory: string, options: VerifyOptions) {
    this.#directory = directory
    this.#progress = options.progress ?? (() => {})
    this.#pace = async (bytes) => {
      await options.pace?.(bytes)
      this.#bytes += bytes
      this.#progress(Math.min(this.#bytes, this.#ofBytes), this.#ofBytes)
    }
  }

  get done(): Verified {
    return { files: this.#files, bytes: this.#bytes }
  }

  /** The files in use; another look is taken where they changed while they were looked at. */
  async live(): Promise<LiveFiles> {
    return this.#settled(() => readLiveFiles(this.#directory, this.#pace))
  }

  async tables(tables: readonly TableEntry[]): Promise<void> {
    this.#files += 2 // CURRENT and MANIFEST
    this.#ofBytes = tables.reduce((sum, { size }) => sum + size, this.#bytes)
    let memory = Buffer.allocUnsafe(0)
    for (const entry of tables) {
      try {
        await withFile(this.#tablePath(entry), (file, size) =>
          verifyTable(
            async (offset, length) => {
              if (memory.length < length) memory = Buffer.allocUnsafe(length)
              const part = memory.subarray(0, length)
              await this.#pace(length)
              await readFully(file, part, offset)
              return part
            },
            size,
            entry,
          ),
        )
        this.#files++
      } catch (error) {
        if (!(error instanceof FileDamage)) throw error
        const now = await this.live()
        if (now.tables.has(entry.number)) throw error
        // A compaction has put others in its place; the next pass reads them.
      }
    }
  }

  async writeAhead(): Promise<void> {
    await this.#settled(async () => {
      const { writeAhead, lastSequence } = await this.live()
      // The first may go on where the tables end, or begin before that; those after it go on where it ends.
      let next: number | undefined
      let torn: FileDamage | undefined
      for (const number of writeAhead) {
        const location = writeAheadPath(this.#directory, number)
        const log = await readRecordLog(location, BATCH_HEAD, this.#pace)
        if (log.damage !== undefined) throw flawed(location, log.damage)
        for (const record of log.records) {
          if (torn !== undefined) throw torn
          if (record.length < BATCH_HEAD) throw new FileDamage(`${location}: a batch is too short`)
          const sequence = Number(record.readBigUInt64LE(0))
          if (next === undefined ? sequence > lastSequence + 1 : sequence !== next) {
            throw new FileDamage(
              `${location}: it goes on with change ${sequence}, where ${next ?? lastSequence + 1} was expected`,
            )
          }
          next = sequence + record.readUInt32LE(8)
        }
        if (log.torn !== undefined) torn = flawed(location, log.torn)
        this.#files++
      }
    })
  }

  #tablePath({ number }: TableEntry): string {
    return path.join(this.#directory, `${String(number).padStart(6, '0')}.ldb`)
  }

  /** Runs a look at the files, again where it found damage that another look at them does not find the same way. */
  async #settled<T>(look: () => Promise<T>): Promise<T> {
    let before: string | undefined
    for (let attempt = 1; ; attempt++) {
      try {
        return await look()
      } catch (error) {
        if (!(error instanceof FileDamage)) throw error
        if (error.message === before || attempt === ATTEMPTS) throw error
        before = error.message
      }
    }
  }
}
