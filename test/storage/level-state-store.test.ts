import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { DamagedDataError } from '../../src/errors.ts'
import { META_KEY } from '../../src/kv/layout.ts'
import { LevelStateStore } from '../../src/storage/level-state-store.ts'
import { NodeDisk } from '../../src/storage/node-disk.ts'

describe('a state store that cannot be opened', () => {
  it('is not left open: the next attempt finds the damage, too, and no lock', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'balsa-state-'))
    try {
      const disk = await NodeDisk.open(directory)
      const options = { disk, name: 'state-1', clock: systemClock(), createIfMissing: true }
      const store = new LevelStateStore(options)
      await store.open()
      await store.write([[META_KEY, Buffer.from('what no checkpoint wrote')]])
      await store.close()
      for (let attempt = 0; attempt < 2; attempt++)
        await assert.rejects(new LevelStateStore(options).open(), DamagedDataError)
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
