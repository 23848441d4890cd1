import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { LevelStateStore } from '../../src/storage/level-state-store.ts'
import type { LevelStateStoreOptions } from '../../src/storage/level-state-store.ts'
import { MemoryStateStore } from '../../src/storage/memory-state-store.ts'
import { NodeDisk } from '../../src/storage/node-disk.ts'
import type { StateStore } from '../../src/storage/state-store.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { stateStoreConformance } from './state-store.ts'
import type { StateStoreHost } from './state-store.ts'

stateStoreConformance('in memory', async () => ({
  create: async () => new MemoryStateStore(),
  async reopen(store) {
    await store.close()
    return store
  },
  async close() {},
}))

stateStoreConformance('LevelDB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'balsa-state-store-'))
  const disk = await NodeDisk.open(directory)
  return levelHost(disk, () => rm(directory, { recursive: true }))
})

stateStoreConformance('LevelDB on a disk in memory', async () => levelHost(new MemoryDisk(), async () => {}))

function levelHost(disk: NodeDisk | MemoryDisk, close: () => Promise<void>): StateStoreHost {
  const made = new Map<StateStore, LevelStateStoreOptions>()
  const clock = systemClock()
  function storeWith(options: LevelStateStoreOptions): LevelStateStore {
    const store = new LevelStateStore(options)
    made.set(store, options)
    return store
  }
  return {
    create: async () => storeWith({ disk, name: `state-${made.size}`, clock, createIfMissing: true }),
    async reopen(store) {
      await store.close()
      return storeWith({ ...made.get(store)!, createIfMissing: false })
    },
    close,
  }
}
