import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from './support/cluster.ts'
import { command } from './support/entries.ts'
import { Lone } from './support/lone.ts'
import {
  append,
  appendReply,
  heartbeat,
  heartbeatReply,
  preVote,
  preVoteReply,
  vote,
  voteReply,
} from './support/messages.ts'

describe('PreVote (§9.6)', () => {
  it('asks for the next term without entering it, and votes for nobody', () => {
    const lone = new Lone({ term: 3 })
    const sent = lone.timeout()
    assert.deepEqual(
      sent.map(({ type, term }) => [type, term]),
      [
        ['preVote', 4],
        ['preVote', 4],
      ],
    )
    assert.deepEqual(lone.view.hardState, { currentTerm: 3, votedFor: undefined })
  })

  it('granting one changes nothing: no term, no vote, no timer, no write', () => {
    const lone = new Lone({ term: 3, raft: { electionTicks: 50 } })
    const other = new Lone({ term: 3, raft: { electionTicks: 50 } })
    lone.tick(30)
    other.tick(30)
    const output = lone.server.receive(preVote({ term: 9 }))
    assert.equal(output.write, undefined)
    assert.deepEqual(output.messages, [preVoteReply({ from: 'n1', to: 'n2', term: 9, granted: true })])
    assert.deepEqual(lone.view, other.view)
    let ticks = 0
    for (; lone.view.role === 'follower'; ticks++) lone.tick()
    other.tick(ticks)
    assert.equal(other.view.role, 'preCandidate')
  })

  it('may be granted to several in the same term', () => {
    const lone = new Lone()
    const replies = lone.receive(preVote({ from: 'n2' }), preVote({ from: 'n3' }))
    assert.deepEqual(
      replies.map((reply) => reply.type === 'preVoteReply' && reply.granted),
      [true, true],
    )
  })

  it('is refused for the current term, with that term', () => {
    const lone = new Lone({ term: 4 })
    assert.deepEqual(lone.receive(preVote({ term: 4 })), [
      preVoteReply({ from: 'n1', to: 'n2', term: 4, granted: false }),
    ])
  })

  it('lost: back to follower, in the same term', () => {
    const lone = new Lone({ term: 3 })
    lone.timeout()
    const refusal = { term: 3, granted: false }
    lone.receive(preVoteReply(refusal), preVoteReply({ ...refusal, from: 'n3' }))
    assert.deepEqual([lone.view.role, lone.view.term], ['follower', 3])
  })

  it('unanswered: asks again after an election time-out', () => {
    const lone = new Lone()
    lone.timeout()
    assert.equal(lone.timeout().length, 2)
    assert.equal(lone.view.term, 0)
  })

  it('a grant of an earlier round, for another term, does not count', () => {
    const lone = new Lone({ term: 1 })
    lone.timeout()
    lone.receive(append({ term: 2 }))
    lone.timeout()
    lone.receive(preVoteReply({ term: 2 }))
    assert.equal(lone.view.role, 'preCandidate')
    lone.receive(preVoteReply({ term: 3 }))
    assert.equal(lone.view.role, 'candidate')
  })

  it('a server that was cut off comes back without disturbing the leader', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.isolate('n3')
    cluster.pass(100)
    assert.equal(cluster.server('n3').view.term, 1)
    cluster.heal()
    cluster.pass(30)
    assert.deepEqual(
      cluster.leaders.map(({ id, view }) => [id, view.term]),
      [['n1', 1]],
    )
    assert.equal(cluster.server('n3').view.leader, 'n1')
  })

  it('one that asks with a lower term learns the higher one, so that it is not cut off for ever', () => {
    const found = { n1: { log: [1, 1], term: 1 }, n2: { log: [1], term: 5 } }
    const cluster = new Cluster({ found })
    cluster.crash('n3')
    cluster.pass(60)
    assert.deepEqual(
      cluster.leaders.map(({ id }) => id),
      ['n1'],
    )
    assert.ok(cluster.server('n1').view.term > 5)
  })

  it('a server of a higher term that comes back brings the leader to that term, and follows again', () => {
    const cluster = new Cluster({ found: { n3: { term: 8 } } })
    cluster.isolate('n3')
    cluster.elect('n1')
    cluster.heal()
    cluster.pass(60)
    assert.equal(cluster.leaders.length, 1)
    assert.ok(cluster.leaders[0]!.view.term > 8)
    assert.deepEqual(
      [...cluster.servers.values()].map(({ view }) => view.leader),
      Array(3).fill(cluster.leaders[0]!.id),
    )
  })
})

describe('leader stickiness (§4.2.3)', () => {
  for (const request of [preVote({ from: 'n3', term: 9 }), vote({ from: 'n3', term: 9 })]) {
    it(`who has heard from a leader within the shortest time-out ignores a ${request.type}, and its term`, () => {
      const lone = new Lone()
      lone.receive(append())
      lone.tick(9)
      assert.deepEqual(lone.receive(request), [])
      assert.equal(lone.view.term, 1)
      assert.equal(lone.view.leader, 'n2')
    })

    it(`who has not answers a ${request.type}`, () => {
      const lone = new Lone({ raft: { seed: 5 } })
      lone.receive(heartbeat())
      lone.tick(10)
      const [reply] = lone.receive(request)
      const expected = { from: 'n1', to: 'n3', term: 9, granted: true }
      assert.deepEqual(reply, request.type === 'vote' ? voteReply(expected) : preVoteReply(expected))
    })

    it(`a leader ignores a ${request.type}`, () => {
      const lone = new Lone()
      lone.lead()
      assert.deepEqual(lone.receive(request), [])
      assert.deepEqual([lone.view.role, lone.view.term], ['leader', 1])
    })
  }

  it('who just started knows of no leader, and answers', () => {
    assert.equal(new Lone().receive(vote({ term: 2 })).length, 1)
  })
})

describe('CheckQuorum (§6.2)', () => {
  it('a leader that hears of no majority for an election time-out steps down', () => {
    const lone = new Lone({ voters: ['n1', 'n2', 'n3', 'n4', 'n5'] })
    lone.lead()
    for (let i = 0; i < 5; i++) {
      lone.receive(heartbeatReply({ from: 'n2' }), appendReply({ from: 'n3', matchIndex: 0 }))
      lone.tick(10)
      assert.equal(lone.view.role, 'leader')
    }
    lone.receive(heartbeatReply({ from: 'n2' }))
    lone.tick(10)
    assert.deepEqual([lone.view.role, lone.view.term, lone.view.leader], ['follower', 1, undefined])
  })

  it('one follower heard many times is one', () => {
    const lone = new Lone({ voters: ['n1', 'n2', 'n3', 'n4', 'n5'] })
    lone.lead()
    for (let i = 0; i < 20; i++) {
      lone.receive(heartbeatReply({ from: 'n2' }))
      lone.tick()
    }
    assert.equal(lone.view.role, 'follower')
  })

  it('a new leader has a whole election time-out', () => {
    const lone = new Lone()
    lone.lead()
    lone.tick(10)
    assert.equal(lone.view.role, 'leader')
    lone.tick(10)
    assert.equal(lone.view.role, 'follower')
  })

  it('a leader cut off from all is replaced, and steps down by itself', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.isolate('n1')
    cluster.pass(60)
    assert.equal(cluster.leaders.length, 1)
    assert.notEqual(cluster.leaders[0]!.id, 'n1')
    assert.notEqual(cluster.server('n1').view.role, 'leader')
  })

  it('a leader that still sends but hears nothing steps down', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    for (let i = 0; i < 30; i++) {
      for (const server of cluster.servers.values()) server.tick()
      for (const to of ['n2', 'n3']) cluster.run({ to })
      cluster.take({ to: 'n1' })
    }
    assert.notEqual(cluster.server('n1').view.role, 'leader')
  })

  it('a deposed leader campaigns again later, and can lead again', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.isolate('n1')
    cluster.server('n1').tick(20)
    assert.equal(cluster.server('n1').view.role, 'follower')
    cluster.heal()
    cluster.take()
    cluster.elect('n1')
    assert.equal(cluster.server('n1').view.term, 2)
    cluster.write('n1', 'set a 1')
    assert.equal(cluster.server('n3').values.get('a'), '1')
  })

  it('entries of a deposed leader without a majority are replaced, and nobody retries them', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.isolate('n1')
    cluster.server('n1').propose(command('set lost 1'), command('set lost 2'))
    cluster.pass(60)
    const leader = cluster.leaders[0]!
    cluster.write(leader.id, 'set kept 1')
    cluster.heal()
    cluster.pass(60)
    for (const { id, values, log } of cluster.servers.values()) {
      assert.deepEqual([...values], [['kept', '1']], id)
      assert.equal(
        log.some(({ data }) => Buffer.from(data).includes('lost')),
        false,
        id,
      )
    }
    assert.equal(cluster.server('n1').view.persistedIndex, leader.view.lastIndex)
  })
})
