import { DamagedDataError } from '../../errors.ts'
import { StateBuilder } from '../snapshot/builder.ts'
import type { BuildingSite } from '../snapshot/builder.ts'
import { decodeSnapshotMeta } from '../snapshot/meta.ts'
import { SnapshotError } from '../snapshot/snapshot.ts'
import type { SnapshotMeta } from '../snapshot/snapshot.ts'
import { damagedBackup, partsOf } from './format.ts'
import type { BackupFileHead, BackupTally } from './format.ts'

/** What a backup was found to hold. */
export interface BackupSummary {
  readonly head: BackupFileHead
  readonly meta: SnapshotMeta
  readonly tally: BackupTally
}

export interface BackupReading {
  /** Of the file, for messages. */
  readonly name: string
  /** Where the state is built; see `nowhere`. */
  readonly site: BuildingSite
  /** Called when the head was read. */
  readonly begun?: (head: BackupFileHead) => void
}

/**
 * Reads a whole backup and builds its state; checks everything: structure, chain, every row's checksum, number of
 * rows, the state's hash, SHA-256. Throws DamagedDataError where something is not as it was written, and the site's
 * errors; whoever gave the site then removes it.
 */
export async function readBackup(
  source: AsyncIterable<Uint8Array>,
  { name, site, begun }: BackupReading,
): Promise<BackupSummary> {
  let found: { head: BackupFileHead; meta: SnapshotMeta; builder: StateBuilder } | undefined
  let tally: BackupTally | undefined
  try {
    for await (const part of partsOf(source, name)) {
      if (part.type === 'head') {
        const meta = metaOf(part.head, name)
        found = { head: part.head, meta, builder: new StateBuilder(meta, site) }
        begun?.(part.head)
      } else if (part.type === 'chunk') {
        await found!.builder.add(part.chunk)
      } else {
        tally = part.tally
      }
    }
    const { head, meta, builder } = found!
    await builder.finish()
    const counted = tallyOf(builder)
    if (!sameTally(counted, tally!))
      throw damagedBackup(name, 'it does not hold as much as it says at its end')
    return { head, meta, tally: counted }
  } catch (error) {
    if (error instanceof SnapshotError) throw damagedBackup(name, error.message, error)
    throw error
  }
}

/** What a builder has taken. */
export function tallyOf(builder: StateBuilder): BackupTally {
  const { chunks, rows } = builder.cursor ?? { chunks: 0, rows: 0 }
  return { chunks, rows, keys: builder.keys, sessions: builder.sessions }
}

/** The site of a state that is only checked. */
export function nowhere(): BuildingSite {
  return {
    store: { write: async () => {}, close: async () => {} },
    sync: async () => {},
    remove: async () => {},
  }
}

function metaOf(head: BackupFileHead, name: string): SnapshotMeta {
  const meta = decoded(head, name)
  const { revision, position } = meta
  if (head.revision !== revision || head.index !== position.index || head.term !== position.term) {
    throw damagedBackup(name, 'its head contradicts itself')
  }
  return meta
}

function decoded(head: BackupFileHead, name: string): SnapshotMeta {
  try {
    return decodeSnapshotMeta(Buffer.from(head.meta, 'base64'))
  } catch (error) {
    if (error instanceof DamagedDataError) throw damagedBackup(name, 'its head is damaged', error)
    throw error
  }
}

function sameTally(one: BackupTally, other: BackupTally): boolean {
  return (
    one.chunks === other.chunks &&
    one.rows === other.rows &&
    one.keys === other.keys &&
    one.sessions === other.sessions
  )
}
