import * as fs from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import * as path from 'node:path'
import { WrongDirectoryError } from '../errors.ts'
import { LOG } from './data-directory.ts'
import { damaged, openFailure, readFailure, writeFailure } from './disk-failure.ts'
import type { Database, DatabaseOptions, Disk, DiskSpace, SlotFile } from './disk.ts'
import { LevelDatabase } from './level-database.ts'
import { FileDamage } from './leveldb/live-files.ts'
import { verifyDatabase } from './leveldb/verify.ts'
import type { Verified, VerifyOptions } from './leveldb/verify.ts'

const TEMPORARY = '.tmp'

export interface NodeDiskOptions {
  /** Told now and then how much of a database's tables is checked before it is opened, in bytes. */
  readonly verifying?: (name: string, bytes: number, ofBytes: number) => void
}

/** A directory of the machine: LevelDB databases and plain files. LevelDB's lock keeps other processes out. */
export class NodeDisk implements Disk {
  readonly path: string
  readonly #options: NodeDiskOptions

  private constructor(directory: string, options: NodeDiskOptions) {
    this.path = directory
    this.#options = options
  }

  /**
   * Makes the directory where it is missing. Throws WrongDirectoryError where the path cannot be one,
   * DiskFullError or DiskError where it cannot be made.
   */
  static async open(directory: string, options: NodeDiskOptions = {}): Promise<NodeDisk> {
    const absolute = path.resolve(directory)
    try {
      const firstMade = await mkdir(absolute, { recursive: true })
      if (firstMade !== undefined) await syncNewDirectories(firstMade, absolute)
    } catch (error) {
      const code = codeOf(error)
      if (code === 'EEXIST' || code === 'ENOTDIR') {
        throw new WrongDirectoryError(`${absolute} is not a directory`, { cause: error })
      }
      throw writeFailure(error, `The data directory ${absolute} cannot be made`)
    }
    return new NodeDisk(absolute, options)
  }

  async openDatabase(name: string, options: DatabaseOptions): Promise<Database> {
    const location = path.join(this.path, name)
    const files = await filesIn(location)
    if (!files.includes('CURRENT')) {
      // LevelDB would make an empty database here, and delete the tables of the old one.
      const lost = files.find((file) => /\.(ldb|sst|log)$/.test(file))
      if (lost !== undefined) throw damaged(`${location} has ${lost} but no CURRENT file`)
      if (!options.createIfMissing) throw damaged(`${location} is missing`)
    } else {
      // Before LevelDB opens it: its recovery drops what it cannot read, and writes the rest anew.
      await this.verifyDatabase(name, {
        progress: (bytes, ofBytes) => this.#options.verifying?.(name, bytes, ofBytes),
      })
    }
    // By its name: whoever opens it, it is by the same copy of LevelDB.
    const database = await LevelDatabase.open(location, options, name === LOG)
    try {
      if (!files.includes('CURRENT')) await syncDirectory(this.path)
    } catch (error) {
      await database.close()
      throw openFailure(error, location)
    }
    return database
  }

  /**
   * Checks every file of a database, which may be open, as `leveldb/verify.ts` says. Throws DamagedDataError with the
   * file's name, or DiskError.
   */
  async verifyDatabase(name: string, options: VerifyOptions = {}): Promise<Verified> {
    const location = path.join(this.path, name)
    try {
      return await verifyDatabase(location, options)
    } catch (error) {
      if (error instanceof FileDamage) throw damaged(error.message, error)
      throw readFailure(error, `${location} cannot be checked`)
    }
  }

  async list(): Promise<string[]> {
    try {
      const names = await readdir(this.path)
      return names.filter((name) => !name.endsWith(TEMPORARY))
    } catch (error) {
      throw readFailure(error, `${this.path} cannot be listed`)
    }
  }

  async readFile(name: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(path.join(this.path, name))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw readFailure(error, `${path.join(this.path, name)} cannot be read`)
    }
  }

  async replaceFile(name: string, content: Uint8Array): Promise<void> {
    const target = path.join(this.path, name)
    try {
      const file = await open(target + TEMPORARY, 'w')
      try {
        await file.writeFile(content)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(target + TEMPORARY, target)
      await syncDirectory(this.path)
    } catch (error) {
      throw writeFailure(error, `${target} cannot be written`)
    }
  }

  async openSlotFile(name: string, size: number): Promise<SlotFile> {
    const location = path.join(this.path, name)
    try {
      const file = await openOrMake(location)
      try {
        const { size: present } = await file.stat()
        if (present < size) {
          // Zeros are written, not left as a hole: a slot must not run out of space later.
          await file.write(new Uint8Array(size - present), 0, size - present, present)
          await file.sync()
          await syncDirectory(this.path)
        }
      } catch (error) {
        await file.close()
        throw error
      }
      return new NodeSlotFile(file, location)
    } catch (error) {
      throw writeFailure(error, `${location} cannot be written`)
    }
  }

  async syncDatabase(name: string): Promise<void> {
    const location = path.join(this.path, name)
    try {
      for (const file of await readdir(location)) await syncFile(path.join(location, file))
      await syncDirectory(location)
      await syncDirectory(this.path)
    } catch (error) {
      throw writeFailure(error, `${location} cannot be synced`)
    }
  }

  /**
   * Puts a database out of the way, whole, for inspection. Returns its new name, undefined where there is none.
   * Rejects with DiskError or DiskFullError.
   */
  async setAside(name: string): Promise<string | undefined> {
    const names = await this.list()
    if (!names.includes(name)) return undefined
    for (let number = 1; ; number++) {
      const aside = `damaged-${number}-${name}`
      if (names.includes(aside)) continue
      await this.renameDatabase(name, aside)
      return aside
    }
  }

  /** Gives a database another name, durably. Rejects with DiskError or DiskFullError. */
  async renameDatabase(name: string, newName: string): Promise<void> {
    try {
      await rename(path.join(this.path, name), path.join(this.path, newName))
      await syncDirectory(this.path)
    } catch (error) {
      throw writeFailure(error, `${path.join(this.path, name)} cannot be renamed`)
    }
  }

  async removeDatabase(name: string): Promise<void> {
    const location = path.join(this.path, name)
    try {
      await rm(location, { recursive: true, force: true })
      await syncDirectory(this.path)
    } catch (error) {
      throw writeFailure(error, `${location} cannot be removed`)
    }
  }

  async space(): Promise<DiskSpace> {
    try {
      const { bsize, bavail, blocks } = await statfs(this.path)
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
    } catch (error) {
      throw readFailure(error, `The free space of ${this.path} cannot be read`)
    }
  }

  async databaseBytes(name: string): Promise<number> {
    const location = path.join(this.path, name)
    let bytes = 0
    for (const file of await filesIn(location)) {
      try {
        bytes += (await stat(path.join(location, file))).size
      } catch (error) {
        // LevelDB deletes what a compaction has replaced.
        if (codeOf(error) !== 'ENOENT') throw readFailure(error, `${location} cannot be read`)
      }
    }
    return bytes
  }
}

class NodeSlotFile implements SlotFile {
  readonly #file: FileHandle
  readonly #location: string

  constructor(file: FileHandle, location: string) {
    this.#file = file
    this.#location = location
  }

  write(offset: number, bytes: Uint8Array): void {
    try {
      const written = fs.writeSync(this.#file.fd, bytes, 0, bytes.length, offset)
      if (written !== bytes.length) throw new Error(`${written} of ${bytes.length} bytes were written`)
    } catch (error) {
      throw writeFailure(error, `${this.#location} cannot be written`)
    }
  }

  async sync(): Promise<void> {
    try {
      await this.#file.datasync()
    } catch (error) {
      throw writeFailure(error, `${this.#location} cannot be synced`)
    }
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw openFailure(error, directory)
  }
}

async function openOrMake(location: string): Promise<FileHandle> {
  try {
    return await open(location, 'r+')
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    return open(location, 'wx+')
  }
}

/** A new directory is durable once its parent is synced; several may have been made at once. */
async function syncNewDirectories(first: string, last: string): Promise<void> {
  let made = last
  for (;;) {
    await syncDirectory(path.dirname(made))
    if (made === first || made === path.dirname(made)) return
    made = path.dirname(made)
  }
}

/** A directory is synced as a file is. */
async function syncDirectory(directory: string): Promise<void> {
  await syncFile(directory)
}

async function syncFile(location: string): Promise<void> {
  const handle = await open(location, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
