import type { Clock } from '../../clock.ts'
import { DamagedDataError, WrongDirectoryError } from '../../errors.ts'
import { decodeMeta, META_KEY } from '../../kv/layout.ts'
import { recomputeStateHash } from '../../kv/state-hash.ts'
import { KvStateMachine } from '../../kv/state-machine.ts'
import { LOG_START } from '../../raft/types.ts'
import type { LogPosition } from '../../raft/types.ts'
import { checkAnchor, LOG, LOG_OPTIONS } from '../data-directory.ts'
import { damaged } from '../disk-failure.ts'
import type { Database } from '../disk.ts'
import { inspectIdentity } from '../identity.ts'
import type { Identity } from '../identity.ts'
import { LevelLogStore } from '../level-log-store.ts'
import { LevelStateStore } from '../level-state-store.ts'
import { readState } from '../log-records.ts'
import type { LogStore, RecoveredLog } from '../log-store.ts'
import { Mark } from '../mark.ts'
import type { NodeDisk } from '../node-disk.ts'
import { PeersFile } from '../peers-file.ts'

/**
 * What of a data directory is damaged. `promises`: the identity, the log, its mark, or the memory of the peers: what
 * the node has promised others may be gone. `state`: only what is made from the log.
 */
export type DamagedPart = 'promises' | 'state'

/** What was found in a data directory. Closed when it is no longer needed. */
export interface Examination {
  /** Undefined where it is missing or broken. */
  readonly identity: Identity | undefined
  /** Undefined: everything is as it was written. */
  readonly damage: { readonly part: DamagedPart; readonly error: DamagedDataError } | undefined
  /** Where the log is whole: open. */
  readonly log: { readonly store: LogStore; readonly recovered: RecoveredLog } | undefined
  close(): Promise<void>
}

/**
 * Checks all of a data directory whose node does not run: everything that a node checks before it serves, and every
 * record of the state. Changes nothing that counts; LevelDB tidies up its own files where those are whole.
 *
 * Throws WrongDirectoryError where it is not a node's data directory, or in use; DiskError.
 */
export async function examine(disk: NodeDisk, clock: Clock): Promise<Examination> {
  const names = await disk.list()
  if (!names.includes(LOG) && !names.includes('identity')) {
    throw new WrongDirectoryError(`${disk.path} is not a node's data directory`)
  }
  const opened: { close(): Promise<void> }[] = []
  const close = async (): Promise<void> => {
    for (const part of opened.splice(0)) await part.close()
  }
  let identity: Identity | undefined
  try {
    identity = await inspectIdentity(disk)
    const database = await disk.openDatabase(LOG, { ...LOG_OPTIONS, createIfMissing: false })
    opened.unshift(database)
    if ((await Mark.read(disk)) === undefined) {
      throw damaged(`The mark in ${disk.path} is missing, or broken in both slots`)
    }
    const mark = await Mark.open(disk)
    const store = new LevelLogStore({ database, mark, path: disk.path })
    opened.splice(0, 1, store)
    await (await PeersFile.open(disk)).close()
    const state = await examineState(disk, clock, database)
    const recovered = await store.open({ tailBytes: 0, anchorIndex: state.applied.index })
    const contradiction = state.error ?? contradictionOf(state.applied, recovered, disk.path)
    const damage = contradiction && { part: 'state' as const, error: contradiction }
    return { identity, damage, log: { store, recovered }, close }
  } catch (error) {
    await close()
    if (!(error instanceof DamagedDataError)) throw error
    return { identity, damage: { part: 'promises', error }, log: undefined, close }
  }
}

async function examineState(
  disk: NodeDisk,
  clock: Clock,
  log: Database,
): Promise<{ applied: LogPosition; error: DamagedDataError | undefined }> {
  const state = readState(log, disk.path)
  if (state === undefined) throw damaged(`The log in ${disk.path} has no state record`)
  const name = state.stateDirectory
  const store = new LevelStateStore({ disk, name, clock, createIfMissing: false })
  try {
    await store.open()
    const machine = await KvStateMachine.restore(store)
    const stored = store.get(META_KEY)
    if (stored !== undefined && (await recomputeStateHash(store)) !== machine.stateHash()) {
      throw damaged(`${disk.path}/${name}: records are missing or too many (the set hash does not fit)`)
    }
    return { applied: stored === undefined ? LOG_START : decodeMeta(stored).applied, error: undefined }
  } catch (error) {
    if (!(error instanceof DamagedDataError)) throw error
    return { applied: LOG_START, error }
  } finally {
    await store.close()
  }
}

function contradictionOf(
  applied: LogPosition,
  recovered: RecoveredLog,
  path: string,
): DamagedDataError | undefined {
  try {
    checkAnchor(applied, recovered, path)
  } catch (error) {
    if (error instanceof DamagedDataError) return error
    throw error
  }
  return undefined
}
