import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { command } from './support/entries.ts'
import { Lone } from './support/lone.ts'

describe('a cluster of one', () => {
  it('elects itself after an election time-out, once its vote is on disk', () => {
    const lone = new Lone({ voters: ['n1'] })
    lone.tick(9)
    assert.equal(lone.view.role, 'follower')
    lone.tick(11)
    assert.deepEqual([lone.view.role, lone.view.term, lone.view.leader], ['leader', 1, 'n1'])
    assert.deepEqual(lone.server.disk.hardState, { currentTerm: 1, votedFor: 'n1' })
    assert.deepEqual(lone.sent(), [])
  })

  it('commits and applies what its disk holds, not before', () => {
    const lone = new Lone({ voters: ['n1'] })
    lone.tick(20)
    lone.server.auto.persist = false
    lone.server.propose(command('set a 1'))
    assert.deepEqual([lone.view.commitIndex, lone.view.lastApplied], [1, 1])
    lone.server.persist()
    assert.deepEqual([lone.view.commitIndex, lone.view.lastApplied, lone.server.values.get('a')], [2, 2, '1'])
  })

  it('stays leader: it hears of a quorum, itself', () => {
    const lone = new Lone({ voters: ['n1'] })
    lone.tick(200)
    assert.deepEqual([lone.view.role, lone.view.term], ['leader', 1])
  })

  it('leads again after a restart, in a later term, with all it had', () => {
    const lone = new Lone({ voters: ['n1'] })
    lone.tick(20)
    lone.server.propose(command('set a 1'))
    lone.server.crash()
    lone.server.start()
    assert.equal(lone.view.lastApplied, 0)
    lone.tick(20)
    assert.deepEqual([lone.view.role, lone.view.term, lone.view.lastApplied], ['leader', 2, 3])
    assert.equal(lone.server.values.get('a'), '1')
  })
})
