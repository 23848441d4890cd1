import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { ConfigurationError, WrongDirectoryError } from '../../errors.ts'
import { decodeMeta, encodeMeta, META_KEY, Prefix, prefixBytes } from '../../kv/layout.ts'
import type { StateChange } from '../../kv/types.ts'
import type { LogPosition, NodeId } from '../../raft/types.ts'
import { FIRST_STATE, LOG, LOG_OPTIONS } from '../data-directory.ts'
import { writeFailure } from '../disk-failure.ts'
import type { Disk } from '../disk.ts'
import { clusterIdOf, drawIncarnation, newIdentity, writeIdentity, writeUnfinished } from '../identity.ts'
import { LevelLogStore } from '../level-log-store.ts'
import { LevelStateStore } from '../level-state-store.ts'
import { Mark } from '../mark.ts'
import { NodeDisk } from '../node-disk.ts'
import { PeersFile } from '../peers-file.ts'
import { damagedBackup } from './format.ts'
import type { BackupFileHead } from './format.ts'
import { readBackup } from './reading.ts'
import type { BackupSummary } from './reading.ts'

/**
 * How far the restored cluster's log begins behind the backup's last entry. A session's id is the index of the entry
 * that opened it, so no session of the new cluster has the id of one that the old cluster opened after the backup:
 * who still holds such a one gets SESSION_EXPIRED, and never another client's answers. The old cluster would have to
 * write 50,000 entries a second for 250 days to get there.
 */
const INDEX_GAP = 2 ** 40

/** A file system puts this at its root; it does not make a directory a used one. */
const LOST_AND_FOUND = 'lost+found'

export interface Restoring {
  /** The bytes of the backup, from the beginning. */
  readonly source: AsyncIterable<Uint8Array>
  /** Of the backup, for messages. */
  readonly name: string
  readonly clock: Clock
  /** The new cluster's name, and all of its members. Not the old cluster's: see `clusterIdOf`. */
  readonly clusterName: string
  readonly members: readonly NodeId[]
  /** Those of the members that are restored here, and where. */
  readonly nodes: readonly { readonly id: NodeId; readonly directory: string }[]
}

/**
 * Makes data directories of a new cluster, whose nodes all hold what the backup holds: keys, revisions and history, no
 * sessions. Their identities are written last: before that they are marked, and do not start.
 *
 * Throws WrongDirectoryError where a directory is not empty, ConfigurationError where the new cluster would be the
 * old one, DamagedDataError where the backup is damaged, DiskError, DiskFullError. What was begun stays then.
 */
export async function restoreBackup(restoring: Restoring): Promise<BackupSummary> {
  const { source, name, clock, clusterName, members, nodes } = restoring
  const disks: { readonly id: NodeId; readonly disk: NodeDisk }[] = []
  for (const { id, directory } of nodes) disks.push({ id, disk: await emptyDisk(directory) })
  for (const { disk } of disks) await writeUnfinished(disk)
  const [first, ...others] = disks.map(({ disk }) => disk) as [NodeDisk, ...NodeDisk[]]
  const store = new LevelStateStore({ disk: first, name: FIRST_STATE, clock, createIfMissing: true })
  await store.open()
  const site = { store, sync: async () => {}, remove: () => first.removeDatabase(FIRST_STATE) }
  const begun = (head: BackupFileHead): void => assertOtherCluster(head, clusterName, members)
  const summary = await closing(store, () => readBackup(source, { name, site, begun }))
  const boundary = await makeOwn(first, clock, name)
  for (const disk of others) await copyState(first, disk)
  for (const { disk } of disks) await makeLog(disk, boundary)
  for (const { id, disk } of disks) {
    await writeIdentity(disk, newIdentity({ nodeId: id, clusterName, members }, drawIncarnation()))
  }
  return summary
}

async function emptyDisk(directory: string): Promise<NodeDisk> {
  const disk = await NodeDisk.open(directory)
  const found = (await disk.list()).find((name) => name !== LOST_AND_FOUND)
  if (found === undefined) return disk
  throw new WrongDirectoryError(
    `${disk.path} is not empty (it has ${found}). A backup is restored into a new or empty directory: ` +
      'name another, or move away what is there.',
  )
}

/** The old cluster's members must not take this one for theirs. */
function assertOtherCluster(head: BackupFileHead, clusterName: string, members: readonly NodeId[]): void {
  if (Buffer.from(clusterIdOf(clusterName, members)).toString('hex') !== head.clusterId) return
  throw new ConfigurationError(
    `The restored cluster would have the name and the members of the one that was backed up ("${clusterName}"), ` +
      'and nodes of the two could mix. Give it another name with --cluster-name.',
  )
}

/** The state store is closed whatever happens, so that it can be removed. */
async function closing<T>(store: LevelStateStore, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    await store.close()
  }
}

/** Makes the old cluster's state the new one's: behind the gap, without sessions. Returns where the log begins. */
async function makeOwn(disk: Disk, clock: Clock, name: string): Promise<LogPosition> {
  const store = new LevelStateStore({ disk, name: FIRST_STATE, clock, createIfMissing: false })
  await store.open()
  const applied = await closing(store, async () => {
    const stored = store.get(META_KEY)
    if (stored === undefined) throw damagedBackup(name, 'it lacks the record about it all')
    const meta = decodeMeta(stored)
    const index = meta.applied.index + INDEX_GAP
    if (!Number.isSafeInteger(index))
      throw damagedBackup(name, `its index ${meta.applied.index} is out of reach`)
    const changes: StateChange[] = []
    for await (const page of store.scan(prefixBytes(Prefix.Session))) {
      for (const [key] of page) changes.push([key, undefined])
    }
    const own = { ...meta, applied: { ...meta.applied, index }, sessionsHash: 0n }
    await store.write([...changes, [META_KEY, encodeMeta(own)]])
    return own.applied
  })
  await disk.syncDatabase(FIRST_STATE)
  return applied
}

async function copyState(from: NodeDisk, to: NodeDisk): Promise<void> {
  const target = join(to.path, FIRST_STATE)
  try {
    await cp(join(from.path, FIRST_STATE), target, { recursive: true })
  } catch (error) {
    throw writeFailure(error, `${target} cannot be written`)
  }
  await to.syncDatabase(FIRST_STATE)
}

/** A log that begins, empty, behind the state. */
async function makeLog(disk: Disk, boundary: LogPosition): Promise<void> {
  const database = await disk.openDatabase(LOG, { ...LOG_OPTIONS, createIfMissing: true })
  const mark = await Mark.open(disk)
  const log = new LevelLogStore({ database, mark, path: disk.path })
  try {
    await log.create(FIRST_STATE, boundary)
  } finally {
    await log.close()
  }
  await disk.syncDatabase(LOG)
  await (await PeersFile.create(disk)).close()
}
