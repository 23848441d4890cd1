import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from './support/cluster.ts'
import { command, entriesOfTerms } from './support/entries.ts'
import { Lone } from './support/lone.ts'
import { LOG_START } from '../../src/raft/types.ts'
import { appendReply, appends, heartbeatReply } from './support/messages.ts'
import type { LogEntry, LogIndex } from '../../src/raft/types.ts'

function commands(count: number): ReturnType<typeof command>[] {
  return Array.from({ length: count }, (_, i) => command(`set k${i} v`))
}

/** A leader whose follower n2 replicates; n3 is silent. */
function leader(raft: ConstructorParameters<typeof Lone>[0] = {}): Lone {
  const lone = new Lone(raft)
  lone.lead()
  lone.receive(appendReply({ term: lone.view.term, matchIndex: lone.view.lastIndex }))
  return lone
}

function follower(lone: Lone): {
  state: string
  matchIndex: LogIndex
  nextIndex: LogIndex
  inFlightBytes: number
} {
  return lone.view.followers[0]!
}

describe('replication (§10.2.2)', () => {
  it('streams: the next entries leave before the last are acknowledged', () => {
    const lone = leader()
    for (const each of commands(3)) lone.server.propose(each)
    const sent = appends(lone.sent()).filter(({ to }) => to === 'n2')
    assert.deepEqual(
      sent.map(({ prevLogIndex, entries }) => [prevLogIndex, entries.length]),
      [
        [1, 1],
        [2, 1],
        [3, 1],
      ],
    )
  })

  it('an append holds at most maxAppendBytes, but one entry always fits', () => {
    const size = entriesOfTerms([1])[0]!.encoded.length
    const lone = leader({ raft: { maxAppendBytes: 2.5 * size } })
    lone.server.propose(...commands(4), command('set large ' + 'x'.repeat(10 * size)), ...commands(1))
    const sent = appends(lone.sent()).filter(({ to }) => to === 'n2')
    assert.deepEqual(
      sent.map(({ entries }) => entries.length),
      [2, 2, 1, 1],
    )
  })

  it('no more is on its way than the limits allow, in entries or in bytes', () => {
    const size = entriesOfTerms([1])[0]!.encoded.length
    for (const raft of [{ maxInFlightEntries: 3 }, { maxInFlightBytes: 2.5 * size }]) {
      const lone = leader({ raft: { ...raft, maxAppendBytes: 1 } })
      lone.server.propose(...commands(10))
      assert.equal(appends(lone.sent()).filter(({ to }) => to === 'n2').length, 3)
      assert.ok(follower(lone).inFlightBytes > 0)
      const next = appends(lone.receive(appendReply({ matchIndex: 3 }))).filter(({ to }) => to === 'n2')
      assert.deepEqual(
        next.map(({ prevLogIndex }) => prevLogIndex),
        [4, 5],
      )
    }
  })

  it('a probe that got no answer is sent again after the next heartbeat’s reply, not before', () => {
    const lone = new Lone()
    lone.lead()
    lone.server.propose(...commands(2))
    assert.deepEqual(lone.sent(), [], 'one question at a time')
    assert.deepEqual(appends(lone.tick()), [])
    const [again] = appends(lone.receive(heartbeatReply()))
    assert.deepEqual([again!.to, again!.prevLogIndex, again!.entries.length], ['n2', 0, 3])
    assert.deepEqual(appends(lone.receive(heartbeatReply())), [], 'once for each heartbeat')
  })

  it('a lost append is found by the next heartbeat’s reply, and repaired', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.server('n1').propose(...commands(2))
    cluster.take({ to: 'n2' })
    cluster.run()
    assert.equal(cluster.server('n2').view.lastIndex, 1)
    cluster.pass(1)
    assert.equal(cluster.server('n2').view.lastIndex, 3)
  })

  it('a lost acknowledgement likewise', () => {
    const cluster = new Cluster()
    cluster.elect('n1')
    cluster.server('n1').propose(...commands(2))
    cluster.deliver()
    cluster.take()
    assert.equal(cluster.server('n1').view.commitIndex, 1)
    cluster.pass(1)
    assert.equal(cluster.server('n1').view.commitIndex, 3)
  })

  it('a follower that lacks nothing is not asked', () => {
    const lone = leader()
    lone.tick()
    assert.deepEqual(appends(lone.receive(heartbeatReply())), [])
  })

  it('late, repeated and reordered acknowledgements do not take matchIndex back', () => {
    const lone = leader()
    lone.server.propose(...commands(4))
    lone.receive(
      appendReply({ matchIndex: 4 }),
      appendReply({ matchIndex: 2 }),
      appendReply({ matchIndex: 4 }),
    )
    const late = { success: false, matchIndex: 3, conflictIndex: 1, conflictTerm: 1 }
    lone.receive(appendReply(late))
    assert.deepEqual([follower(lone).matchIndex, follower(lone).state], [4, 'replicate'])
    assert.equal(lone.view.commitIndex, 4)
  })

  it('a message of one who was never asked is ignored', () => {
    const lone = leader()
    lone.receive(appendReply({ from: 'n9', matchIndex: 1 }))
    assert.equal(lone.view.followers.length, 2)
  })
})

describe('entries that left memory', () => {
  const small = { maxTailBytes: 1, maxAppendBytes: 100 }

  it('are read from disk for a follower that needs them', () => {
    const cluster = new Cluster({ raft: small })
    cluster.elect('n1')
    cluster.isolate('n3')
    for (let i = 0; i < 20; i++) cluster.write('n1', `set k${i} v`)
    cluster.heal()
    const leader = cluster.server('n1')
    leader.auto.fetch = false
    cluster.pass(1)
    assert.equal(leader.pendingFetches.length, 1, 'one at a time')
    const { purpose, to, from, term } = leader.pendingFetches[0]!
    assert.deepEqual([purpose, to, from, term], ['replicate', 'n3', 2, 1])
    leader.auto.fetch = true
    leader.settle()
    cluster.pass(2)
    assert.deepEqual(cluster.server('n3').values, leader.values)
  })

  it('an answer that comes after the term has changed is ignored', () => {
    const lone = new Lone({ log: [1, 1, 1, 1], tail: 0 })
    lone.server.auto.fetch = false
    lone.lead()
    lone.receive(appendReply({ term: 2, success: false, matchIndex: 4, conflictIndex: 1, conflictTerm: 1 }))
    const fetch = lone.server.pendingFetches.shift()!
    assert.deepEqual([fetch.from, fetch.upTo, fetch.term], [2, 5, 2])
    lone.receive(appendReply({ term: 6, success: false }))
    const answer = {
      type: 'fetched',
      fetch,
      previous: lone.server.disk.positionAt(1),
      entries: lone.server.disk.entries.slice(1),
    } as const
    assert.deepEqual(lone.server.step(answer).messages, [], 'as a follower')
    lone.lead()
    const again = { success: false, matchIndex: 5, conflictIndex: 1, conflictTerm: 1 }
    lone.receive(appendReply({ term: 7, ...again }))
    assert.equal(lone.server.pendingFetches[0]?.from, fetch.from, 'it wants the same place again')
    assert.deepEqual(lone.server.step(answer).messages, [], 'as the leader of a later term')
    const replaced = { ...answer, previous: LOG_START, entries: [] }
    assert.deepEqual(lone.server.step(replaced).messages, [], 'nor where the entries were replaced since')
  })

  it('an answer for a place that is no longer wanted is not sent', () => {
    const lone = new Lone({ log: [1, 1, 1, 1], tail: 0 })
    lone.server.auto.fetch = false
    lone.lead()
    lone.receive(appendReply({ term: 2, success: false, matchIndex: 4, conflictIndex: 1, conflictTerm: 1 }))
    lone.receive(appendReply({ term: 2, matchIndex: 3 }))
    lone.server.answerFetch()
    assert.deepEqual(
      appends(lone.sent()).map(({ prevLogIndex }) => prevLogIndex),
      [],
    )
    assert.equal(lone.server.pendingFetches[0]?.from, 4)
    lone.server.answerFetch()
    assert.deepEqual(
      appends(lone.sent()).map(({ to, prevLogIndex, entries }) => [to, prevLogIndex, entries.length]),
      [['n2', 3, 2]],
    )
  })

  it('are read from disk to be applied, in pieces', () => {
    const lone = new Lone({ log: [1, 1, 1, 1, 1], tail: 1, raft: { maxApplyBytes: 60 } })
    const fetched: LogIndex[][] = []
    const { server } = lone
    server.auto.fetch = false
    lone.lead()
    lone.receive(appendReply({ term: 2, matchIndex: 6 }))
    while (server.pendingFetches.length > 0) {
      const { purpose, to, from, upTo } = server.pendingFetches[0]!
      assert.deepEqual([purpose, to], ['apply', 'n1'])
      fetched.push([from, upTo])
      server.answerFetch()
    }
    assert.ok(fetched.length > 1, 'in pieces')
    assert.deepEqual(fetched[0], [1, 6])
    assert.equal(lone.view.lastApplied, 6)
  })

  it('a full window whose messages were lost is found, although what stands before it left memory', () => {
    const cluster = new Cluster({ raft: { maxTailBytes: 1, maxInFlightEntries: 2, maxAppendBytes: 1 } })
    cluster.elect('n1')
    cluster.isolate('n3')
    for (let i = 0; i < 10; i++) cluster.write('n1', `set k${i} v`)
    assert.equal(cluster.server('n1').view.followers[1]!.state, 'replicate')
    cluster.heal()
    cluster.pass(5)
    const last: LogEntry = cluster.server('n1').log.at(-1)!
    assert.deepEqual(cluster.server('n3').log.at(-1), last)
  })
})
