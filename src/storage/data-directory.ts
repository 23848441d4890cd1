import type { Clock } from '../clock.ts'
import type { LogPosition, NodeId } from '../raft/types.ts'
import { damaged } from './disk-failure.ts'
import type { Database, Disk, DiskSpace } from './disk.ts'
import { drawIncarnation, newIdentity, readIdentity, writeIdentity } from './identity.ts'
import type { Identity, IdentityExpected } from './identity.ts'
import { LevelLogStore } from './level-log-store.ts'
import { ENTRY_KEYS, readState } from './log-records.ts'
import { rowsOf } from './log-reading.ts'
import type { LogStore, RecoveredLog } from './log-store.ts'
import { Mark } from './mark.ts'
import { PeersFile } from './peers-file.ts'
import { createSnapshotBuilder } from './snapshot/builder.ts'
import type { SnapshotBuilder } from './snapshot/snapshot.ts'
import { STATE, StateDirectories } from './state-directories.ts'
import type { StateStore } from './state-store.ts'

/** The names of the log's database, and of the state's before any snapshot came. */
export const LOG = 'log'
export const FIRST_STATE = `${STATE}1`

/** The large buffer is for appends not to wait while the log's tables are written and sorted. */
export const LOG_OPTIONS = { writeBufferSize: 32 * 1024 * 1024, cacheSize: 8 * 1024 * 1024 }

export interface DataDirectoryOptions extends IdentityExpected {
  readonly clock: Clock
  /** Draws the incarnation at the first start. Default: at random. */
  readonly drawIncarnation?: () => number
}

/** A node's data directory, open and held against other processes. */
export interface DataDirectory {
  readonly path: string
  readonly identity: Identity
  /** Whether this start made the directory. */
  readonly firstStart: boolean
  /** Not opened yet: its anchor is the state store's applied index, so the state machine is restored first. */
  readonly logStore: LogStore
  /** Open. The one in force: see `replaceState`. */
  readonly stateStore: StateStore
  /** A name under which nothing stands, for a state that is built beside the one in force. */
  newStateName(): string
  /**
   * Another state is in force, as the log says by now: opens it, waits for `take` to have made use of it, closes the
   * old one and removes it.
   */
  replaceState(name: string, take: (store: StateStore) => Promise<void>): Promise<void>
  /** Removes a state that does not count. */
  removeState(name: string): Promise<void>
  /** Begins to build a state from a snapshot. Throws SnapshotError where its meta is none. */
  buildState(name: string, meta: Uint8Array): Promise<SnapshotBuilder>
  /** The incarnation of every peer that this node has ever counted something from. */
  peerIncarnations(): Map<NodeId, number>
  /** Resolves when the peer's incarnation is durable. Rejects with DiskError or DiskFullError. */
  rememberPeer(id: NodeId, incarnation: number): Promise<void>
  /** How much of the file system is free. Rejects with DiskError where it does not say. */
  space(): Promise<DiskSpace>
  /** What the files of log and state take. Rejects with DiskError where they cannot be looked at. */
  usage(): Promise<DirectoryUsage>
  /** Checks the log's files, slowly. Rejects with DamagedDataError or DiskError. Absent: it has none. */
  verifyLogFiles?(pace: (bytes: number) => Promise<void>): Promise<void>
  close(): Promise<void>
}

/** What of the disk a data directory takes, in bytes. */
export interface DirectoryUsage {
  readonly logBytes: number
  /** Of the state, and of one that is being built from a snapshot. */
  readonly stateBytes: number
}

/**
 * Opens a node's data directory; the first time, makes it: log, mark and state, then the identity, so that a
 * directory with an identity is whole and one without has never been used.
 *
 * Throws DamagedDataError where something is missing or broken; WrongDirectoryError where the directory is
 * another node's, another cluster's, of another format version or in use; DiskError and DiskFullError.
 */
export async function openDataDirectory(disk: Disk, options: DataDirectoryOptions): Promise<DataDirectory> {
  const before = await readIdentity(disk, options)
  const opened: { close(): Promise<void> }[] = []
  try {
    const createIfMissing = before === undefined
    const database = await disk.openDatabase(LOG, { ...LOG_OPTIONS, createIfMissing })
    opened.push(database)
    // From here on LevelDB's lock keeps others out; one of them may just have made the directory.
    const identity = before ?? (await readIdentity(disk, options))
    if (identity === undefined) await assertUnused(disk, database)
    const mark = await Mark.open(disk)
    opened.unshift(mark)
    const logStore = new LevelLogStore({ database, mark, path: disk.path })
    if (identity === undefined) await logStore.create(FIRST_STATE)
    const state = readState(database, disk.path)
    if (state === undefined) throw damaged(`The log in ${disk.path} has no state record`)
    const { clock } = options
    const states = new StateDirectories(disk, clock, state.stateDirectory)
    opened.unshift(states)
    await states.open(identity === undefined)
    if (identity === undefined) await assertEmpty(disk, states.store)
    const peers = await (identity === undefined ? PeersFile.create(disk) : PeersFile.open(disk))
    const own = identity ?? newIdentity(options, (options.drawIncarnation ?? drawIncarnation)())
    if (identity === undefined) await writeIdentity(disk, own)
    return {
      path: disk.path,
      identity: own,
      firstStart: identity === undefined,
      logStore,
      get stateStore() {
        return states.store
      },
      newStateName: () => states.newName(),
      replaceState: (name, take) => states.replace(name, take),
      removeState: (name) => disk.removeDatabase(name),
      buildState: (name, meta) => createSnapshotBuilder({ disk, name, clock, meta }),
      peerIncarnations: () => peers.incarnations(),
      rememberPeer: (id, incarnation) => peers.remember(id, incarnation),
      space: () => disk.space(),
      usage: () => usageOf(disk),
      async verifyLogFiles(pace) {
        await disk.verifyDatabase?.(LOG, { pace })
      },
      async close() {
        await peers.close()
        await states.close()
        await logStore.close()
      },
    }
  } catch (error) {
    for (const part of opened) await part.close()
    throw error
  }
}

async function usageOf(disk: Disk): Promise<DirectoryUsage> {
  const states = (await disk.list()).filter((name) => name.startsWith(STATE))
  const sizes = await Promise.all([LOG, ...states].map((name) => disk.databaseBytes(name)))
  const [logBytes = 0, ...stateSizes] = sizes
  return { logBytes, stateBytes: stateSizes.reduce((sum, size) => sum + size, 0) }
}

/** Without an identity the directory must be new, or left by a first start that did not end. */
async function assertUnused(disk: Disk, database: Database): Promise<void> {
  const mark = await Mark.read(disk)
  const state = readState(database, disk.path)
  const [record] = await rowsOf(database, ENTRY_KEYS, 1)
  if (record !== undefined || (state?.batchNumber ?? 0) > 1 || (mark?.batchNumber ?? 0) > 1) {
    throw damaged(`The identity in ${disk.path} is missing, but the log has been written to`)
  }
}

async function assertEmpty(disk: Disk, stateStore: StateStore): Promise<void> {
  for await (const page of stateStore.scan(new Uint8Array(0))) {
    if (page.length > 0) throw damaged(`The identity in ${disk.path} is missing, but there is a state`)
  }
}

/**
 * Holds the state machine's checkpoint to the log, which was opened with `state.index` as its anchor: the
 * checkpoint lags behind the log and never contradicts it. Throws DamagedDataError.
 */
export function checkAnchor(state: LogPosition, recovered: RecoveredLog, path: string): void {
  const { anchor, boundary, last } = recovered
  const what = `The state in ${path} holds everything up to entry ${state.index}`
  if (state.index < boundary.index) throw damaged(`${what}, but the log begins after entry ${boundary.index}`)
  if (anchor === undefined) throw damaged(`${what}, but the log ends with entry ${last.index}`)
  if (anchor.index !== state.index || anchor.term !== state.term || anchor.checksum !== state.checksum) {
    throw damaged(
      `${what} of term ${state.term} (checksum ${hex(state.checksum)}), but in the log entry ${anchor.index} ` +
        `is of term ${anchor.term} (checksum ${hex(anchor.checksum)})`,
    )
  }
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0')
}
