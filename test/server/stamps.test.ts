import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BUSY_STAMP_MS, IDLE_STAMP_MS } from '../../src/server/cluster-time.ts'
import { Driven, RecordedWrite } from './support/driven.ts'

describe('time stamps of the leader', () => {
  it('go through the log: often while it is busy, seldom while it is idle', async () => {
    const driven = await Driven.leading()
    driven.driver.write(new RecordedWrite('k'))
    await driven.clock.advance(BUSY_STAMP_MS + 100)
    const first = driven.machine.clusterTimeMs
    assert.ok(first >= BUSY_STAMP_MS, `${first}`)
    await driven.clock.advance(IDLE_STAMP_MS / 2)
    assert.equal(driven.machine.clusterTimeMs, first)
    await driven.clock.advance(IDLE_STAMP_MS / 2 + 100)
    assert.ok(driven.machine.clusterTimeMs >= first + IDLE_STAMP_MS)
  })

  it('are not made by who does not lead any more', async () => {
    const driven = await Driven.leading(['n1', 'n2', 'n3'])
    await driven.depose()
    const appends = driven.log.appends.length
    const { term } = driven.driver.status
    for (let i = 0; i < 30; i++) {
      await driven.clock.advance(50)
      await driven.receive({ type: 'heartbeat', from: 'n2', to: 'n1', term, leaderCommit: 0, readContext: 0 })
    }
    assert.equal(driven.log.appends.length, appends)
  })
})
