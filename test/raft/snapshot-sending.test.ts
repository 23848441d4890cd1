import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from './support/cluster.ts'
import { command } from './support/entries.ts'
import { Lone } from './support/lone.ts'
import { appendReply, appends } from './support/messages.ts'

describe('a leader with a follower behind its log’s start (§5)', () => {
  /** n1 leads with a log that is cut behind entry 4; n3 is at 1. */
  function behind(): Cluster {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.pass(1)
    cluster.isolate('n3')
    for (const value of ['a', 'b', 'c']) cluster.write('n1', `set x ${value}`)
    const leader = cluster.server('n1')
    leader.checkpoint()
    leader.compact()
    assert.equal(leader.view.firstIndex, 5)
    return cluster
  }

  function progressOf(cluster: Cluster, id: string) {
    const { state, matchIndex, nextIndex } = cluster
      .server('n1')
      .view.followers.find((follower) => follower.id === id)!
    return [state, matchIndex, nextIndex]
  }

  it('brings it the state, then the entries behind it', () => {
    const cluster = behind()
    cluster.heal()
    cluster.server('n1').tick()
    cluster.run()
    assert.equal(progressOf(cluster, 'n3')[0], 'snapshot')
    cluster.bringSnapshots()
    cluster.run()
    assert.deepEqual(progressOf(cluster, 'n3'), ['replicate', 4, 5])
    assert.equal(cluster.server('n3').values.get('x'), 'c')
    cluster.write('n1', 'set x d')
    assert.equal(cluster.server('n3').values.get('x'), 'd')
  })

  it('sends it nothing else meanwhile, but heartbeats; and asks for one snapshot only', () => {
    const cluster = behind()
    cluster.heal()
    const leader = cluster.server('n1')
    leader.tick()
    cluster.run()
    leader.propose(command('set x d'))
    leader.tick(5)
    const sent = cluster.take({ to: 'n3' })
    assert.deepEqual(appends(sent), [])
    assert.ok(sent.some(({ type }) => type === 'heartbeat'))
    assert.equal(leader.pendingSnapshots.length, 1)
  })

  it('a snapshot that does not get there is asked for again when the follower shows that it lives', () => {
    const cluster = behind()
    cluster.heal()
    const leader = cluster.server('n1')
    leader.tick()
    cluster.run()
    const { request } = leader.takeSnapshot()!
    leader.step({ type: 'snapshotSent', request, position: undefined })
    assert.deepEqual([progressOf(cluster, 'n3')[0], leader.pendingSnapshots.length], ['probe', 0])
    leader.tick()
    cluster.run()
    assert.deepEqual([progressOf(cluster, 'n3')[0], leader.pendingSnapshots.length], ['snapshot', 1])
  })

  it('word of a snapshot of an earlier leadership changes nothing', () => {
    const cluster = behind()
    cluster.heal()
    const leader = cluster.server('n1')
    leader.tick()
    cluster.run()
    const { request, snapshot } = leader.takeSnapshot()!
    const { position } = snapshot
    leader.step({ type: 'snapshotSent', request: { ...request, term: request.term - 1 }, position })
    assert.equal(progressOf(cluster, 'n3')[0], 'snapshot')
  })

  it('a snapshot that is behind the log’s start by now is followed by another', () => {
    const cluster = behind()
    cluster.heal()
    const leader = cluster.server('n1')
    leader.tick()
    cluster.run()
    const old = leader.takeSnapshot()!
    cluster.isolate('n3')
    cluster.write('n1', 'set x d')
    leader.checkpoint()
    leader.compact()
    cluster.heal()
    cluster.bring(leader, old)
    cluster.run()
    assert.equal(leader.pendingSnapshots.length, 1)
    cluster.bringSnapshots()
    cluster.run()
    assert.equal(cluster.server('n3').values.get('x'), 'd')
  })

  it('a follower that gets there by itself needs none: its acknowledgement ends the wait', () => {
    const lead = new Lone({ log: [1, 1, 1] })
    lead.lead()
    const { term } = lead.view
    for (const from of ['n2', 'n3']) lead.receive(appendReply({ from, term, matchIndex: 4 }))
    lead.server.checkpoint()
    lead.server.compact(4)
    // n3 has lost its place, as after a restart of another leader's making.
    const late = new Lone({ log: [1, 1, 1] })
    late.lead()
    late.receive(appendReply({ from: 'n2', term, matchIndex: 4 }))
    late.server.checkpoint()
    late.server.compact(4)
    late.receive(
      appendReply({ from: 'n3', term, success: false, matchIndex: 3, conflictIndex: 1, conflictTerm: 1 }),
    )
    assert.equal(late.view.followers.find(({ id }) => id === 'n3')?.state, 'snapshot')
    late.receive(appendReply({ from: 'n3', term, matchIndex: 2 }))
    assert.equal(late.view.followers.find(({ id }) => id === 'n3')?.state, 'snapshot')
    late.receive(appendReply({ from: 'n3', term, matchIndex: 4 }))
    assert.equal(late.view.followers.find(({ id }) => id === 'n3')?.state, 'replicate')
  })

  it('entries that were cut while they were being read are not missed: a snapshot comes in their place', () => {
    const lead = new Lone({ log: [1, 1, 1], tail: 1 })
    lead.lead()
    const { term } = lead.view
    lead.receive(appendReply({ from: 'n2', term, matchIndex: 4 }))
    lead.server.auto.fetch = false
    lead.receive(
      appendReply({ from: 'n3', term, success: false, matchIndex: 3, conflictIndex: 1, conflictTerm: 1 }),
    )
    assert.equal(lead.server.pendingFetches.length, 1)
    lead.server.checkpoint()
    lead.server.compact(4)
    lead.server.answerFetch()
    assert.deepEqual(lead.server.pendingSnapshots, [{ to: 'n3', term }])
  })

  it('a follower that waits for its snapshot confirms reads like any other (§6.4)', () => {
    const cluster = behind()
    cluster.heal()
    cluster.isolate('n2')
    const leader = cluster.server('n1')
    leader.tick()
    cluster.run()
    leader.step({ type: 'readIndex', id: 9 })
    cluster.run()
    assert.deepEqual(leader.served, [9])
  })

  it('a change of leader in the middle: the new one finds out itself what the follower lacks', () => {
    const cluster = behind()
    for (const id of ['n2']) {
      cluster.server(id).checkpoint()
      cluster.server(id).compact()
    }
    cluster.heal()
    cluster.server('n1').tick()
    cluster.run()
    const old = cluster.server('n1').takeSnapshot()!
    cluster.elect('n2')
    cluster.pass(2)
    assert.equal(cluster.server('n3').values.get('x'), 'c')
    cluster.bring(cluster.server('n1'), old)
    cluster.pass(2)
    assert.equal(cluster.server('n3').view.commitIndex, cluster.server('n2').view.commitIndex)
  })
})
