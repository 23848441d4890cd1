import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from './support/cluster.ts'
import { Lone } from './support/lone.ts'
import { heartbeat } from './support/messages.ts'

const raft = { electionTicks: 100, heartbeatTicks: 5, firstElectionTicks: 10 }

describe('a node that has just started', () => {
  it('asks in its turn whether it may lead, and does not sit out an election time-out', () => {
    for (const [voters, ticks] of [
      [['n1', 'n2', 'n3'], 10],
      [['n2', 'n1', 'n3'], 15],
      [['n3', 'n1', 'n2'], 20],
    ] as const) {
      assert.equal(new Lone({ voters, raft }).ticksToCampaign(), ticks)
    }
  })

  it('waits for whole election time-outs once it has heard a leader', () => {
    const lone = new Lone({ raft })
    lone.tick(9)
    lone.receive(heartbeat({ from: 'n2' }))
    assert.ok(lone.ticksToCampaign() >= 100)
  })

  it('does not campaign where it has no vote', () => {
    const membership = { voters: ['n2', 'n3'], outgoing: [], learners: ['n1'] }
    const lone = new Lone({ raft: { ...raft, membership } })
    lone.tick(500)
    assert.equal(lone.view.role, 'follower')
  })
})

describe('a cluster that starts', () => {
  it('has a leader after its first turn, in term 1', () => {
    for (const size of [1, 3, 5, 7]) {
      const cluster = new Cluster({ size, raft })
      cluster.pass(10)
      assert.deepEqual(
        cluster.leaders.map(({ id, view }) => [id, view.term]),
        [['n1', 1]],
        `${size}`,
      )
    }
  })

  it('has one as soon as a majority is there: who is early asks again', () => {
    const cluster = new Cluster({ size: 3, raft })
    for (const id of ['n2', 'n3']) cluster.crash(id)
    cluster.pass(60)
    assert.deepEqual([cluster.server('n1').view.role, cluster.server('n1').view.term], ['preCandidate', 0])
    cluster.restart('n2')
    cluster.pass(5)
    assert.deepEqual(
      cluster.leaders.map(({ id, view }) => [id, view.term]),
      [['n1', 1]],
    )
  })

  it('has one a few turns later where those of the first turns lack entries', () => {
    const cluster = new Cluster({ size: 3, raft })
    cluster.elect('n3')
    cluster.isolate('n1')
    cluster.write('n3', 'set x 1')
    for (const id of cluster.ids) cluster.crash(id)
    cluster.heal()
    for (const id of cluster.ids) cluster.restart(id)
    cluster.pass(15)
    assert.deepEqual(
      cluster.leaders.map(({ id, view }) => [id, view.term]),
      [['n2', 2]],
    )
  })
})

describe('a cluster that lives', () => {
  it('is not disturbed by a node that starts, even if it does not hear the leader', () => {
    const cluster = new Cluster({ size: 3, raft })
    cluster.pass(10)
    for (let round = 0; round < 5; round++) {
      cluster.crash('n2')
      cluster.cut('n1', 'n2')
      cluster.restart('n2')
      cluster.pass(80)
      assert.equal(cluster.server('n2').view.role, 'preCandidate')
      cluster.heal()
      cluster.pass(5)
      assert.deepEqual(
        [...cluster.servers.values()].map(({ view }) => [view.role, view.term, view.leader]),
        [
          ['leader', 1, 'n1'],
          ['follower', 1, 'n1'],
          ['follower', 1, 'n1'],
        ],
      )
    }
  })
})
