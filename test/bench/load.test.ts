import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Timeline } from '../../bench/availability.ts'
import { count, resultOf } from '../../bench/load.ts'

/** A clock that is a millisecond later whenever it is asked. */
function ticking(): () => number {
  let time = 1000
  return () => time++
}

describe('a closed loop', () => {
  it('counts answers and errors apart, and adds several up', async () => {
    let turn = 0
    const run = () => (turn++ % 2 === 0 ? Promise.resolve() : Promise.reject(new Error('no')))
    const options = { op: 'put', inFlight: 1, warmUpMs: 0, measureMs: 20, run, now: ticking() }
    const counted = await count(options)
    // An answer takes two looks at the clock and an error one.
    assert.deepEqual([counted.acknowledged, counted.errors, counted.firstError], [7, 6, 'Error: no'])
    assert.equal(turn, 13)
    assert.deepEqual(resultOf(options, [counted, counted]), {
      ...{ op: 'put', inFlight: 1, opsPerSecond: 700, acknowledged: 14, errors: 12 },
      ...{ p50: 1, p95: 1, p99: 1, p999: 1 },
    })
  })

  it('counts nothing that begins in the warm-up or ends after the time', async () => {
    let turn = 0
    const run = () => Promise.resolve(turn++)
    const counted = await count({ op: 'get', inFlight: 2, warmUpMs: 10, measureMs: 10, run, now: ticking() })
    assert.ok(counted.acknowledged > 0)
    assert.ok(counted.acknowledged < turn - 1, `${counted.acknowledged} of ${turn}`)
  })
})

describe('the time line', () => {
  it('counts by the second, and notes what happened', () => {
    const timeline = new Timeline(2)
    timeline.count(0, true)
    timeline.count(999.9, true)
    timeline.count(1000, false)
    timeline.count(2000, true)
    timeline.note(1500, 'leader killed')
    assert.deepEqual(timeline.rows(), [
      { second: 1, acknowledged: 2, errors: 0 },
      { second: 2, acknowledged: 0, errors: 1, event: 'leader killed' },
    ])
  })
})
