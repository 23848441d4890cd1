import { open, readdir, readFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import * as path from 'node:path'
import { FormatError } from './format.ts'
import { replayManifest } from './manifest.ts'
import type { TableEntry } from './manifest.ts'
import { BLOCK_SIZE, RecordLogReader } from './record-log.ts'
import type { RecordLog } from './record-log.ts'

/** Is told how many bytes are about to be read; resolves when that may be. */
export type Pace = (bytes: number) => Promise<void> | void

/** A file of the database is missing or not what LevelDB wrote. The message names it by its path. */
export class FileDamage extends Error {
  override readonly name = 'FileDamage'
}

/** The files that are the database at some moment. */
export interface LiveFiles {
  readonly manifest: string
  readonly tables: ReadonlyMap<number, TableEntry>
  /** Write-ahead files, oldest first. */
  readonly writeAhead: readonly number[]
  readonly lastSequence: number
}

/** A whole number of blocks. */
const READ_BYTES = 32 * BLOCK_SIZE

/**
 * Follows the chain from CURRENT to MANIFEST to the files that it names. Throws FileDamage where a link is
 * missing or broken.
 */
export async function readLiveFiles(directory: string, pace: Pace): Promise<LiveFiles> {
  const manifest = await readCurrent(directory)
  const location = path.join(directory, manifest)
  const log = await readRecordLog(location, Infinity, pace)
  if (log.damage !== undefined) throw flawed(location, log.damage)
  const { tables, logNumber, lastSequence } = named(location, () => replayManifest(log.records))
  const files = await readdir(directory)
  const writeAhead = files
    .flatMap((file) => /^(\d+)\.log$/.exec(file)?.[1] ?? [])
    .map(Number)
    .filter((number) => number >= logNumber)
    .sort((a, b) => a - b)
  if (logNumber > 0 && writeAhead[0] !== logNumber) {
    throw new FileDamage(
      `${writeAheadPath(directory, logNumber)} is missing: ${manifest} names it as the write-ahead file in use`,
    )
  }
  return { manifest, tables, writeAhead, lastSequence }
}

/** Where a write-ahead file is. */
export function writeAheadPath(directory: string, number: number): string {
  return path.join(directory, `${String(number).padStart(6, '0')}.log`)
}

/** Reads and checks a file in the log format, each record cut to `keep` bytes. Throws FileDamage where it is missing. */
export async function readRecordLog(location: string, keep: number, pace: Pace): Promise<RecordLog> {
  return withFile(location, async (file, size) => {
    const reader = new RecordLogReader(keep)
    const memory = Buffer.allocUnsafe(Math.min(READ_BYTES, size))
    for (let offset = 0; offset < size; offset += memory.length) {
      const bytes = memory.subarray(0, Math.min(memory.length, size - offset))
      await pace(bytes.length)
      await readFully(file, bytes, offset)
      for (let block = 0; block < bytes.length; block += BLOCK_SIZE) {
        reader.block(bytes.subarray(block, block + BLOCK_SIZE))
      }
    }
    return reader.finish()
  })
}

/** Uses an open file. Throws FileDamage where it is missing, and where its content is not what it should be. */
export async function withFile<T>(
  location: string,
  use: (file: FileHandle, size: number) => Promise<T>,
): Promise<T> {
  let file
  try {
    file = await open(location, 'r')
  } catch (error) {
    throw isMissing(error) ? new FileDamage(`${location} is missing`, { cause: error }) : error
  }
  try {
    return await use(file, (await file.stat()).size)
  } catch (error) {
    throw error instanceof FormatError
      ? new FileDamage(`${location}: ${error.message}`, { cause: error })
      : error
  } finally {
    await file.close()
  }
}

/** Fills the buffer from the file. Throws a FormatError where the file ends before. */
export async function readFully(file: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, offset + done)
    if (bytesRead === 0) throw new FormatError(`it ends at byte ${offset + done}`)
    done += bytesRead
  }
}

/** The error for a flaw that no crash leaves. */
export function flawed(
  location: string,
  flaw: { readonly offset: number; readonly what: string },
): FileDamage {
  return new FileDamage(`${location}: ${flaw.what}, at byte ${flaw.offset}`)
}

async function readCurrent(directory: string): Promise<string> {
  const location = path.join(directory, 'CURRENT')
  let text
  try {
    text = await readFile(location, 'latin1')
  } catch (error) {
    throw isMissing(error) ? new FileDamage(`${location} is missing`, { cause: error }) : error
  }
  const name = /^(MANIFEST-\d{6,})\n$/.exec(text)?.[1]
  if (name === undefined) throw new FileDamage(`${location} does not name a MANIFEST file`)
  return name
}

function named<T>(location: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw error instanceof FormatError
      ? new FileDamage(`${location}: ${error.message}`, { cause: error })
      : error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
