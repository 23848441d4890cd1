import { createReadStream } from 'node:fs'
import type { Writable } from 'node:stream'
import { link, open, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { BackupSummary } from '../storage/backup/reading.ts'
import { writeFailure } from '../storage/disk-failure.ts'
import { UsageError } from './failure.ts'

/** Where a backup is written to. */
export interface BackupTarget {
  write(bytes: Uint8Array): Promise<void>
  /** It is whole: makes it durable, under its name. */
  finish(): Promise<void>
  /** It will not be whole: leaves nothing. */
  abandon(): Promise<void>
}

/**
 * A new backup file: written beside its name, which it gets once it is whole and on disk.
 *
 * @throws UsageError where there is such a file already (unless `force`), or none can be made there
 */
export async function newBackupFile(path: string, force: boolean): Promise<BackupTarget> {
  if (!force && (await exists(path))) throw taken(path)
  const partial = `${path}.partial`
  let file: FileHandle
  try {
    file = await open(partial, 'w')
  } catch (error) {
    throw new UsageError(`${partial} cannot be written: ${(error as Error).message}`)
  }
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      throw error instanceof UsageError ? error : writeFailure(error, `${path} cannot be written`)
    }
  }
  return {
    write: (bytes) =>
      attempt(async () => {
        for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done)).bytesWritten
      }),
    finish: () =>
      attempt(async () => {
        await file.sync()
        await file.close()
        if (force) await rename(partial, path)
        else await nameIt(partial, path)
        await syncPath(dirname(path))
      }),
    async abandon() {
      await file.close()
      await rm(partial, { force: true })
    },
  }
}

/** A backup on a stream, such as standard output: what reads it has to see for itself that it is whole. */
export function backupStream(stream: Writable): BackupTarget {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) =>
        stream.write(bytes, (error) => (error ? reject(writeFailure(error, 'the backup')) : resolve())),
      ),
    async finish() {},
    async abandon() {},
  }
}

/** The bytes of a backup file and how many there are. Throws UsageError where it cannot be read. */
export async function openBackupFile(
  path: string,
): Promise<{ size: number; bytes: AsyncIterable<Uint8Array> }> {
  try {
    const { size } = await stat(path)
    return { size, bytes: readable(path) }
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function* readable(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Uint8Array>
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? unreadable(path, error) : error
  }
}

/** Counts the bytes that are read. */
export async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  at: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let count = 0
  for await (const piece of bytes) {
    yield piece
    at((count += piece.length))
  }
}

/** A summary for `--json`. */
export function summaryJson({ head, meta, tally }: BackupSummary): Record<string, unknown> {
  const { clusterName, clusterId, nodeId, version, createdAt } = head
  const { revision, compactedRevision, clusterTimeMs, stateHash, position } = meta
  return {
    clusterName,
    clusterId,
    createdAt,
    nodeId,
    version,
    revision,
    compactedRevision,
    index: position.index,
    term: position.term,
    clusterTimeMs,
    stateHash,
    keys: tally.keys,
    sessions: tally.sessions,
    rows: tally.rows,
  }
}

/** A summary for people, in a line. */
export function summaryWords({ head, meta, tally }: BackupSummary): string {
  const keys = `${tally.keys.toLocaleString('en')} ${tally.keys === 1 ? 'key' : 'keys'}`
  const sessions = `${tally.sessions} ${tally.sessions === 1 ? 'session' : 'sessions'}`
  return (
    `cluster "${head.clusterName}" at revision ${meta.revision}: ${keys}, ${sessions}, ` +
    `made by ${head.nodeId} on ${head.createdAt}`
  )
}

async function nameIt(partial: string, path: string): Promise<void> {
  try {
    // Unlike a rename, it never replaces what somebody else has put there meanwhile.
    await link(partial, path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST') throw taken(path)
    // Not every file system has links.
    await rename(partial, path)
    return
  }
  await rm(partial)
}

function taken(path: string): UsageError {
  return new UsageError(`${path} exists already. Name another file, or replace it with --force`)
}

function unreadable(path: string, error: unknown): UsageError {
  return new UsageError(`${path} cannot be read: ${(error as Error).message}`)
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}

/** Makes durable what was written to a file, or which names a directory has. */
export async function syncPath(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
