import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { StateMachine } from '../../src/kv/types.ts'
import type { ReadCall } from '../../src/server/calls.ts'
import { stopping } from '../../src/server/refusals.ts'
import { WaitingReads } from '../../src/server/waiting-reads.ts'
import { ManualClock } from '../client/manual-clock.ts'

/** Reads that are served at a clock's time, and note who was served, in which turn. */
class Stage {
  readonly clock = new ManualClock()
  readonly failures: unknown[] = []
  readonly log: string[] = []
  readonly reads = new WaitingReads({
    machine: { revision: 7 } as StateMachine,
    clock: this.clock,
    unreadable: () => ({ ...stopping(), message: 'unreadable' }),
    failed: (error) => this.failures.push(error),
  })

  /** A read that takes so many milliseconds. */
  call(name: string, milliseconds: number, error?: Error): ReadCall {
    return {
      serve: ({ revision }) => {
        assert.equal(revision, 7)
        this.clock.spend(milliseconds)
        if (error !== undefined) throw error
        this.log.push(name)
      },
      fail: ({ message }) => this.log.push(`${name}: ${message}`),
    }
  }

  /** A round that a majority has confirmed. */
  confirmed(...calls: ReadCall[]): void {
    for (const call of calls) this.reads.add(call)
    this.reads.confirmed(this.reads.begin()!)
  }

  /** What happened since this was asked last. */
  take(): string[] {
    return this.log.splice(0)
  }
}

describe('confirmed reads', () => {
  it('that take next to nothing are all served at once', () => {
    const stage = new Stage()
    stage.confirmed(...Array.from({ length: 1000 }, () => stage.call('read', 0)))
    assert.equal(stage.take().length, 1000)
    assert.equal(stage.reads.count, 0)
  })

  it('that take long are served over several turns, in their order, each turn after everything else', async () => {
    const stage = new Stage()
    const { clock, reads } = stage
    stage.confirmed(...['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => stage.call(name, 2)))
    assert.deepEqual(stage.take(), ['a', 'b', 'c'])
    assert.deepEqual([reads.count, reads.ready], [4, 4])
    // What comes meanwhile waits its turn.
    reads.serve(stage.call('stale', 0))
    stage.confirmed(stage.call('h', 2))
    assert.deepEqual([stage.take(), reads.ready], [[], 6])
    clock.soon(() => stage.log.push('something else'))
    await clock.settle()
    assert.deepEqual(stage.take(), ['d', 'e', 'f', 'something else', 'g', 'stale', 'h'])
    assert.equal(reads.count, 0)
  })

  it('are served one a turn at least, however long each takes', async () => {
    const stage = new Stage()
    stage.confirmed(stage.call('a', 100), stage.call('b', 100), stage.call('c', 0))
    assert.deepEqual(stage.take(), ['a'])
    await stage.clock.settle()
    assert.deepEqual(stage.take(), ['b', 'c'])
  })

  it('are refused where the node stops before their turn, each once', async () => {
    const stage = new Stage()
    stage.confirmed(stage.call('a', 9), stage.call('b', 9))
    stage.reads.add(stage.call('c', 9))
    stage.reads.refuseAll(stopping())
    await stage.clock.settle()
    const refused = ['b', 'c'].map((name) => `${name}: ${stopping().message}`)
    assert.deepEqual([stage.take(), stage.reads.count], [['a', ...refused], 0])
  })

  it('are refused where the state cannot be read, in whichever turn, and the node is told', async () => {
    const stage = new Stage()
    const error = new Error('damaged')
    stage.confirmed(stage.call('a', 9), stage.call('b', 0, error), stage.call('c', 0))
    await stage.clock.settle()
    assert.deepEqual(stage.take(), ['a', 'b: unreadable', 'c: unreadable'])
    assert.deepEqual([stage.failures, stage.reads.count], [[error], 0])
    assert.throws(() => stage.confirmed(stage.call('d', 0, error), stage.call('e', 0)), error)
    assert.deepEqual(stage.take(), ['d: unreadable', 'e: unreadable'])
  })
})
