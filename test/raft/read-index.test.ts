import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from './support/cluster.ts'
import { command } from './support/entries.ts'
import { Lone } from './support/lone.ts'
import { appendReply, heartbeat, heartbeatReply } from './support/messages.ts'
import type { Heartbeat, Message } from '../../src/raft/types.ts'

function beats(messages: readonly Message[]): Heartbeat[] {
  return messages.filter((message) => message.type === 'heartbeat')
}

/** A leader of three whose no-op is committed. */
function leader(): Lone {
  const lone = new Lone()
  lone.lead()
  lone.receive(appendReply({ matchIndex: 1 }))
  return lone
}

function read(lone: Lone, id: number): Heartbeat[] {
  lone.server.step({ type: 'readIndex', id })
  return beats(lone.sent())
}

describe('linearizable reads (ReadIndex, §6.4)', () => {
  it('1: no read before the term’s first commit: until then a leader does not know what is committed', () => {
    const lone = new Lone({ log: [1] })
    lone.lead()
    assert.deepEqual(read(lone, 1), [], 'it does not even ask')
    lone.receive(heartbeatReply({ term: 2, readContext: 0 }))
    lone.receive(appendReply({ term: 2, matchIndex: 1 }))
    assert.deepEqual(lone.server.served, [], 'entry 1 is of an earlier term')
    const [beat] = beats(lone.receive(appendReply({ term: 2, matchIndex: 2 })))
    lone.receive(heartbeatReply({ term: 2, readContext: beat!.readContext }))
    assert.deepEqual(lone.server.served, [1])
  })

  it('3: a round of heartbeats goes out at once; a majority of answers serves the read', () => {
    const lone = new Lone({ voters: ['n1', 'n2', 'n3', 'n4', 'n5'] })
    lone.lead()
    for (const from of ['n2', 'n3']) lone.receive(appendReply({ from, matchIndex: 1 }))
    const sent = read(lone, 7)
    assert.deepEqual(
      sent.map(({ to }) => to),
      ['n2', 'n3', 'n4', 'n5'],
    )
    const { readContext } = sent[0]!
    lone.receive(heartbeatReply({ from: 'n4', readContext }), heartbeatReply({ from: 'n4', readContext }))
    assert.deepEqual(lone.server.served, [], 'n4 counts once')
    lone.receive(heartbeatReply({ from: 'n5', readContext }))
    assert.deepEqual(lone.server.served, [7])
  })

  it('only acknowledgements of what was sent after the read came count', () => {
    const lone = leader()
    const [before] = beats(lone.tick())
    const [after] = read(lone, 1)
    lone.receive(heartbeatReply({ readContext: before!.readContext }))
    lone.receive(appendReply({ matchIndex: 1 }))
    assert.deepEqual(lone.server.served, [])
    lone.receive(heartbeatReply({ readContext: after!.readContext }))
    assert.deepEqual(lone.server.served, [1])
  })

  it('reads that come while a round is under way share the next one, not this one', () => {
    const lone = leader()
    const [first] = read(lone, 1)
    assert.deepEqual([...read(lone, 2), ...read(lone, 3)], [], 'no heartbeats of their own')
    const [second] = beats(lone.receive(heartbeatReply({ readContext: first!.readContext })))
    assert.deepEqual(lone.server.served, [1])
    assert.ok(second!.readContext > first!.readContext)
    lone.receive(heartbeatReply({ from: 'n3', readContext: first!.readContext }))
    assert.deepEqual(lone.server.served, [1], 'a late answer to the first round')
    lone.receive(heartbeatReply({ from: 'n3', readContext: second!.readContext }))
    assert.deepEqual(lone.server.served, [1, 2, 3])
  })

  it('a lost round is asked for again with the next heartbeat', () => {
    const lone = leader()
    const [lost] = read(lone, 1)
    const [again] = beats(lone.tick())
    assert.equal(again!.readContext, lost!.readContext)
    lone.receive(heartbeatReply({ readContext: again!.readContext }))
    assert.deepEqual(lone.server.served, [1])
  })

  it('4: the read waits until its index is applied', () => {
    const lone = leader()
    lone.server.auto.apply = false
    lone.server.propose(command('set a 1'))
    lone.receive(appendReply({ matchIndex: 2 }))
    const [beat] = read(lone, 1)
    lone.receive(heartbeatReply({ readContext: beat!.readContext }))
    assert.deepEqual([lone.view.commitIndex, lone.view.lastApplied], [2, 1])
    assert.deepEqual(lone.server.served, [])
    lone.server.apply()
    assert.deepEqual(lone.server.served, [1])
  })

  it('what is committed after the read came does not hold it up', () => {
    const lone = leader()
    lone.server.auto.apply = false
    const [beat] = read(lone, 1)
    lone.server.propose(command('set a 1'))
    lone.receive(appendReply({ matchIndex: 2 }))
    lone.receive(heartbeatReply({ readContext: beat!.readContext }))
    assert.equal(lone.view.lastApplied, 1)
    assert.deepEqual(lone.server.served, [1])
  })

  it('reads are refused when the leader steps down: those of all rounds, each once', () => {
    for (const depose of [
      (lone: Lone) => void lone.tick(20),
      (lone: Lone) => void lone.receive(heartbeat({ term: 5 })),
    ]) {
      const lone = leader()
      lone.server.auto.apply = false
      lone.server.propose(command('set a 1'))
      lone.receive(appendReply({ matchIndex: 2 }))
      const [beat] = read(lone, 1)
      lone.receive(heartbeatReply({ readContext: beat!.readContext })) // confirmed, not applied
      read(lone, 2)
      read(lone, 3)
      depose(lone)
      assert.equal(lone.view.role, 'follower')
      assert.deepEqual(lone.server.refused, [1, 2, 3])
      lone.server.apply()
      assert.deepEqual(lone.server.served, [])
    }
  })

  it('contexts are never used again, nor do answers to an earlier leadership count', () => {
    const lone = leader()
    const [old] = read(lone, 1)
    lone.tick(20)
    const sent = lone.lead()
    lone.receive(appendReply({ term: 2, matchIndex: 2 }))
    const [beat] = read(lone, 2)
    assert.ok(beats(sent).every(({ readContext }) => readContext === old!.readContext))
    assert.ok(beat!.readContext > old!.readContext)
    lone.receive(heartbeatReply({ term: 1, readContext: 99 }))
    lone.receive(heartbeatReply({ term: 2, readContext: old!.readContext }))
    assert.deepEqual(lone.server.served, [])
  })

  it('a learner’s answer confirms nothing (§4.2.1)', () => {
    const membership = { voters: ['n1', 'n2', 'n3'], outgoing: [], learners: ['n4'] }
    const lone = new Lone({ raft: { membership } })
    lone.lead()
    lone.receive(appendReply({ matchIndex: 1 }))
    const sent = read(lone, 1)
    assert.equal(sent.length, 3)
    lone.receive(heartbeatReply({ from: 'n4', readContext: sent[0]!.readContext }))
    assert.deepEqual(lone.server.served, [])
  })

  it('a deposed leader that does not know it yet serves nothing stale', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.write('n1', 'set a old')
    cluster.isolate('n1')
    cluster.elect('n2')
    cluster.write('n2', 'set a new')
    cluster.invariants.acknowledged(cluster.server('n2').machineIndex)
    const old = cluster.server('n1')
    assert.equal(old.view.role, 'leader')
    old.step({ type: 'readIndex', id: 1 })
    cluster.heal()
    old.tick()
    cluster.run()
    assert.deepEqual([old.served, old.refused], [[], [1]])
  })

  it('a cluster of one serves a read at once', () => {
    const cluster = new Cluster({ size: 1 })
    cluster.elect('n1')
    assert.deepEqual(cluster.server('n1').step({ type: 'readIndex', id: 4 }).reads, [4])
  })
})
