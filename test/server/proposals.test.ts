import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EntryKind } from '../../src/raft/types.ts'
import type { LogEntry } from '../../src/raft/types.ts'
import type { WriteCall } from '../../src/server/calls.ts'
import { Proposals } from '../../src/server/proposals.ts'
import { leadershipLost, notLeader } from '../../src/server/refusals.ts'

const NOT_EXECUTED = notLeader({ role: 'follower', term: 2, leader: undefined }, () => '')
const UNKNOWN = leadershipLost('this node no longer leads')
const DONE = { revision: 1, succeeded: true, current: undefined, session: 0 }

function proposals(maxWaitingProposals = 10): Proposals {
  return new Proposals({ maxWaitingProposals, maxWaitingBytes: 100 })
}

/** A call of ten bytes that notes in `ended` how it ended. */
function call(name: string, ended: string[]): WriteCall {
  return {
    kind: EntryKind.Command,
    data: new Uint8Array(10),
    succeed: ({ revision }) => void ended.push(`${name}: revision ${revision}`),
    fail: ({ notExecuted }) => void ended.push(`${name}: ${notExecuted ? 'not executed' : 'unknown'}`),
  }
}

function entry(index: number): LogEntry {
  const data = new Uint8Array(0)
  return { index, term: 1, kind: EntryKind.Command, data, checksum: 0, encoded: data, size: 0 }
}

describe('proposals', () => {
  it('are answered in the order of the log, each by its own entry', () => {
    const ended: string[] = []
    const waiting = proposals()
    for (const name of ['a', 'b']) waiting.add(call(name, ended))
    waiting.placed(5)
    waiting.add(call('c', ended))
    waiting.placed(7)
    waiting.applied(entry(4), DONE)
    assert.deepEqual(ended, [], 'an older entry is nobody’s here')
    for (const index of [5, 6, 7]) waiting.applied(entry(index), { ...DONE, revision: index })
    assert.deepEqual(ended, ['a: revision 5', 'b: revision 6', 'c: revision 7'])
    assert.equal(waiting.waiting, 0)
  })

  it('that the state machine refuses were not executed', () => {
    const ended: string[] = []
    const waiting = proposals()
    waiting.add(call('a', ended))
    waiting.placed(1)
    waiting.applied(entry(1), { refused: 'SESSION_EXPIRED', message: '' })
    assert.deepEqual(ended, ['a: not executed'])
  })

  it('lost with the leadership: unknown where they stand in the log, not executed where they do not', () => {
    const ended: string[] = []
    const waiting = proposals()
    waiting.add(call('in the log', ended))
    waiting.placed(1)
    waiting.add(call('queued', ended))
    waiting.failAll(NOT_EXECUTED, UNKNOWN)
    assert.deepEqual(ended, ['in the log: unknown', 'queued: not executed'])
  })

  it('lost with the leadership are not proposed again when it is regained', () => {
    const ended: string[] = []
    const waiting = proposals()
    waiting.add(call('in the log', ended))
    waiting.placed(1)
    waiting.add(call('queued', ended))
    waiting.failAll(NOT_EXECUTED, UNKNOWN)
    assert.deepEqual([waiting.queued.length, waiting.waiting, waiting.full], [0, 0, false])
    waiting.add(call('new', ended))
    waiting.placed(3)
    waiting.applied(entry(1), DONE)
    waiting.applied(entry(3), { ...DONE, revision: 3 })
    assert.deepEqual(ended.slice(2), ['new: revision 3'], 'the old entry answers nobody a second time')
  })

  it('are limited in number and in bytes, those in the log included', () => {
    const few = proposals(2)
    few.add(call('a', []))
    few.placed(1)
    assert.equal(few.full, false)
    few.add(call('b', []))
    assert.equal(few.full, true)
    few.applied(entry(1), DONE)
    assert.equal(few.full, false)
    const large = proposals(100)
    for (let i = 0; i < 10; i++) large.add(call('x', []))
    assert.equal(large.full, true)
  })
})
