import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Clock } from '../../src/clock.ts'
import { Dialer } from '../../src/transport/dialer.ts'
import type { PeerStream } from '../../src/transport/peer-stream.ts'

interface Bench {
  readonly dialer: Dialer
  /** The attempts that were made so far. */
  readonly attempts: () => number
  /** The timers that are set, in milliseconds from now. */
  readonly timers: () => number[]
  /** Lets the attempt that is under way end, `lasted` milliseconds after it was made. */
  readonly fail: (lasted: number, refused?: boolean) => void
  /** Lets the timer fire. */
  readonly fire: () => void
}

/** A dialer on a clock that stands still, with pauses that are not jittered. */
function bench(): Bench {
  let now = 0
  const timers = new Map<object, { at: number; run: () => void }>()
  const streams: PeerStream[] = []
  const clock: Clock = {
    now: () => now,
    after(milliseconds, run) {
      const timer = { cancel: () => void timers.delete(timer) }
      timers.set(timer, { at: now + milliseconds, run })
      return timer
    },
    soon: () => assert.fail('not used'),
  }
  const dialer = new Dialer({
    clock,
    random: () => 1,
    maxBackoffMs: 1000,
    refusedBackoffMs: 5000,
    dial() {
      streams.push({} as PeerStream)
      return streams.at(-1)!
    },
  })
  return {
    dialer,
    attempts: () => streams.length,
    timers: () => [...timers.values()].map((timer) => timer.at - now),
    fail(lasted, refused = false) {
      now += lasted
      dialer.ended(streams.at(-1)!, refused)
    },
    fire() {
      const [[timer, { at, run }]] = [...timers] as [[object, { at: number; run: () => void }]]
      timers.delete(timer)
      now = at
      run()
    },
  }
}

describe('a dialer', () => {
  it('doubles its pauses up to the longest, with one timer at a time', () => {
    const { dialer, fail, fire, timers } = bench()
    dialer.dial()
    const pauses: number[] = []
    for (let i = 0; i < 9; i++) {
      fail(0)
      assert.equal(timers().length, 1)
      pauses.push(timers()[0]!)
      fire()
      assert.deepEqual(timers(), [])
    }
    assert.deepEqual(pauses, [20, 40, 80, 160, 320, 640, 1000, 1000, 1000])
  })

  it('dials at once after an attempt that hung for as long as the pause would be', () => {
    const { dialer, fail, timers } = bench()
    dialer.dial()
    fail(1000)
    assert.deepEqual(timers(), [5])
  })

  it('begins anew after a stream that stood, but not after one that broke at once', () => {
    const { dialer, fail, fire, timers } = bench()
    dialer.dial()
    for (let i = 0; i < 8; i++) {
      fail(1)
      fire()
    }
    fail(1)
    assert.deepEqual(timers(), [999])
    fire()
    fail(2000)
    assert.deepEqual(timers(), [5])
  })

  it('waits for long after a refusal', () => {
    const { dialer, fail, timers } = bench()
    dialer.dial()
    fail(1, true)
    assert.deepEqual(timers(), [5000])
  })

  it('dials at once when it is woken, and takes its timer back', () => {
    const { dialer, fail, attempts, timers } = bench()
    dialer.dial()
    fail(1, true)
    dialer.wake()
    assert.equal(attempts(), 2)
    assert.deepEqual(timers(), [])
  })

  it('tries once more at once where it was woken during an attempt that then fails', () => {
    const { dialer, fail, attempts, timers } = bench()
    dialer.dial()
    dialer.wake()
    assert.equal(attempts(), 1)
    fail(1)
    assert.deepEqual(timers(), [0])
  })

  it('does nothing once it is closed', () => {
    const { dialer, fail, attempts, timers } = bench()
    dialer.dial()
    fail(1)
    dialer.close()
    dialer.wake()
    dialer.dial()
    assert.equal(attempts(), 1)
    assert.deepEqual(timers(), [])
  })

  it('does not care for the end of a stream that it has replaced', () => {
    const { dialer, timers } = bench()
    dialer.dial()
    dialer.ended({} as PeerStream, false)
    assert.deepEqual(timers(), [])
  })
})
