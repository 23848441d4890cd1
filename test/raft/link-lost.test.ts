import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from './support/cluster.ts'
import { Lone } from './support/lone.ts'
import type { LoneOptions } from './support/lone.ts'
import { heartbeat, preVote, preVoteReply } from './support/messages.ts'

const VOTERS = ['n3', 'n1', 'n2', 'n4', 'n5']
const raft = { electionTicks: 100, heartbeatTicks: 5 }

/** A follower (n3 of five, unless told) that has heard from n1, the leader, a few ticks ago. */
function following(options: LoneOptions = {}): Lone {
  const lone = new Lone({ voters: VOTERS, raft, ...options })
  lone.receive(heartbeat({ from: 'n1', to: 'n3' }))
  lone.tick(7)
  return lone
}

function lose(lone: Lone, peer: string): void {
  lone.server.step({ type: 'linkLost', peer })
}

describe('a follower whose link to the leader breaks', () => {
  it('campaigns in its turn: in the order of ids, without the leader, a heartbeat after the one before', () => {
    const lone = following()
    lose(lone, 'n1')
    assert.equal(lone.view.role, 'follower')
    assert.equal(lone.ticksToCampaign(), 1 + 5, 'n2 comes before n3')

    const next = new Lone({ voters: ['n1', 'n2', 'n3'], raft })
    next.receive(heartbeat({ from: 'n2' }))
    lose(next, 'n2')
    assert.equal(next.ticksToCampaign(), 1, 'nobody comes before n1')
  })

  it('helps to unseat it: it grants pre-votes at once', () => {
    const lone = following()
    const question = preVote({ from: 'n2', to: 'n3', term: 2 })
    assert.deepEqual(lone.receive(question), [], 'it hears a live leader')
    lose(lone, 'n1')
    assert.deepEqual(lone.receive(question), [preVoteReply({ from: 'n3', to: 'n2', term: 2 })])
  })

  it('goes on as ever where the leader speaks again', () => {
    const lone = following()
    lose(lone, 'n1')
    lone.receive(heartbeat({ from: 'n1', to: 'n3' }))
    assert.deepEqual(lone.receive(preVote({ from: 'n2', to: 'n3', term: 2 })), [])
    assert.ok(lone.ticksToCampaign() >= 100)
  })

  it('does not wait anew when it is told again', () => {
    const lone = following()
    lose(lone, 'n1')
    lone.tick(5)
    lose(lone, 'n1')
    assert.equal(lone.ticksToCampaign(), 1)
  })

  it('never waits longer than for its election time-out', () => {
    const lone = following()
    const other = following()
    const all = other.ticksToCampaign()
    lone.tick(all - 2)
    lose(lone, 'n1')
    assert.ok(lone.ticksToCampaign() <= 2)
  })

  it('does nothing about another link, nor where no leader is known', () => {
    const lone = following()
    lose(lone, 'n2')
    assert.deepEqual(lone.receive(preVote({ from: 'n2', to: 'n3', term: 2 })), [])
    assert.ok(lone.ticksToCampaign() > 50)

    const leaderless = new Lone({ voters: VOTERS, raft })
    lose(leaderless, 'n1')
    assert.ok(leaderless.ticksToCampaign() >= 100)
  })

  it('does not campaign where it has no vote', () => {
    const membership = { voters: ['n1', 'n2'], outgoing: [], learners: ['n3'] }
    const lone = following({ raft: { ...raft, membership } })
    lose(lone, 'n1')
    lone.tick(500)
    assert.equal(lone.view.role, 'follower')
  })
})

describe('a cluster whose leader dies', () => {
  /** Kills the leader, as all see at once. Returns how many ticks it takes until there is another. */
  function ticksWithoutLeader(cluster: Cluster, leader: string): number {
    cluster.crash(leader)
    for (const server of cluster.servers.values()) {
      if (server.up) server.step({ type: 'linkLost', peer: leader })
    }
    for (let ticks = 1; ticks <= 200; ticks++) {
      cluster.pass(1)
      if (cluster.leaders.length > 0) return ticks
    }
    return assert.fail('there is no leader')
  }

  it('has another in one tick and one term', () => {
    for (const size of [3, 5, 7]) {
      const cluster = new Cluster({ size, raft })
      cluster.elect('n2')
      assert.equal(ticksWithoutLeader(cluster, 'n2'), 1)
      assert.deepEqual([cluster.leaders[0]!.id, cluster.leaders[0]!.view.term], ['n1', 2])
    }
  })

  it('has another a heartbeat later where the first in turn lacks entries', () => {
    const cluster = new Cluster({ raft })
    cluster.elect('n2')
    cluster.cut('n2', 'n1')
    cluster.write('n2', 'set x 1')
    cluster.heal()
    assert.equal(ticksWithoutLeader(cluster, 'n2'), 1 + 5)
    assert.deepEqual([cluster.leaders[0]!.id, cluster.leaders[0]!.view.term], ['n3', 2])
  })

  it('has another a heartbeat later where the only one that can lead notices it first', () => {
    const cluster = new Cluster({ raft })
    cluster.elect('n2')
    cluster.cut('n2', 'n3')
    cluster.write('n2', 'set x 1')
    cluster.heal()
    cluster.crash('n2')
    cluster.server('n1').step({ type: 'linkLost', peer: 'n2' })
    cluster.pass(1)
    assert.equal(cluster.server('n1').view.role, 'preCandidate', 'n3 still hears n2, for all it knows')
    cluster.server('n3').step({ type: 'linkLost', peer: 'n2' })
    cluster.pass(5)
    assert.deepEqual(
      cluster.leaders.map(({ id, view }) => [id, view.term]),
      [['n1', 2]],
    )
  })
})

describe('a cluster whose leader lives', () => {
  it('keeps it where one link breaks, and its term', () => {
    const cluster = new Cluster({ size: 3, raft })
    cluster.elect('n1')
    cluster.pass(5)
    for (let i = 0; i < 50; i++) {
      cluster.server('n2').step({ type: 'linkLost', peer: 'n1' })
      cluster.pass(2)
    }
    cluster.pass(5)
    assert.deepEqual(
      [...cluster.servers.values()].map(({ view }) => [view.role, view.term, view.leader]),
      [
        ['leader', 1, 'n1'],
        ['follower', 1, 'n1'],
        ['follower', 1, 'n1'],
      ],
    )
  })
})
