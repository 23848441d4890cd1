import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Disk } from '../../src/storage/disk.ts'
import { LevelLogStore } from '../../src/storage/level-log-store.ts'
import type { LogStore } from '../../src/storage/log-store.ts'
import { Mark } from '../../src/storage/mark.ts'
import { MemoryLogStore } from '../../src/storage/memory-log-store.ts'
import { NodeDisk } from '../../src/storage/node-disk.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { logCuttingConformance } from './log-cutting.ts'
import { logStoreConformance } from './log-store.ts'
import type { LogStoreHost } from './log-store.ts'

conformance('in memory', async () => ({
  create: async () => new MemoryLogStore(),
  async reopen(store) {
    await store.close()
    return store
  },
  async close() {},
}))

conformance('LevelDB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'balsa-log-store-'))
  let count = 0
  return levelHost(
    () => NodeDisk.open(join(directory, String(++count))),
    () => rm(directory, { recursive: true }),
  )
})

conformance('LevelDB on a disk in memory', async () =>
  levelHost(
    async () => new MemoryDisk(),
    async () => {},
  ),
)

function levelHost(newDisk: () => Promise<Disk>, close: () => Promise<void>): LogStoreHost {
  const disks = new Map<LogStore, Disk>()
  async function storeOn(disk: Disk): Promise<LevelLogStore> {
    const options = { createIfMissing: true, writeBufferSize: 1 << 20, cacheSize: 1 << 20 }
    const database = await disk.openDatabase('log', options)
    const store = new LevelLogStore({ database, mark: await Mark.open(disk), path: disk.path })
    disks.set(store, disk)
    return store
  }
  return {
    async create() {
      const store = await storeOn(await newDisk())
      await store.create('state-1')
      return store
    },
    async reopen(store) {
      await store.close()
      return storeOn(disks.get(store)!)
    },
    close,
  }
}

function conformance(name: string, open: () => Promise<LogStoreHost>): void {
  logStoreConformance(name, open)
  logCuttingConformance(name, open)
}
