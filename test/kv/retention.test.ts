import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compactionTarget, type RetentionPolicy } from '../../src/kv/retention.ts'
import { RevisionMarks } from '../../src/kv/revision-marks.ts'
import { Replica, restore, succeeded } from './support.ts'

const POLICY: RetentionPolicy = { historyRevisions: 100, historyMs: 10_000, maxHistoryBytes: 1_000_000 }

/** Marks of a store that made `rate` revisions of `size` bytes a second, up to `seconds`. */
function marked(seconds: number, rate: number, size = 100): RevisionMarks {
  const marks = new RevisionMarks()
  for (let i = 1; i <= seconds; i++)
    marks.add({ clusterTimeMs: i * 1000, revision: i * rate, historyBytes: i * rate * size })
  return marks
}

function target(policy: Partial<RetentionPolicy>, seconds: number, rate: number, size = 100): number {
  const state = {
    revision: seconds * rate,
    clusterTimeMs: seconds * 1000,
    historyBytes: seconds * rate * size,
  }
  return compactionTarget({ ...POLICY, ...policy }, { ...state, marks: marked(seconds, rate, size) })
}

describe('what of history is kept', () => {
  it('the newest revisions or the newest time, whichever is more', () => {
    assert.equal(target({}, 60, 1), 0, 'there are fewer revisions')
    assert.equal(target({}, 60, 5), 200, 'the revisions are more: 20 s')
    assert.equal(target({}, 60, 20), 1000, 'the time is more: 200 revisions')
    assert.equal(target({}, 9, 20), 0, 'nothing is that old')
  })

  it('but no more than so many bytes', () => {
    assert.equal(target({ maxHistoryBytes: 10_000 }, 60, 5), 200)
    assert.equal(target({ maxHistoryBytes: 9_000 }, 60, 5), 210)
    assert.equal(target({ maxHistoryBytes: 9_000 }, 9, 20), 100, 'the next mark')
    assert.equal(target({ maxHistoryBytes: 1 }, 9, 20), 180, 'the newest mark')
  })
})

describe('marks', () => {
  it('are bounded, and far enough back about as fine as the time that they span', () => {
    const seconds = 20_000
    const marks = marked(seconds, 1)
    assert.ok(marks.list.length <= 256 && marks.list.length >= 100, `${marks.list.length}`)
    for (const back of [100, 1000, 5000, 15_000]) {
      const found = marks.revisionAt((seconds - back) * 1000)
      assert.ok(found <= seconds - back, 'never too new')
      assert.ok(seconds - back - found <= seconds / 60, `${back} s back: ${found}`)
    }
  })

  it('an idle store makes none, and what stood before stands on', () => {
    const marks = marked(10, 1)
    const { length } = marks.list
    for (let i = 11; i < 100; i++) marks.add({ clusterTimeMs: i * 1000, revision: 10, historyBytes: 1000 })
    assert.equal(marks.list.length, length)
    assert.equal(marks.revisionAt(50_000), 10)
  })

  it('of what is compacted are forgotten, but for the one that tells how much that was', () => {
    const marks = marked(100, 10)
    marks.forget(505)
    assert.equal(marks.list[0]!.revision, 500)
    assert.equal(marks.revisionWithin(1e9, 100_000), 500)
    marks.forget(5000)
    assert.deepEqual(
      marks.list.map(({ revision }) => revision),
      [1000],
    )
  })

  it('come with time stamps, and back after a restart', async () => {
    const replica = await Replica.create()
    const policy = { historyRevisions: 1, historyMs: 2000, maxHistoryBytes: 1e9 }
    for (let second = 1; second <= 9; second++) {
      replica.put('a', `${second}`)
      replica.time(second * 1000)
    }
    assert.equal(replica.machine.compactionTarget(policy), 7)
    replica.checkpoint()
    const machine = await restore(replica.store)
    assert.equal(machine.compactionTarget(policy), 7)
    succeeded(replica.run({ type: 'compact', revision: 7 }))
    assert.equal(replica.machine.compactionTarget(policy), undefined)
    assert.equal(replica.machine.compactionTarget({ ...policy, maxHistoryBytes: 30 }), 8)
  })
})
