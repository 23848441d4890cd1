import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LogPosition, Term } from '../../src/raft/types.ts'
import { entriesOfTerms } from './support/entries.ts'
import { Lone } from './support/lone.ts'
import { append, appendReply, heartbeat, voteReply } from './support/messages.ts'
import type { ModelSnapshot } from './support/disk.ts'

/** A snapshot of a log of these terms, as n2 sends it. */
function snapshotOf(terms: readonly Term[], term = terms.at(-1)!): ModelSnapshot {
  const entries = entriesOfTerms(terms)
  const position: LogPosition = entries.at(-1)!
  const values = new Map(entries.map(({ index, term }) => [`k${index}`, `t${term}`]))
  return { from: 'n2', term, position, checkpoint: { applied: position.index, values }, entries }
}

/** What the log of a lone server is, and what of it is committed: a leader of its last term says so. */
function lone(terms: readonly Term[], committed: number, tail?: number): Lone {
  const lone = new Lone({ log: terms, ...(tail !== undefined && { tail }) })
  const after = entriesOfTerms(terms).at(-1)!
  lone.receive(append({ term: after.term, after, leaderCommit: committed }))
  assert.equal(lone.view.commitIndex, committed)
  return lone
}

describe('log compaction (§5.1)', () => {
  it('the log begins behind an applied entry, whose term and checksum it keeps', () => {
    const { server, view } = lone([1, 1, 2, 2, 3], 4)
    server.checkpoint()
    server.compact(3)
    assert.equal(server.view.firstIndex, 4)
    assert.equal(server.view.lastIndex, view.lastIndex)
    const replies = [2, 3, 4].map((index) => {
      const { commitIndex } = server.view
      server.receive(append({ term: 3, after: server.disk.positionAt(index) }))
      return commitIndex
    })
    assert.deepEqual(replies, [4, 4, 4])
  })

  it('the consistency check at the boundary uses the boundary’s term and checksum', () => {
    const one = lone([1, 1, 2, 2], 4)
    one.server.checkpoint()
    one.server.compact(4)
    const [fifth] = entriesOfTerms([1, 1, 2, 2, 3]).slice(4)
    const [accepted] = one.receive(
      append({ term: 3, after: one.server.disk.positionAt(4), entries: [fifth!] }),
    )
    assert.deepEqual(accepted, appendReply({ from: 'n1', to: 'n2', term: 3, matchIndex: 5 }))
    const lying = { ...one.server.disk.positionAt(4), checksum: 1 }
    assert.throws(() => one.receive(append({ term: 3, after: lying })), /another checksum/)
  })

  it('what came before the boundary is committed: an old append is acknowledged up to what is committed', () => {
    const one = lone([1, 1, 1, 1], 3)
    one.server.checkpoint()
    one.server.compact(3)
    const [reply] = one.receive(append({ term: 1, after: one.server.disk.positionAt(1) }))
    assert.deepEqual(reply, appendReply({ from: 'n1', to: 'n2', matchIndex: 3 }))
  })

  it('votes compare with the boundary where the log holds nothing else (§3.6.1)', () => {
    const one = lone([1, 4], 2)
    one.server.checkpoint()
    one.server.compact(2)
    const request = { type: 'vote', from: 'n2', to: 'n1', term: 6 } as const
    one.tick(20)
    const [refused] = one.receive({ ...request, lastLogIndex: 9, lastLogTerm: 3 })
    assert.deepEqual(refused, voteReply({ from: 'n1', to: 'n2', term: 6, granted: false }))
    const [granted] = one.receive({ ...request, lastLogIndex: 2, lastLogTerm: 4 })
    assert.deepEqual(granted, voteReply({ from: 'n1', to: 'n2', term: 6, granted: true }))
  })

  it('a conflict is looked for no further back than the boundary', () => {
    const one = lone([1, 1, 1, 2, 2, 2], 3)
    one.server.checkpoint()
    one.server.compact(3)
    const [reply] = one.receive(append({ term: 5, after: { index: 6, term: 5, checksum: 9 } }))
    assert.deepEqual(
      reply,
      appendReply({
        from: 'n1',
        to: 'n2',
        term: 5,
        success: false,
        matchIndex: 6,
        conflictIndex: 6,
        conflictTerm: 2,
      }),
    )
    const [further] = one.receive(append({ term: 5, after: { index: 5, term: 1, checksum: 9 } }))
    assert.deepEqual([further?.type === 'appendReply' && further.conflictIndex], [3])
  })

  it('what is not applied, or not what the log holds, stops the node', () => {
    const one = lone([1, 1, 1], 2)
    const cut = (upTo: LogPosition) => one.server.step({ type: 'compact', upTo })
    assert.throws(() => cut(one.server.disk.positionAt(3)), /only 2 is applied/)
    assert.throws(() => cut({ ...one.server.disk.positionAt(2), checksum: 7 }), /its checksum is another/)
    assert.throws(() => cut({ ...one.server.disk.positionAt(2), term: 7 }), /is not of the term 7/)
  })

  it('a restart finds the log where it was cut', () => {
    const one = lone([1, 1, 2, 2, 2], 5)
    one.server.checkpoint()
    one.server.compact(3)
    one.server.crash()
    one.server.start(1)
    assert.equal(one.view.firstIndex, 4)
    assert.equal(one.view.lastIndex, 5)
    assert.equal(one.view.lastApplied, 5)
  })
})

describe('InstallSnapshot, receiver implementation (Figure 5.3)', () => {
  it('1: an old term’s is of use nevertheless: it holds only what is committed; the term is not entered', () => {
    const one = lone([1, 1, 5], 2)
    one.sent()
    one.server.receiveSnapshot(snapshotOf([1, 1, 3, 3], 3))
    assert.equal(one.view.term, 5)
    assert.equal(one.view.commitIndex, 4)
    assert.deepEqual(one.sent(), [], 'nobody of this term has asked')
  })

  it('1: a higher term is entered, and its sender followed', () => {
    const one = lone([1, 1], 2)
    one.server.receiveSnapshot(snapshotOf([1, 1, 3, 3], 7))
    assert.deepEqual([one.view.term, one.view.leader, one.view.role], [7, 'n2', 'follower'])
    assert.equal(one.server.disk.hardState.currentTerm, 7)
  })

  it('2-5: it counts once the log is on disk, reset to it: that write names its directory', () => {
    const one = lone([1, 1], 2)
    one.server.auto.persist = false
    const { write, install } = one.server.receiveSnapshot(snapshotOf([1, 1, 3, 3]))
    assert.deepEqual(write?.reset, {
      boundary: one.server.disk.received.get('state-1')!.position,
      keepSuffix: false,
      directory: 'state-1',
    })
    assert.equal(install, undefined)
    assert.deepEqual(one.server.values.get('k4'), undefined, 'the state machine is the old one until then')
    assert.deepEqual(appendRepliesIn(one), [])
    one.server.persist()
    assert.equal(one.server.values.get('k4'), 't3')
    assert.deepEqual(appendRepliesIn(one), [4], 'acknowledged after the write')
    assert.deepEqual([one.view.lastApplied, one.view.firstIndex, one.view.lastIndex], [4, 5, 4])
  })

  it('a crash before that write: the old state and the old log stand', () => {
    const one = lone([1, 1, 2], 2)
    one.server.auto.persist = false
    one.server.receiveSnapshot(snapshotOf([1, 1, 3, 3]))
    one.server.crash()
    one.server.start()
    assert.deepEqual([one.view.firstIndex, one.view.lastIndex, one.view.term], [1, 3, 2])
  })

  it('a crash right after it: the new ones do', () => {
    const one = lone([1, 1, 2], 2)
    one.server.auto.persist = one.server.auto.apply = false
    one.server.receiveSnapshot(snapshotOf([1, 1, 3, 3]))
    one.server.crash(1)
    one.server.start()
    assert.deepEqual([one.view.firstIndex, one.view.lastIndex, one.view.lastApplied], [5, 4, 4])
    assert.equal(one.server.values.get('k4'), 't3')
  })

  it('6: where the log holds the snapshot’s very last entry, what follows it stays', () => {
    for (const tail of [undefined, 1]) {
      const one = lone([1, 1, 2, 2, 2], 2, tail)
      const { write } = one.server.receiveSnapshot(snapshotOf([1, 1, 2]))
      assert.equal(write?.reset?.keepSuffix, true)
      assert.deepEqual([one.view.firstIndex, one.view.lastIndex, one.view.commitIndex], [4, 5, 3])
      assert.deepEqual(one.terms, [1, 1, 2, 2, 2])
      const after = one.server.disk.positionAt(5)
      const [reply] = one.receive(append({ term: 2, after, leaderCommit: 5 })).slice(-1)
      assert.deepEqual(reply, appendReply({ from: 'n1', to: 'n2', term: 2, matchIndex: 5 }))
      assert.equal(one.view.lastApplied, 5, 'and is applied when it is committed')
    }
  })

  it('6: an entry that was acknowledged stays, also one that is still on its way to the disk', () => {
    const one = lone([1], 1)
    const [second, third] = entriesOfTerms([1, 1, 1]).slice(1)
    one.server.auto.persist = false
    one.receive(append({ after: one.server.disk.positionAt(1), entries: [second!, third!] }))
    one.server.receiveSnapshot(snapshotOf([1, 1]))
    one.server.persist(1)
    assert.equal(one.view.persistedIndex, 3)
    one.server.persist()
    assert.deepEqual(one.terms, [1, 1, 1])
  })

  it('7: where it does not, the whole log goes: what follows contradicts the snapshot', () => {
    const one = lone([1, 1, 2, 2, 2], 2)
    const { write } = one.server.receiveSnapshot(snapshotOf([1, 1, 3]))
    assert.equal(write?.reset?.keepSuffix, false)
    assert.deepEqual([one.view.firstIndex, one.view.lastIndex], [4, 3])
    assert.deepEqual(one.terms, [1, 1, 3])
  })

  it('7: nothing that was on its way to the disk vouches for what comes in its place', () => {
    const one = lone([1], 1)
    const stale = entriesOfTerms([1, 1, 1, 1]).slice(1)
    one.server.auto.persist = false
    one.receive(append({ after: one.server.disk.positionAt(1), entries: stale }))
    one.server.receiveSnapshot(snapshotOf([1, 2, 2], 2))
    one.server.persist(1)
    assert.ok(one.view.persistedIndex < 3)
    one.server.persist()
    assert.equal(one.view.persistedIndex, 3)
  })

  it('8: the state machine is replaced, and goes on behind the snapshot', () => {
    const one = lone([1, 1], 1)
    const snapshot = snapshotOf([1, 2, 2])
    one.server.receiveSnapshot(snapshot)
    assert.deepEqual(one.server.values, snapshot.checkpoint.values)
    const [fourth] = entriesOfTerms([1, 2, 2, 2]).slice(3)
    one.receive(append({ term: 2, after: snapshot.position, entries: [fourth!], leaderCommit: 4 }))
    assert.equal(one.server.values.get('k4'), 't2')
  })

  it('nothing is applied between the snapshot’s arrival and its being put in', () => {
    const one = lone([1, 1, 1, 1], 2)
    one.server.auto.apply = false
    one.server.receiveSnapshot(snapshotOf([1, 1, 1]))
    assert.equal(one.server.pendingInstall, true)
    one.receive(heartbeat({ leaderCommit: 4 }))
    assert.deepEqual(one.server.pendingApply, [])
    one.server.install()
    assert.deepEqual(
      one.server.pendingApply.map(({ index }) => index),
      [4],
    )
  })

  it('the state machine is to be replaced once, however much is written meanwhile', () => {
    const one = lone([1, 1], 1)
    one.server.auto.apply = false
    const snapshot = snapshotOf([1, 1, 1])
    one.server.receiveSnapshot(snapshot)
    one.server.pendingInstall = false
    const [fourth] = entriesOfTerms([1, 1, 1, 1]).slice(3)
    one.receive(append({ after: snapshot.position, entries: [fourth!] }))
    assert.equal(one.view.persistedIndex, 4)
    assert.equal(one.server.pendingInstall, false)
  })

  it('entries that were being read to be applied are not applied twice', () => {
    const one = lone([1, 1, 1, 1], 1, 0)
    one.server.auto.fetch = false
    one.receive(heartbeat({ leaderCommit: 4 }))
    const [fetch] = one.server.pendingFetches
    assert.equal(fetch?.from, 2)
    one.server.receiveSnapshot(snapshotOf([1, 1, 1, 1, 1]))
    one.server.answerFetch()
    assert.equal(one.view.lastApplied, 5)
  })

  it('one that is not ahead of what is committed changes nothing, and says how far this node is', () => {
    for (const terms of [
      [1, 1],
      [1, 1, 1],
    ]) {
      const one = lone([1, 1, 1, 1], 3)
      one.sent()
      const { write } = one.server.receiveSnapshot(snapshotOf(terms))
      assert.equal(write, undefined)
      assert.deepEqual([one.view.commitIndex, one.view.firstIndex, one.view.lastIndex], [3, 1, 4])
      assert.deepEqual(appendRepliesIn(one), [3])
    }
  })

  it('a second one waits for the first to be put in', () => {
    const one = lone([1], 1)
    one.server.auto.apply = false
    one.server.receiveSnapshot(snapshotOf([1, 1]))
    assert.equal(one.server.receiveSnapshot(snapshotOf([1, 1, 1])).write, undefined)
    one.server.install()
    assert.notEqual(one.server.receiveSnapshot(snapshotOf([1, 1, 1])).write, undefined)
  })

  it('equal index and term with another checksum stop the node: a disk lied', () => {
    const one = lone([1, 1, 1], 1)
    const snapshot = snapshotOf([1, 1])
    const lying = { ...snapshot, position: { ...snapshot.position, checksum: 5 } }
    assert.throws(() => one.server.receiveSnapshot(lying), /its checksum is another/)
  })

  it('it counts as word from the leader: the election timer begins anew', () => {
    const one = lone([1], 1)
    one.tick(9)
    one.server.receiveSnapshot(snapshotOf([1, 1]))
    assert.equal(one.view.leader, 'n2')
    one.tick(9)
    assert.equal(one.view.role, 'follower')
  })

  it('a candidate of its term follows its sender; a leader has everything already', () => {
    const candidate = new Lone({ log: [1] })
    candidate.campaign()
    candidate.server.receiveSnapshot(snapshotOf([1, 1], 2))
    assert.deepEqual([candidate.view.role, candidate.view.leader], ['follower', 'n2'])
    const leader = new Lone({ log: [1] })
    leader.lead()
    assert.equal(leader.server.receiveSnapshot(snapshotOf([1, 1], 1)).write, undefined)
    assert.equal(leader.view.role, 'leader')
  })
})

/** How far the acknowledgements went that a server has sent. */
function appendRepliesIn(one: Lone): number[] {
  return one.sent().flatMap((message) => (message.type === 'appendReply' ? [message.matchIndex] : []))
}
