import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Clock } from '../../src/clock.ts'
import {
  BUSY_STAMP_MS,
  ClusterTime,
  IDLE_STAMP_MS,
  MAX_STAMP_STEP_MS,
} from '../../src/server/cluster-time.ts'

function timeFrom(stampMs: number): { time: ClusterTime; pass: (ms: number) => void } {
  let now = 5000
  const unused = (): never => assert.fail('no timer is needed')
  const clock: Clock = { now: () => now, after: unused, soon: unused }
  const time = new ClusterTime(clock)
  time.begin(stampMs)
  return { time, pass: (ms) => (now += ms) }
}

describe('cluster time', () => {
  it('goes on from the last stamp in the log, often where there is work, seldom where there is none', () => {
    const { time, pass } = timeFrom(100)
    pass(BUSY_STAMP_MS - 1)
    assert.equal(time.due(true), undefined)
    pass(1)
    assert.equal(time.due(false), undefined)
    assert.equal(time.due(true), 100 + BUSY_STAMP_MS)
    pass(IDLE_STAMP_MS)
    assert.equal(time.due(false), 100 + BUSY_STAMP_MS + IDLE_STAMP_MS)
    assert.equal(time.due(false), undefined)
  })

  it('of a leader that slept for long takes one bounded step: sessions must not all expire at once', () => {
    const { time, pass } = timeFrom(100)
    pass(3_600_000)
    assert.equal(time.due(true), 100 + MAX_STAMP_STEP_MS)
    pass(BUSY_STAMP_MS)
    assert.equal(time.due(true), 100 + MAX_STAMP_STEP_MS + BUSY_STAMP_MS)
  })
})
