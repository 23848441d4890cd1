import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EntryKind } from '../../src/raft/types.ts'
import { Cluster } from './support/cluster.ts'
import { command } from './support/entries.ts'
import { Lone } from './support/lone.ts'
import { append, appendReply, appends, heartbeat } from './support/messages.ts'

describe('rules for leaders (Figure 3.1)', () => {
  it('upon election: AppendEntries to each server at once, with a no-op of its term (§6.4)', () => {
    const lone = new Lone({ log: [1, 1] })
    const sent = appends(lone.lead())
    assert.deepEqual(
      sent.map(({ to }) => to),
      ['n2', 'n3'],
    )
    for (const { term, prevLogIndex, prevLogTerm, entries } of sent) {
      assert.deepEqual([term, prevLogIndex, prevLogTerm], [2, 2, 1])
      assert.deepEqual(
        entries.map(({ index, term, kind }) => [index, term, kind]),
        [[3, 2, EntryKind.NoOp]],
      )
    }
    assert.equal(lone.view.leader, 'n1')
  })

  it('nextIndex begins at last log index + 1, matchIndex at 0', () => {
    const lone = new Lone({ log: [1, 1, 1] })
    lone.lead()
    assert.deepEqual(
      lone.view.followers.map(({ state, nextIndex, matchIndex }) => [state, nextIndex, matchIndex]),
      [
        ['probe', 4, 0],
        ['probe', 4, 0],
      ],
    )
  })

  it('heartbeats in each heartbeat interval, idle or not (etcd: LeaderBcastBeat)', () => {
    const lone = new Lone({ raft: { heartbeatTicks: 3 } })
    lone.lead()
    const types = [1, 2, 3, 4, 5, 6].map(() => lone.tick().map(({ type, to }) => `${type} ${to}`))
    const beat = ['heartbeat n2', 'heartbeat n3']
    assert.deepEqual(types, [[], [], beat, [], [], beat])
  })

  it('a command is appended to the local log and sent on (etcd: LeaderStartReplication)', () => {
    const lone = new Lone()
    lone.lead()
    lone.receive(appendReply({ matchIndex: 1 }), appendReply({ from: 'n3', matchIndex: 1 }))
    const proposed = lone.server.propose(command('set a 1'), command('set b 2'))
    assert.deepEqual(proposed, { first: 2, term: 1, count: 2 })
    const sent = appends(lone.sent())
    assert.deepEqual(
      sent.map(({ to, prevLogIndex, prevLogTerm, leaderCommit }) => [
        to,
        prevLogIndex,
        prevLogTerm,
        leaderCommit,
      ]),
      [
        ['n2', 1, 1, 1],
        ['n3', 1, 1, 1],
      ],
    )
    for (const { entries } of sent) assert.deepEqual(entries, lone.server.log.slice(1))
    assert.deepEqual(lone.terms, [1, 1, 1])
    assert.equal(lone.view.lastApplied, 1, 'a client is answered after the apply, which waits for a majority')
  })

  it('N on a majority, of its term: commitIndex = N (etcd: LeaderCommitEntry, LeaderAcknowledgeCommit)', () => {
    for (const [size, acknowledged, committed] of [
      [3, 0, false],
      [3, 1, true],
      [3, 2, true],
      [5, 1, false],
      [5, 2, true],
      [5, 4, true],
      [4, 1, false],
      [4, 2, true],
    ] as const) {
      const voters = ['n1', 'n2', 'n3', 'n4', 'n5'].slice(0, size)
      const lone = new Lone({ voters })
      lone.lead()
      lone.server.propose(command('set a 1'))
      for (const from of voters.slice(1, 1 + acknowledged)) lone.receive(appendReply({ from, matchIndex: 2 }))
      assert.equal(lone.view.commitIndex, committed ? 2 : 0, `${acknowledged} of ${size - 1}`)
      assert.equal(lone.server.values.has('a'), committed)
    }
  })

  it('the commit of an entry commits all before it (§3.6.2; etcd: LeaderCommitPrecedingEntries)', () => {
    for (const log of [[], [2], [1, 2], [1]]) {
      const lone = new Lone({ log, term: 2 })
      lone.lead()
      lone.receive(appendReply({ term: 3, matchIndex: log.length + 1 }))
      assert.deepEqual([lone.view.commitIndex, lone.view.lastApplied], [log.length + 1, log.length + 1])
    }
  })

  it('never commits an entry of an earlier term by counting (§3.6.2; etcd: LeaderOnlyCommitsLogFromCurrentTerm)', () => {
    for (const [matchIndex, commitIndex] of [
      [1, 0],
      [2, 0],
      [3, 3],
    ] as const) {
      const lone = new Lone({ log: [1, 2] })
      lone.lead()
      lone.receive(appendReply({ term: 3, matchIndex }))
      assert.equal(lone.view.commitIndex, commitIndex)
    }
  })

  it('a leader’s leaderCommit reaches the followers with the next append or heartbeat', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.server('n1').propose(command('set a 1'))
    cluster.run()
    assert.deepEqual(
      [...cluster.servers.values()].map(({ view }) => view.commitIndex),
      [2, 1, 1],
    )
    cluster.server('n1').tick()
    cluster.run()
    assert.deepEqual(
      [...cluster.servers.values()].map(({ view }) => view.commitIndex),
      [2, 2, 2],
    )
  })

  it('a heartbeat never carries a leaderCommit beyond what the follower is known to hold', () => {
    const lone = new Lone()
    lone.lead()
    lone.server.propose(command('set a 1'))
    lone.receive(appendReply({ matchIndex: 2 }))
    const beats = lone.tick().filter((message) => message.type === 'heartbeat')
    assert.deepEqual(
      beats.map(({ to, leaderCommit }) => [to, leaderCommit]),
      [
        ['n2', 2],
        ['n3', 0],
      ],
    )
  })

  it('an append or heartbeat of another leader in its term stops the node', () => {
    for (const message of [append(), heartbeat()]) {
      const lone = new Lone()
      lone.lead()
      assert.throws(() => lone.receive(message), /leads term 1/)
    }
  })

  it('an acknowledgement of more than the leader holds stops the node', () => {
    const lone = new Lone()
    lone.lead()
    assert.throws(() => lone.receive(appendReply({ matchIndex: 2 })), /more than its leader/)
  })
})

describe('parallel write (§10.2.1)', () => {
  /** A leader whose disk stands still, with an acknowledged no-op. */
  function slowLeader(): Lone {
    const lone = new Lone()
    lone.lead()
    lone.receive(appendReply({ matchIndex: 1 }), appendReply({ from: 'n3', matchIndex: 1 }))
    lone.server.auto.persist = false
    return lone
  }

  it('AppendEntries leave before the leader’s own write is on disk', () => {
    const lone = slowLeader()
    lone.server.propose(command('set a 1'))
    assert.equal(appends(lone.sent()).length, 2)
    assert.equal(lone.view.persistedIndex, 1)
  })

  it('its own disk counts only once it holds the entry', () => {
    const lone = slowLeader()
    lone.server.propose(command('set a 1'))
    lone.receive(appendReply({ matchIndex: 2 }))
    assert.equal(lone.view.commitIndex, 1, 'one disk of three')
    lone.server.persist()
    assert.equal(lone.view.commitIndex, 2)
  })

  it('a majority of others commits without it; it applies only what its own disk holds', () => {
    const lone = slowLeader()
    lone.server.propose(command('set a 1'))
    lone.receive(appendReply({ matchIndex: 2 }), appendReply({ from: 'n3', matchIndex: 2 }))
    assert.deepEqual([lone.view.commitIndex, lone.view.lastApplied], [2, 1])
    lone.server.persist()
    assert.deepEqual([lone.view.commitIndex, lone.view.lastApplied], [2, 2])
  })

  it('each write vouches for its own entries only', () => {
    const lone = slowLeader()
    lone.server.propose(command('set a 1'))
    lone.server.propose(command('set b 1'))
    lone.receive(appendReply({ matchIndex: 3 }))
    lone.server.persist(1)
    assert.equal(lone.view.commitIndex, 2)
    lone.server.persist(1)
    assert.equal(lone.view.commitIndex, 3)
  })

  it('one completion stands for all writes before it', () => {
    const lone = slowLeader()
    for (const key of ['a', 'b', 'c']) lone.server.propose(command(`set ${key} 1`))
    const writeId = lone.server.pendingWrites.at(-1)!.id
    lone.server.step({ type: 'persisted', writeId })
    assert.equal(lone.view.persistedIndex, 4)
    assert.throws(() => lone.server.step({ type: 'persisted', writeId }), /reported durable/)
    assert.throws(() => lone.server.step({ type: 'persisted', writeId: writeId + 1 }), /reported durable/)
  })
})
