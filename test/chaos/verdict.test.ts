import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judge } from '../../src/chaos/index.ts'
import type { Evidence, FinalNode } from '../../src/chaos/index.ts'
import { HistoryRecorder } from '../../src/check/index.ts'
import type { HistoryEvent } from '../../src/check/index.ts'

/** Two writes and a read, one after the other. */
function history(read: string): readonly HistoryEvent[] {
  let now = 0
  const recorder = new HistoryRecorder({ now: () => now++ })
  for (const [index, value] of ['1', '2'].entries()) {
    recorder.invoke('a', { op: 'put', key: 'x', value })
    recorder.ok('a', { revision: index + 1 })
  }
  recorder.invoke('b', { op: 'get', key: 'x' })
  recorder.ok('b', { entry: { value: read } })
  return recorder.events
}

const replica = (id: string, lastApplied: number, stateHash: string): FinalNode => ({
  id,
  lastApplied,
  stateHash,
})

/** A run in which all was well. */
const GOOD: Evidence = {
  history: history('2'),
  unique: { acknowledged: ['u/1', 'u/2'], unknown: ['u/3'], failed: ['u/4'] },
  versions: new Map([
    ['u/1', 1],
    ['u/2', 1],
    ['u/3', 1],
  ]),
  leaders: new Map([
    [1, new Set(['n1'])],
    [2, new Set(['n2'])],
  ]),
  replicas: [replica('n1', 9, 'aa'), replica('n2', 9, 'aa'), replica('n3', 8, 'bb')],
}

function kindsOf(change: Partial<Evidence>): string[] {
  return judge({ ...GOOD, ...change }).problems.map(({ kind }) => kind)
}

const versions = (changes: Readonly<Record<string, number | undefined>>) => {
  const changed = new Map(GOOD.versions)
  for (const [key, version] of Object.entries(changes)) {
    if (version === undefined) changed.delete(key)
    else changed.set(key, version)
  }
  return { versions: changed }
}

describe('the verdict', () => {
  it('finds nothing wrong with a good run, whatever became of what nobody knows', () => {
    assert.deepEqual(kindsOf({}), [])
    assert.deepEqual(kindsOf(versions({ 'u/3': undefined })), [])
    assert.equal(judge(GOOD).check?.verdict, 'linearizable')
  })

  it('catches a stale read', () => {
    const { problems } = judge({ ...GOOD, history: history('1') })
    assert.deepEqual(
      problems.map(({ kind }) => kind),
      ['not-linearizable'],
    )
  })

  it('catches an acknowledged write that is lost', () => {
    assert.deepEqual(kindsOf(versions({ 'u/2': undefined })), ['lost'])
  })

  it('catches a write that was applied twice, acknowledged or not', () => {
    assert.deepEqual(kindsOf(versions({ 'u/1': 2 })), ['applied-twice'])
    assert.deepEqual(kindsOf(versions({ 'u/3': 2 })), ['applied-twice'])
  })

  it('catches a write that failed for certain and is there', () => {
    assert.deepEqual(kindsOf(versions({ 'u/4': 1 })), ['undead'])
  })

  it('catches two leaders in one term', () => {
    const leaders = new Map([[2, new Set(['n3', 'n1'])]])
    const { problems } = judge({ ...GOOD, leaders })
    assert.deepEqual(problems, [{ kind: 'two-leaders', text: 'term 2 had the leaders n1 and n3' }])
  })

  it('catches replicas that differ after the same entry, and no others', () => {
    assert.deepEqual(kindsOf({ replicas: [replica('n1', 9, 'aa'), replica('n2', 9, 'ab')] }), [
      'replicas-differ',
    ])
    assert.deepEqual(kindsOf({ replicas: [replica('n1', 9, 'aa'), replica('n2', 8, 'ab')] }), [])
  })

  it('does not take an undecided history for a good one', () => {
    const { problems } = judge(GOOD, { maxSteps: 1 })
    assert.deepEqual(
      problems.map(({ kind }) => kind),
      ['undecided'],
    )
  })

  it('does not take a history that it cannot understand for a good one', () => {
    const ok = { process: 'a', type: 'ok' } as const
    assert.deepEqual(kindsOf({ history: [ok] }), ['undecided'])
  })
})
