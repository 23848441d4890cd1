import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Durability } from '../../src/raft/durability.ts'
import { Cluster } from './support/cluster.ts'
import { command, entriesOfTerms } from './support/entries.ts'
import { Lone } from './support/lone.ts'
import { append } from './support/messages.ts'

describe('durability (§3.8, §10.2.1)', () => {
  it('a completed write vouches for its entries, and for those of all writes before it', () => {
    const durability = new Durability(3)
    durability.handOut(5)
    const second = durability.handOut(9)
    assert.equal(durability.persistedIndex, 3)
    durability.persisted(second)
    assert.equal(durability.persistedIndex, 9)
  })

  it('the completion of a write that was truncated and replaced vouches for nothing of it', () => {
    const durability = new Durability(3)
    const old = durability.handOut(6)
    durability.truncated(5)
    const next = durability.handOut(7)
    durability.persisted(old)
    assert.equal(durability.persistedIndex, 4)
    durability.persisted(next)
    assert.equal(durability.persistedIndex, 7)
  })

  it('truncation takes back what was on disk', () => {
    const durability = new Durability(8)
    durability.truncated(3)
    assert.equal(durability.persistedIndex, 2)
  })

  it('a follower applies nothing of a replaced write that completes late', () => {
    const lone = new Lone()
    lone.server.auto.persist = false
    lone.receive(append({ entries: entriesOfTerms([1, 1]) }))
    lone.receive(append({ term: 2, from: 'n3', entries: entriesOfTerms([2, 2]), leaderCommit: 2 }))
    assert.equal(lone.view.commitIndex, 2)
    lone.server.persist(1)
    assert.deepEqual([lone.view.persistedIndex, lone.view.lastApplied], [0, 0])
    lone.server.persist(1)
    assert.deepEqual([lone.view.persistedIndex, lone.view.lastApplied], [2, 2])
  })

  it('a leader’s old write counts for nothing after its entries were replaced', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    const old = cluster.server('n1')
    old.auto.persist = false
    cluster.isolate('n1')
    old.propose(command('set a lost'))
    cluster.elect('n2')
    cluster.heal()
    cluster.server('n2').tick()
    cluster.run({ from: 'n2', to: 'n1' })
    cluster.run({ from: 'n1' })
    cluster.run({ from: 'n2', to: 'n1' })
    assert.equal(old.log.at(-1)!.term, 2)
    old.persist(1)
    assert.ok(old.view.persistedIndex < old.view.lastIndex)
    old.persist()
    assert.equal(old.view.persistedIndex, old.view.lastIndex)
  })

  it('apply is handed out only up to min(commitIndex, what is on disk)', () => {
    const lone = new Lone()
    lone.server.auto.persist = lone.server.auto.apply = false
    lone.receive(append({ entries: entriesOfTerms([1, 1]), leaderCommit: 2 }))
    assert.deepEqual([lone.view.commitIndex, lone.server.pendingApply.length], [2, 0])
    lone.server.persist()
    assert.deepEqual(
      lone.server.pendingApply.map(({ index }) => index),
      [1, 2],
    )
  })

  it('a crash between the write and the reply: nothing was promised, and the leader sends again', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.server('n2').auto.persist = false
    cluster.isolate('n3')
    cluster.server('n1').propose(command('set a 1'))
    cluster.run()
    assert.equal(cluster.server('n1').view.commitIndex, 1)
    cluster.crash('n2')
    cluster.restart('n2')
    assert.equal(cluster.server('n2').view.lastIndex, 1, 'the entry is gone')
    cluster.server('n2').auto.persist = true
    cluster.pass(3)
    assert.deepEqual(cluster.server('n2').values.get('a'), '1')
  })

  it('a crash after the write, before the reply: the entry is there, and acknowledged when asked again', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.isolate('n3')
    cluster.server('n2').auto.persist = false
    cluster.server('n1').propose(command('set a 1'))
    cluster.run()
    cluster.crash('n2', 1)
    assert.equal(cluster.restart('n2').view.lastIndex, 2)
    cluster.pass(3)
    assert.equal(cluster.server('n1').view.commitIndex, 2)
  })

  it('all servers restarted at once: what was committed is there, and is applied again', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.write('n1', 'set a 1')
    for (const id of cluster.ids) cluster.crash(id)
    for (const id of cluster.ids) cluster.restart(id, 0)
    cluster.take()
    cluster.pass(60)
    assert.equal(cluster.leaders.length, 1)
    for (const { values } of cluster.servers.values()) assert.equal(values.get('a'), '1')
  })

  it('a candidate that loses its vote in a crash has asked nobody, and may use the term again', () => {
    const cluster = new Cluster()
    cluster.server('n1').auto.persist = false
    cluster.timeout('n1')
    cluster.run()
    assert.equal(cluster.server('n1').view.role, 'candidate')
    cluster.crash('n1')
    assert.equal(cluster.restart('n1').view.term, 0)
    assert.ok([...cluster.servers.values()].every(({ view }) => view.hardState.votedFor === undefined))
  })
})
