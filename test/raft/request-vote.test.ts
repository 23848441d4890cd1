import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Lone } from './support/lone.ts'
import { append, preVote, vote, voteReply } from './support/messages.ts'

function answer(term: number, granted: boolean, to = 'n2'): object {
  return voteReply({ from: 'n1', to, term, granted })
}

describe('RequestVote, receiver implementation (Figure 3.1)', () => {
  it('1: replies false if term < currentTerm, with its own term', () => {
    const lone = new Lone({ term: 3 })
    assert.deepEqual(lone.receive(vote({ term: 2, lastLogIndex: 9, lastLogTerm: 2 })), [answer(3, false)])
    assert.equal(lone.view.hardState.votedFor, undefined)
  })

  it('2: grants if votedFor is null and the candidate’s log is at least as up-to-date', () => {
    const lone = new Lone()
    assert.deepEqual(lone.receive(vote()), [answer(1, true)])
    assert.deepEqual(lone.server.disk.hardState, { currentTerm: 1, votedFor: 'n2' })
  })

  it('2: grants again if votedFor is candidateId: a repeated request is answered the same', () => {
    const lone = new Lone()
    lone.receive(vote())
    assert.deepEqual(lone.receive(vote()), [answer(1, true)])
  })

  it('2: at most one vote a term, first come, first served (§3.4; etcd: FollowerVote)', () => {
    for (const [votedFor, candidate, granted] of [
      [undefined, 'n2', true],
      [undefined, 'n3', true],
      ['n2', 'n2', true],
      ['n3', 'n3', true],
      ['n2', 'n3', false],
      ['n3', 'n2', false],
    ] as const) {
      const lone = new Lone({ term: 1, ...(votedFor && { votedFor }) })
      assert.deepEqual(lone.receive(vote({ from: candidate })), [answer(1, granted, candidate)])
    }
  })

  it('2: no vote for another once this term’s leader is known', () => {
    const lone = new Lone({ term: 1 })
    lone.receive(append())
    assert.deepEqual(lone.receive(vote({ from: 'n3' })), [answer(1, false, 'n3')])
  })

  it('2, §3.6.1: compares the last terms, then the lengths of the logs (etcd: Voter)', () => {
    for (const [log, lastLogTerm, lastLogIndex, granted] of [
      [[1], 1, 1, true],
      [[1], 1, 2, true],
      [[1, 1], 1, 1, false],
      [[1], 2, 1, true],
      [[1], 2, 2, true],
      [[1, 1], 2, 1, true],
      [[2], 1, 1, false],
      [[2], 1, 2, false],
      [[2, 2], 1, 1, false],
      [[1, 1], 2, 1, true],
    ] as const) {
      const request = { term: 3, lastLogTerm, lastLogIndex }
      assert.deepEqual(
        new Lone({ log }).receive(vote(request)),
        [answer(3, granted)],
        `${log.join()} and ${lastLogTerm}/${lastLogIndex}`,
      )
      const [asked] = new Lone({ log }).receive(preVote(request))
      assert.equal(asked?.type === 'preVoteReply' && asked.granted, granted, 'and a pre-vote likewise')
    }
  })

  it('a request of a higher term that is refused still brings the term', () => {
    const lone = new Lone({ log: [1, 1] })
    assert.deepEqual(lone.receive(vote({ term: 5 })), [answer(5, false)])
    assert.deepEqual(lone.server.disk.hardState, { currentTerm: 5, votedFor: undefined })
  })

  it('§3.8: the vote is on disk before the reply leaves; a refusal promises nothing', () => {
    const lone = new Lone()
    lone.server.auto.persist = false
    assert.deepEqual(lone.receive(vote()), [])
    assert.deepEqual(lone.receive(vote({ from: 'n3' })), [answer(1, false, 'n3')])
    lone.server.persist()
    assert.deepEqual(lone.sent(), [answer(1, true)])
  })

  it('§3.8: a repeated request waits for the same disk', () => {
    const lone = new Lone()
    lone.server.auto.persist = false
    assert.deepEqual(lone.receive(vote(), vote()), [])
    lone.server.persist()
    assert.deepEqual(lone.sent(), [answer(1, true), answer(1, true)])
  })

  it('§3.8: a vote survives a restart', () => {
    const lone = new Lone()
    lone.receive(vote())
    lone.server.crash()
    lone.server.start()
    assert.deepEqual(lone.receive(vote({ from: 'n3' }), vote()), [answer(1, false, 'n3'), answer(1, true)])
  })

  it('granting a vote resets the election timer; refusing one does not (rules for followers)', () => {
    const ticksAfter = (...requests: ReturnType<typeof vote>[]): number => {
      const lone = new Lone({ term: 1, log: [1], votedFor: 'n2', raft: { electionTicks: 50 } })
      lone.tick(49)
      lone.receive(...requests)
      let ticks = 0
      for (; lone.view.role === 'follower'; ticks++) lone.tick()
      return ticks
    }
    const up = { lastLogTerm: 1, lastLogIndex: 1 }
    assert.ok(ticksAfter(vote(up)) >= 50)
    assert.equal(ticksAfter(vote({ from: 'n3', ...up })), ticksAfter(), 'voted for another')
  })
})
