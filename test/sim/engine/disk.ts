import { WrongDirectoryError } from '../../../src/errors.ts'
import { damaged, openFailure, writeFailure } from '../../../src/storage/disk-failure.ts'
import type { Database, DatabaseOptions, Disk, DiskSpace, SlotFile } from '../../../src/storage/disk.ts'
import type { Dice } from './dice.ts'
import { DatabaseFiles, SimulatedDatabase } from './database.ts'
import type { Events } from './events.ts'
import type { Process } from './process.ts'
import { SlotFileContent } from './slot-file.ts'

/** However slow a disk is, this is the longest that anything takes. */
const SLOWEST_MS = 3000

/** How often a disk that hangs is looked at again. */
const HANG_MS = 20

/** What the disk does to whoever uses it; faults change it while the simulation runs. */
export interface DiskTemper {
  /** How long a write with its sync takes, in milliseconds: mostly, and at most. */
  syncMs: number
  slowestMs: number
  /** Every operation takes so many times as long. */
  slowness: number
  /** No space is left. */
  full: boolean
  /** No write ends, as long as this is so. */
  hangs: boolean
  /** What it says is free, in bytes. */
  freeBytes: number
  /** The next write or sync fails, and after it every write of that process. */
  failNext: 'write' | 'sync' | undefined
  /** The process dies at so many I/O steps from now. Undefined: it does not. */
  crashIn: number | undefined
}

/** A disk with which nothing is wrong. */
export function soundDisk(syncMs: number, slowestMs: number): DiskTemper {
  return {
    syncMs,
    slowestMs,
    slowness: 1,
    full: false,
    hangs: false,
    freeBytes: 2 ** 40,
    failNext: undefined,
    crashIn: undefined,
  }
}

/** What the disk tells whoever watches it. */
export interface DiskWatcher {
  /** A batch is on disk, for good where it is `durable`. A value of undefined: the key is deleted. */
  written(database: string, changes: readonly Change[], durable: boolean): void
  /** Something else was done: for the trace. */
  did(what: string): void
  /** The process that used it dies at this very step. */
  crashed(): void
}

export type Change = readonly [key: string, value: Uint8Array | undefined]

/**
 * One machine's disk: LevelDB databases and plain files, as they are after crashes of the process (which keep
 * the page cache) and of the machine (which does not). It outlives processes; each uses it through a mount.
 *
 * What it does to LevelDB was measured on the real one: any subset of batches that were not synced can be lost,
 * a synced one that was under way is there or is not, a sync that failed may be there after a reopen, and all
 * that a reopen finds in its logs becomes durable.
 */
export class SimulatedDisk {
  readonly temper: DiskTemper
  readonly events: Events
  readonly dice: Dice
  readonly watcher: DiskWatcher
  readonly #databases = new Map<string, DatabaseFiles>()
  readonly #files = new Map<string, Uint8Array>()
  readonly #slotFiles = new Map<string, SlotFileContent>()
  /** What is under way; each decides itself what becomes of it when the process or the machine dies. */
  readonly underWay = new Set<(power: boolean) => void>()

  constructor(events: Events, dice: Dice, temper: DiskTemper, watcher: DiskWatcher) {
    this.events = events
    this.dice = dice
    this.temper = temper
    this.watcher = watcher
  }

  mount(process: Process): Disk {
    return new Mount(this, process, this.#databases, this.#files, this.#slotFiles)
  }

  /** The process is gone; with `power` the machine is, and what was not synced. */
  crash(power: boolean): void {
    for (const ending of this.underWay) ending(power)
    this.underWay.clear()
    if (!power) return
    for (const database of this.#databases.values()) database.losePower(this.dice)
    for (const file of this.#slotFiles.values()) file.losePower(this.dice)
  }

  /** How long an operation takes, in milliseconds. */
  latency(least: number): number {
    const { slowestMs, slowness } = this.temper
    return Math.min(this.dice.heavyTailed(least, 1.8, slowestMs) * slowness, SLOWEST_MS)
  }
}

class Mount implements Disk {
  readonly path: string
  readonly #disk: SimulatedDisk
  readonly #process: Process
  readonly #databases: Map<string, DatabaseFiles>
  readonly #files: Map<string, Uint8Array>
  readonly #slotFiles: Map<string, SlotFileContent>
  readonly #io: Io
  readonly #locks = new Set<string>()

  constructor(
    disk: SimulatedDisk,
    process: Process,
    databases: Map<string, DatabaseFiles>,
    files: Map<string, Uint8Array>,
    slotFiles: Map<string, SlotFileContent>,
  ) {
    this.path = `disk of ${process.name}`
    this.#disk = disk
    this.#process = process
    this.#databases = databases
    this.#files = files
    this.#slotFiles = slotFiles
    this.#io = new Io(disk, process)
  }

  async openDatabase(name: string, options: DatabaseOptions): Promise<Database> {
    if (this.#locks.has(name)) throw new WrongDirectoryError(`${name}: another process uses this directory`)
    await this.#io.wait(0.5)
    let files = this.#databases.get(name)
    if (files === undefined) {
      if (!options.createIfMissing) throw damaged(`${this.path}/${name} is missing`)
      files = new DatabaseFiles()
    }
    if (this.#disk.temper.full) throw openFailure(noSpace(), `${this.path}/${name}`)
    if (!this.#process.alive) return new Promise(() => {})
    this.#databases.set(name, files)
    files.recover()
    this.#locks.add(name)
    return new SimulatedDatabase(name, files, this.#io, () => this.#locks.delete(name))
  }

  async list(): Promise<string[]> {
    return [...this.#databases.keys(), ...this.#files.keys(), ...this.#slotFiles.keys()]
  }

  async readFile(name: string): Promise<Uint8Array | undefined> {
    await this.#io.wait(0.05)
    const content = this.#files.get(name) ?? this.#slotFiles.get(name)?.cached
    return content === undefined ? undefined : new Uint8Array(content)
  }

  async replaceFile(name: string, content: Uint8Array): Promise<void> {
    const copy = new Uint8Array(content)
    await this.#io.write(this.#disk.temper.syncMs * 3, `${this.path}/${name} cannot be written`, {
      sync: true,
      done: () => this.#files.set(name, copy),
      what: () => `replaces the file ${name}`,
    })
  }

  async openSlotFile(name: string, size: number): Promise<SlotFile> {
    await this.#io.wait(0.2)
    let file = this.#slotFiles.get(name)
    if (file === undefined) {
      if (this.#disk.temper.full) throw writeFailure(noSpace(), `${this.path}/${name} cannot be written`)
      file = new SlotFileContent(size)
      if (this.#process.alive) this.#slotFiles.set(name, file)
    }
    const [content, io, temper] = [file, this.#io, this.#disk.temper]
    return {
      write(offset, bytes) {
        if (io.step()) content.write(offset, bytes)
      },
      async sync() {
        const version = content.version
        await io.write(temper.syncMs, `${name} cannot be synced`, {
          sync: true,
          done: () => content.synced(version),
          what: () => `syncs ${name}`,
        })
      },
      async close() {},
    }
  }

  async syncDatabase(name: string): Promise<void> {
    await this.#io.write(this.#disk.temper.syncMs * 3, `${this.path}/${name} cannot be synced`, {
      sync: true,
      done: (durable) => {
        if (durable) this.#databases.get(name)?.recover()
      },
      what: () => `syncs the database ${name}`,
    })
  }

  async removeDatabase(name: string): Promise<void> {
    await this.#io.wait(1)
    if (this.#process.alive) this.#databases.delete(name)
  }

  async space(): Promise<DiskSpace> {
    const { full, freeBytes } = this.#disk.temper
    return { freeBytes: full ? 0 : freeBytes, totalBytes: 2 ** 40 }
  }

  async databaseBytes(name: string): Promise<number> {
    return this.#databases.get(name)?.rows.bytes ?? 0
  }
}

interface WriteWork {
  readonly sync: boolean
  /** What the write does, once it is done. `durable`: a power loss does not take it back. */
  done(durable: boolean): void
  what(): string
}

/** The input and output of one process: steps at which it can fail or die. */
export class Io {
  readonly #disk: SimulatedDisk
  readonly #process: Process
  /** After a write that failed every later one does, until the process has ended. */
  #broken: Error | undefined

  constructor(disk: SimulatedDisk, process: Process) {
    this.#disk = disk
    this.#process = process
  }

  get watcher(): DiskWatcher {
    return this.#disk.watcher
  }

  get syncMs(): number {
    return this.#disk.temper.syncMs
  }

  /** One I/O step. False: the process is dead, maybe since now. */
  step(): boolean {
    if (!this.#process.alive) return false
    const { temper, watcher } = this.#disk
    if (temper.crashIn === undefined || --temper.crashIn > 0) return true
    temper.crashIn = undefined
    watcher.crashed()
    return false
  }

  /** Lets time pass as a read does. */
  wait(least: number): Promise<void> {
    return new Promise((resolve) => {
      const time = this.#disk.latency(least)
      this.#disk.events.after(time, () => this.#process.deliver(resolve))
    })
  }

  /** A write, or a sync: takes its time, may fail, and may be cut off by a crash, done or not done. */
  write(least: number, failure: string, work: WriteWork): Promise<void> {
    const { events, underWay, dice, temper } = this.#disk
    return new Promise((resolve, reject) => {
      if (!this.step()) return
      const ending = (power: boolean): void => {
        event.cancelled = true
        // In the page cache it is as good as there, unless the machine goes too: then it depends.
        if (dice.chance(0.5)) work.done(power && work.sync)
      }
      const end = (): void => {
        if (temper.hangs) {
          event = events.after(HANG_MS, end)
          return
        }
        underWay.delete(ending)
        const error = this.#failureNow(work, temper)
        if (error === undefined) {
          work.done(work.sync)
          this.#disk.watcher.did(work.what())
        }
        if (this.step()) {
          this.#process.deliver(() => {
            if (error === undefined) resolve()
            else reject(writeFailure(error, failure))
          })
        }
      }
      let event = events.after(this.#disk.latency(least), end)
      underWay.add(ending)
    })
  }

  #failureNow(work: WriteWork, temper: DiskTemper): Error | undefined {
    if (this.#broken !== undefined) return this.#broken
    if (temper.full) {
      this.#disk.watcher.did(`cannot do it, the disk is full: ${work.what()}`)
      this.#broken = noSpace()
    } else if (temper.failNext !== undefined) {
      // A sync that failed: the bytes are in the page cache, marked as clean, and may never reach the disk.
      if (temper.failNext === 'sync' && this.#disk.dice.chance(0.6)) work.done(false)
      this.#disk.watcher.did(`fails at a ${temper.failNext}: ${work.what()}`)
      temper.failNext = undefined
      this.#broken = Object.assign(new Error('IO error: Input/output error'), { code: 'LEVEL_IO_ERROR' })
    }
    return this.#broken
  }
}

function noSpace(): Error {
  return Object.assign(new Error('IO error: No space left on device'), { code: 'LEVEL_IO_ERROR' })
}
