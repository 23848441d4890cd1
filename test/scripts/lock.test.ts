import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, it } from 'node:test'
import { takeLock } from '../../scripts/lib/lock.mjs'

describe('the lock of a set-up', () => {
  const folder = mkdtempSync(join(tmpdir(), 'balsa-lock-'))
  const file = join(folder, 'lock')
  after(() => rmSync(folder, { recursive: true }))
  beforeEach(() => rmSync(file, { force: true }))

  it('is held by one at a time', async () => {
    let inside = 0
    let most = 0
    const work = async (): Promise<void> => {
      const release = await takeLock(file)
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside--
      release()
    }
    await Promise.all([work(), work(), work()])
    assert.equal(most, 1)
    assert.equal(existsSync(file), false)
  })

  it('says once whom it waits for', async () => {
    const release = await takeLock(file)
    const waited: number[] = []
    const second = takeLock(file, {
      onWait: (pid) => {
        waited.push(pid)
        release()
      },
    })
    ;(await second)()
    assert.deepEqual(waited, [process.pid])
  })

  it('is lost by a process that died', async () => {
    const dead = spawnSync(process.execPath, ['-e', '']).pid
    writeFileSync(file, JSON.stringify({ pid: dead, host: hostname(), id: 'x' }))
    const release = await takeLock(file, { onWait: () => assert.fail('there is nobody to wait for') })
    release()
    assert.equal(existsSync(file), false)
  })

  it('is lost by a holder that shows no sign of life', async () => {
    writeFileSync(file, JSON.stringify({ pid: process.pid, host: 'another-machine', id: 'x' }))
    const longAgo = new Date(Date.now() - 10_000)
    utimesSync(file, longAgo, longAgo)
    ;(await takeLock(file, { staleMs: 5_000, onWait: () => assert.fail('it is stale') }))()
  })

  it('is not given back by one who lost it', async () => {
    const release = await takeLock(file)
    const other = JSON.stringify({ pid: process.pid, host: hostname(), id: 'other' })
    writeFileSync(file, other)
    release()
    assert.equal(existsSync(file), true)
  })
})
