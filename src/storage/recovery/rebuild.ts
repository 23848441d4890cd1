import type { Clock } from '../../clock.ts'
import { UnavailableError } from '../../errors.ts'
import type { HardState, LogPosition } from '../../raft/types.ts'
import { damaged } from '../disk-failure.ts'
import { LevelStateStore } from '../level-state-store.ts'
import type { LogStore, RecoveredLog } from '../log-store.ts'
import type { NodeDisk } from '../node-disk.ts'
import { createSnapshotBuilder } from '../snapshot/builder.ts'

/** A log that is whole, open, and what it was found to hold. */
export interface WholeLog {
  readonly store: LogStore
  readonly recovered: RecoveredLog
}

/** A copy of the state of another node of the cluster, as it comes. */
export interface ForeignState {
  /** `SnapshotMeta.encoded`. */
  readonly meta: Uint8Array
  readonly chunks: AsyncIterable<Uint8Array>
}

/**
 * Puts an empty state in the place of a damaged one: the node makes it anew from its log, which begins with entry 1.
 * The log with its term and vote stays as it is. Returns the name under which the damaged state stays.
 */
export async function rebuildFromLog(
  disk: NodeDisk,
  clock: Clock,
  { recovered }: WholeLog,
): Promise<string | undefined> {
  const name = recovered.stateDirectory
  // A crash before the next step leaves no state: recovery begins anew then.
  const aside = await disk.setAside(name)
  const store = new LevelStateStore({ disk, name, clock, createIfMissing: true })
  await store.open()
  await store.close()
  await disk.syncDatabase(name)
  return aside
}

/**
 * Puts another node's state in the place of a damaged one. It counts with one batch of the log, as a snapshot does
 * that a leader sends (§5): the log begins behind it, and keeps what it holds behind it. Everything that this node
 * acknowledged up to there is in that state, if it was committed; the vote stays, the term never goes back.
 *
 * Returns the name under which the damaged state stays. Throws SnapshotError where what came is not a whole state,
 * UnavailableError where it is older than the beginning of the log, and whatever the chunks throw: then nothing is
 * changed.
 */
export async function rebuildFromPeer(
  disk: NodeDisk,
  clock: Clock,
  { store, recovered }: WholeLog,
  state: ForeignState,
): Promise<string | undefined> {
  const name = await unusedName(disk)
  const builder = await createSnapshotBuilder({ disk, name, clock, meta: state.meta })
  try {
    for await (const chunk of state.chunks) await builder.add(chunk)
    assertNotBehind(builder.meta.position, recovered, disk.path)
    await builder.finish()
  } catch (error) {
    await builder.discard()
    throw error
  }
  const { position } = builder.meta
  if (position.index === recovered.boundary.index) {
    // The log begins behind it already: the directory is all that changes.
    const aside = await disk.setAside(recovered.stateDirectory)
    await disk.renameDatabase(name, recovered.stateDirectory)
    return aside
  }
  const keepSuffix = await holds(store, recovered, position)
  const hardState = termAtLeast(recovered.hardState, position.term)
  const reset = { boundary: position, keepSuffix, directory: name }
  await store.append([{ id: 1, hardState, reset, entries: [] }])
  return disk.setAside(recovered.stateDirectory)
}

function assertNotBehind(position: LogPosition, { boundary }: RecoveredLog, path: string): void {
  if (position.index < boundary.index) {
    throw new UnavailableError(
      `The state that came ends with entry ${position.index}, but the log in ${path} begins after ${boundary.index}: ask a node that is not as far behind`,
    )
  }
  if (position.index === boundary.index && position.checksum !== boundary.checksum) {
    throw damaged(`The log in ${path} begins after another entry ${boundary.index} than the cluster has`)
  }
}

/** Whether the log holds the very entry with which the state ends; then what comes behind it stays (Figure 5.3). */
async function holds(store: LogStore, { last }: RecoveredLog, position: LogPosition): Promise<boolean> {
  if (position.index > last.index) return false
  const { entries } = await store.read(position.index, position.index, 1)
  return entries[0]?.term === position.term && entries[0].checksum === position.checksum
}

/** A term that is entered has no vote yet. Undefined: nothing changes. */
function termAtLeast(hardState: HardState, term: number): HardState | undefined {
  return term > hardState.currentTerm ? { currentTerm: term, votedFor: undefined } : undefined
}

async function unusedName(disk: NodeDisk): Promise<string> {
  const numbers = (await disk.list()).map((name) => Number(/^state-(\d+)$/.exec(name)?.[1] ?? 0))
  return `state-${Math.max(0, ...numbers) + 1}`
}
