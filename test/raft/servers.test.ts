import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftNode } from '../../src/raft/node.ts'
import { raftOptions } from './support/cluster.ts'
import { entriesOfTerms } from './support/entries.ts'
import { Lone } from './support/lone.ts'
import {
  append,
  appendReply,
  heartbeat,
  heartbeatReply,
  preVoteReply,
  vote,
  voteReply,
} from './support/messages.ts'
import type { Message } from '../../src/raft/types.ts'

/** A server in each role, in term 1 unless told. */
const ROLES = {
  follower: (term = 1): Lone => {
    const lone = new Lone({ term })
    lone.receive(append({ term }))
    return lone
  },
  preCandidate: (term = 1): Lone => {
    const lone = new Lone({ term })
    lone.timeout()
    return lone
  },
  candidate: (term = 1): Lone => {
    const lone = new Lone({ term: term - 1 })
    lone.campaign()
    return lone
  },
  leader: (term = 1): Lone => {
    const lone = new Lone({ term: term - 1 })
    lone.lead()
    return lone
  },
}

describe('state (Figure 3.1)', () => {
  it('a server starts as a follower, of nobody (§3.4)', () => {
    const { view } = new Lone()
    assert.deepEqual(
      [view.role, view.term, view.leader, view.hardState.votedFor],
      ['follower', 0, undefined, undefined],
    )
    assert.deepEqual([view.commitIndex, view.lastApplied, view.lastIndex], [0, 0, 0])
  })

  it('currentTerm, votedFor and the log are those of the disk; commitIndex begins where the state machine is', () => {
    const lone = new Lone({ log: [1, 2, 2], term: 4, votedFor: 'n3' })
    lone.server.disk.checkpoint = { applied: 2, values: new Map() }
    lone.server.start()
    assert.deepEqual(lone.view.hardState, { currentTerm: 4, votedFor: 'n3' })
    assert.deepEqual([lone.view.lastIndex, lone.view.persistedIndex], [3, 3])
    assert.deepEqual([lone.view.commitIndex, lone.view.lastApplied], [2, 2])
  })

  it('refuses a state machine ahead of the log, and a log ahead of the term', () => {
    const lone = new Lone({ log: [2] })
    const found = lone.server.disk.load()
    const options = raftOptions('n1', ['n1'])
    assert.throws(() => new RaftNode(options, { ...found, applied: 2 }), /ahead of the log/)
    const hardState = { currentTerm: 1, votedFor: undefined }
    assert.throws(() => new RaftNode(options, { ...found, hardState }), /later term/)
  })
})

describe('rules for all servers (Figure 3.1)', () => {
  const higher: Message[] = [
    append({ term: 7 }),
    appendReply({ term: 7, success: false }),
    heartbeat({ term: 7 }),
    heartbeatReply({ term: 7 }),
    voteReply({ term: 7, granted: false }),
    preVoteReply({ term: 7, granted: false }),
  ]
  for (const [role, make] of Object.entries(ROLES)) {
    for (const message of higher) {
      it(`a ${role} that hears of a higher term by ${message.type} enters it as a follower`, () => {
        const lone = make()
        assert.equal(lone.view.role, role)
        lone.receive(message)
        assert.deepEqual([lone.view.role, lone.view.term], ['follower', 7])
        assert.deepEqual(lone.server.disk.hardState, { currentTerm: 7, votedFor: undefined })
      })
    }
  }

  it('a pre-candidate or candidate enters the term of a higher RequestVote', () => {
    for (const make of [ROLES.preCandidate, ROLES.candidate]) {
      const lone = make()
      lone.receive(vote({ term: 7 }))
      assert.deepEqual([lone.view.role, lone.view.term, lone.view.hardState.votedFor], ['follower', 7, 'n2'])
    }
  })

  it('a leader’s message teaches a new follower at once who leads', () => {
    for (const make of Object.values(ROLES)) {
      const lone = make()
      const [reply] = lone
        .receive(append({ term: 7, from: 'n3' }))
        .filter(({ type }) => type === 'appendReply')
      assert.equal(lone.view.leader, 'n3')
      assert.equal(reply?.type === 'appendReply' && reply.success, true)
    }
  })

  it('messages of a lower term change nothing in any role (§3.3; etcd: RejectStaleTermMessage)', () => {
    const lower: Message[] = [
      append({ term: 1, entries: entriesOfTerms([1]) }),
      appendReply({ term: 1, matchIndex: 1 }),
      heartbeat({ term: 1, leaderCommit: 9 }),
      heartbeatReply({ term: 1, readContext: 9 }),
      vote({ term: 1, lastLogIndex: 9, lastLogTerm: 1 }),
      voteReply({ term: 1 }),
      preVoteReply({ term: 1 }),
    ]
    for (const [role, make] of Object.entries(ROLES)) {
      for (const message of lower) {
        const lone = make(5)
        const before = lone.view
        assert.deepEqual([before.role, before.term], [role, 5])
        lone.receive(message)
        assert.deepEqual(lone.view, before, `${message.type} to a ${role}`)
        assert.deepEqual(lone.server.disk.hardState, before.hardState)
      }
    }
  })

  it('an append, heartbeat, vote or pre-vote of a lower term is answered with the current term', () => {
    const lone = new Lone({ term: 5 })
    const types = {
      append: 'appendReply',
      heartbeat: 'heartbeatReply',
      vote: 'voteReply',
      preVote: 'preVoteReply',
    }
    for (const message of [append(), heartbeat(), vote(), vote({ type: 'preVote' })]) {
      const [reply] = lone.receive({ ...message, term: 4 })
      assert.deepEqual([reply?.type, reply?.term, reply?.to], [types[message.type], 5, 'n2'])
    }
  })

  it('a reply of a lower term is not answered', () => {
    const lone = new Lone({ term: 5 })
    assert.deepEqual(lone.receive(voteReply(), appendReply(), heartbeatReply(), preVoteReply()), [])
  })

  it('a message of somebody who is no member is ignored', () => {
    const lone = new Lone()
    assert.deepEqual(lone.receive(vote({ from: 'n9', term: 9 })), [])
    assert.equal(lone.view.term, 0)
  })

  it('a message to another stops the node', () => {
    assert.throws(() => new Lone().receive(vote({ to: 'n3' })), /came to n1/)
  })

  it('§3.3: the new term is written before anything that rests on it', () => {
    const lone = new Lone()
    const { write } = lone.server.step({ type: 'message', message: append({ term: 3 }) })
    assert.deepEqual(write?.hardState, { currentTerm: 3, votedFor: undefined })
  })

  it('commitIndex > lastApplied: applies in order, and waits for the state machine', () => {
    const lone = new Lone()
    lone.server.auto.apply = false
    lone.receive(append({ entries: entriesOfTerms([1, 1, 1]), leaderCommit: 3 }))
    assert.deepEqual(
      lone.server.pendingApply.map(({ index }) => index),
      [1, 2, 3],
    )
    assert.equal(lone.view.lastApplied, 0, 'nothing is applied before the state machine says so')
    lone.server.apply(2)
    assert.equal(lone.view.lastApplied, 2)
    lone.server.apply()
    assert.deepEqual([lone.view.lastApplied, lone.server.values.get('k2')], [3, 't1'])
  })

  it('reports role, term and leader whenever one of them changes, and only then', () => {
    const lone = new Lone()
    const statusOf = (message: Message) => lone.server.step({ type: 'message', message }).status
    assert.deepEqual(statusOf(append()), { role: 'follower', term: 1, leader: 'n2' })
    assert.equal(statusOf(append()), undefined)
    assert.deepEqual(statusOf(appendReply({ term: 2 })), { role: 'follower', term: 2, leader: undefined })
  })

  it('the leader is forgotten on every transition', () => {
    const follower = ROLES.follower()
    follower.timeout()
    assert.deepEqual([follower.view.role, follower.view.leader], ['preCandidate', undefined])

    const next = ROLES.follower()
    next.tick(20)
    next.receive(vote({ term: 2 }))
    assert.deepEqual([next.view.term, next.view.leader], [2, undefined])

    const leader = ROLES.leader()
    leader.tick(2 * leader.server.options.electionTicks)
    assert.deepEqual([leader.view.role, leader.view.leader], ['follower', undefined])

    const deposed = ROLES.leader()
    deposed.receive(appendReply({ term: 2, success: false }))
    assert.equal(deposed.view.leader, undefined)
  })
})

describe('rules for followers (Figure 3.1)', () => {
  it('responds to requests, and campaigns after an election time-out without any (etcd: FollowerStartElection)', () => {
    const lone = ROLES.follower()
    const [first, second, ...rest] = lone.timeout()
    const asked = { lastLogIndex: 0, lastLogTerm: 0, term: 2, from: 'n1' }
    assert.deepEqual(
      [first, second],
      [vote({ ...asked, type: 'preVote', to: 'n2' }), vote({ ...asked, type: 'preVote', to: 'n3' })],
    )
    assert.deepEqual(rest, [])
  })

  it('does not campaign while it hears from the leader, by appends or heartbeats', () => {
    const lone = ROLES.follower()
    for (let i = 0; i < 20; i++) {
      lone.tick(9)
      lone.receive(i % 2 === 0 ? append() : heartbeat())
      assert.equal(lone.view.role, 'follower')
    }
  })

  it('is not kept from it by a message of an old leader', () => {
    const lone = new Lone({ term: 2 })
    for (let i = 0; i < 20; i++) {
      lone.tick()
      lone.receive(append({ term: 1 }))
    }
    assert.equal(lone.view.role, 'preCandidate')
  })

  it('refuses proposals and reads', () => {
    const lone = ROLES.follower()
    assert.equal(lone.server.propose({ kind: 1, data: Buffer.from('set a 1') }), undefined)
    assert.deepEqual(lone.server.step({ type: 'readIndex', id: 3 }).refusedReads, [3])
    assert.deepEqual(lone.terms, [])
  })

  it('a learner never campaigns (§4.2.1)', () => {
    const membership = { voters: ['n2', 'n3'], outgoing: [], learners: ['n1'] }
    const lone = new Lone({ raft: { membership } })
    lone.tick(100)
    assert.equal(lone.view.role, 'follower')
  })
})
