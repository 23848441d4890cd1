/**
 * The disk as storage sees it: ordered key-value databases and small plain files, in one directory. The seam
 * at which a simulation puts a disk of its own.
 */
export interface Disk {
  /** For messages: where the data is. */
  readonly path: string
  /** Throws where it does not exist and `createIfMissing` is false; LevelDB alone would leave an empty folder. */
  openDatabase(name: string, options: DatabaseOptions): Promise<Database>
  /**
   * Checks every file of a database, which may be open, without the database. Rejects with DamagedDataError, which
   * names the file, or DiskError. Absent where there are no files.
   *
   * @param options.pace told how many bytes are about to be read; resolves when they may be
   */
  verifyDatabase?(
    name: string,
    options: { readonly pace: (bytes: number) => Promise<void> },
  ): Promise<unknown>
  /** The names of databases and files in the directory. */
  list(): Promise<string[]>
  /** The whole file, or undefined where there is none. */
  readFile(name: string): Promise<Uint8Array | undefined>
  /** Replaces the whole file so that after a crash the old or the new one stands: temporary file, fsync, rename, fsync of the directory. */
  replaceFile(name: string, content: Uint8Array): Promise<void>
  /** Opens a file of fixed slots for writing in place, created with `size` zero bytes where it is missing. */
  openSlotFile(name: string, size: number): Promise<SlotFile>
  /**
   * Makes a database that was closed durable as a whole: every file of it, and that they are there. A synced write
   * makes durable what it wrote, but a file that was begun since LevelDB last synced the folder can lack its name.
   */
  syncDatabase(name: string): Promise<void>
  /** Removes a database with all its files. */
  removeDatabase(name: string): Promise<void>
  /** How much of the file system is free. Rejects with DiskError where it does not say. */
  space(): Promise<DiskSpace>
  /** How many bytes the files of a database have; 0 where there is none. */
  databaseBytes(name: string): Promise<number>
}

/** What of a file system this process may still fill, in bytes, and how large it is. */
export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
}

export interface DatabaseOptions {
  readonly createIfMissing: boolean
  readonly writeBufferSize: number
  readonly cacheSize: number
}

/** A file written in place. */
export interface SlotFile {
  /** Into the page cache: a crash of the process keeps it, a power loss may not. */
  write(offset: number, bytes: Uint8Array): void
  /** fdatasync. */
  sync(): Promise<void>
  close(): Promise<void>
}

/**
 * The part of abstract-level's interface that storage uses, with bytes as keys and values.
 * A write is durable only where it is `sync`, and syncs nothing that was written without it before.
 */
export interface Database {
  getSync(key: Uint8Array): Uint8Array | undefined
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  batch(): DatabaseBatch
  iterator(range: DatabaseRange): DatabaseIterator
  /** What the database holds now. */
  snapshot(): DatabaseSnapshot
  /**
   * Gives the space of what was deleted between two keys back, now: LevelDB itself may leave it taken for long,
   * where nothing is written there any more. It works beside everything else.
   */
  compactRange(from: Uint8Array, upTo: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** What a database held at one moment, whatever is written to it afterwards. */
export interface DatabaseSnapshot {
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  iterator(range: DatabaseRange): DatabaseIterator
  /** Its iterators are to be closed before. */
  close(): Promise<void>
}

export interface DatabaseBatch {
  put(key: Uint8Array, value: Uint8Array): this
  del(key: Uint8Array): this
  /** Atomic. */
  write(options: { sync: boolean }): Promise<void>
}

export interface DatabaseRange {
  readonly gt?: Uint8Array
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  readonly lte?: Uint8Array
  readonly reverse?: boolean
  readonly limit?: number
  /** The values are not wanted, and may be missing: of long values only the keys are read. */
  readonly keysOnly?: boolean
}

export interface DatabaseIterator {
  /** Up to `count` entries; an empty array at the end. */
  nextv(count: number): Promise<[Uint8Array, Uint8Array][]>
  close(): Promise<void>
}
