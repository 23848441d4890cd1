import { BrokenInvariantError } from '../errors.ts'
import type { NodeId } from '../raft/types.ts'
import type { DataDirectory } from '../storage/data-directory.ts'
import { drawIncarnation, newIdentity } from '../storage/identity.ts'
import { MemoryLogStore } from '../storage/memory-log-store.ts'
import { MemoryStateStore } from '../storage/memory-state-store.ts'
import { SnapshotError } from '../storage/snapshot/snapshot.ts'

/** What memory always has: no writes are refused for want of space. */
const PLENTY = Object.freeze({ freeBytes: 2 ** 40, totalBytes: 2 ** 40 })

export interface MemoryDirectoryOptions {
  readonly nodeId: NodeId
  readonly clusterName: string
  readonly members: readonly NodeId[]
}

/**
 * A data directory that ends with its process. Whoever starts again under the same id is another: see its incarnation.
 * The log is never cut, so that nobody needs a snapshot, and there is one state only.
 */
export async function openMemoryDirectory(options: MemoryDirectoryOptions): Promise<DataDirectory> {
  const incarnations = new Map<NodeId, number>()
  const stateStore = new MemoryStateStore()
  await stateStore.open()
  const logStore = new MemoryLogStore()
  return {
    path: 'memory',
    identity: newIdentity(options, drawIncarnation()),
    firstStart: true,
    logStore,
    stateStore,
    newStateName: () => 'none',
    buildState: () => Promise.reject(new SnapshotError('no snapshots are taken here', { resumable: false })),
    replaceState: () => Promise.reject(new BrokenInvariantError('There is one state only')),
    removeState: () => Promise.reject(new BrokenInvariantError('There is one state only')),
    peerIncarnations: () => new Map(incarnations),
    async rememberPeer(id, incarnation) {
      incarnations.set(id, incarnation)
    },
    space: async () => PLENTY,
    usage: async () => ({ logBytes: logStore.bytes, stateBytes: 0 }),
    async close() {
      await stateStore.close()
      await logStore.close()
    },
  }
}
