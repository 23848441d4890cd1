import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InvariantViolation } from '../../src/raft/assert.ts'
import { entriesOfTerms } from './support/entries.ts'
import { Lone } from './support/lone.ts'
import { append, appendReply, heartbeat } from './support/messages.ts'

/** What the server under test answers n2. */
function answer(fields: Parameters<typeof appendReply>[0]): object {
  return appendReply({ from: 'n1', to: 'n2', ...fields })
}

describe('AppendEntries, receiver implementation (Figure 3.1)', () => {
  it('1: replies false if term < currentTerm, with its own term, and changes nothing', () => {
    const lone = new Lone({ log: [1, 2], term: 3 })
    const entries = entriesOfTerms([2, 2])
    assert.deepEqual(lone.receive(append({ term: 2, entries })), [answer({ term: 3, success: false })])
    assert.deepEqual(lone.terms, [1, 2])
    assert.equal(lone.view.leader, undefined)
  })

  it('2: replies false if its log has no entry at prevLogIndex', () => {
    const lone = new Lone({ log: [1, 2] })
    const after = entriesOfTerms([1, 2, 2]).at(-1)!
    const expected = answer({ term: 2, success: false, matchIndex: 3, conflictIndex: 2, conflictTerm: 2 })
    assert.deepEqual(lone.receive(append({ term: 2, after })), [expected])
  })

  it('2: replies false if the term of its entry at prevLogIndex is not prevLogTerm', () => {
    const lone = new Lone({ log: [1, 2, 2], term: 3 })
    const after = entriesOfTerms([1, 1, 1]).at(-1)!
    const expected = answer({ term: 3, success: false, matchIndex: 3, conflictIndex: 1, conflictTerm: 1 })
    assert.deepEqual(lone.receive(append({ term: 3, after })), [expected])
    assert.deepEqual(lone.terms, [1, 2, 2], 'the conflict alone deletes nothing')
  })

  it('2: accepts what fits (etcd: FollowerCheckMsgApp)', () => {
    const log = entriesOfTerms([1, 2])
    for (const after of [undefined, log[0]!, log[1]!]) {
      const lone = new Lone({ log: [1, 2] })
      const expected = answer({ term: 2, matchIndex: after?.index ?? 0 })
      assert.deepEqual(lone.receive(append({ term: 2, ...(after && { after }) })), [expected])
    }
  })

  it('3: an entry that conflicts with a new one is deleted, and all that follow it', () => {
    const lone = new Lone({ log: [1, 1, 2, 2], term: 3 })
    const [, second] = entriesOfTerms([1, 1])
    lone.receive(append({ term: 3, after: second!, entries: entriesOfTerms([3], second) }))
    assert.deepEqual(lone.terms, [1, 1, 3])
    assert.deepEqual(lone.server.disk.entries, lone.server.log)
  })

  it('3: entries that do not conflict stay, also behind an old, shorter message', () => {
    const lone = new Lone({ log: [1, 1, 1, 1] })
    assert.deepEqual(lone.receive(append({ entries: entriesOfTerms([1, 1]) })), [answer({ matchIndex: 2 })])
    assert.deepEqual(lone.terms, [1, 1, 1, 1])
  })

  it('3: an AppendEntries with prevLogIndex 0 does not wipe the log', () => {
    const lone = new Lone({ log: [1, 1, 1] })
    assert.deepEqual(lone.receive(append()), [answer({ matchIndex: 0 })])
    assert.deepEqual(lone.terms, [1, 1, 1])
    assert.equal(lone.server.disk.entries.length, 3)
  })

  it('4: appends entries that are not in the log (etcd: FollowerAppendEntries)', () => {
    const cases = [
      { after: 2, entries: [3], log: [1, 2, 3] },
      { after: 1, entries: [3, 4], log: [1, 3, 4] },
      { after: 0, entries: [1], log: [1, 2] },
      { after: 0, entries: [3], log: [3] },
      { after: 0, entries: [1, 2, 4], log: [1, 2, 4] },
    ]
    for (const { after, entries, log } of cases) {
      const lone = new Lone({ log: [1, 2], term: 4 })
      const previous = entriesOfTerms([1, 2])[after - 1]
      const sent = entriesOfTerms(entries, previous)
      const message = append({ term: 4, entries: sent, ...(previous && { after: previous }) })
      assert.deepEqual(lone.receive(message), [answer({ term: 4, matchIndex: after + entries.length })])
      assert.deepEqual(lone.terms, log)
      assert.deepEqual(lone.server.disk.entries, lone.server.log)
    }
  })

  it('4: the same message twice is answered the same, and appends once', () => {
    const lone = new Lone()
    const message = append({ entries: entriesOfTerms([1, 1]) })
    const first = lone.receive(message)
    assert.deepEqual(lone.receive(message), first)
    assert.deepEqual(lone.terms, [1, 1])
  })

  it('5: commitIndex = min(leaderCommit, index of last new entry) (etcd: FollowerCommitEntry)', () => {
    for (const [leaderCommit, expected] of [
      [1, 1],
      [3, 3],
      [9, 3],
    ] as const) {
      const lone = new Lone()
      lone.receive(append({ entries: entriesOfTerms([1, 1, 1]), leaderCommit }))
      assert.deepEqual([lone.view.commitIndex, lone.view.lastApplied], [expected, expected])
    }
  })

  it('5: what follows the last new entry is not known to equal the leader’s, and so not committed', () => {
    const lone = new Lone({ log: [1, 1, 1] })
    lone.receive(append({ term: 2, entries: entriesOfTerms([1]), leaderCommit: 3 }))
    assert.equal(lone.view.commitIndex, 1)
  })

  it('5: commitIndex does not go back', () => {
    const lone = new Lone()
    lone.receive(append({ entries: entriesOfTerms([1, 1]), leaderCommit: 2 }), append({ leaderCommit: 1 }))
    assert.equal(lone.view.commitIndex, 2)
    lone.receive(heartbeat({ leaderCommit: 1 }))
    assert.equal(lone.view.commitIndex, 2)
  })

  it('§3.6.2: a leader that would replace a committed entry stops the node', () => {
    const lone = new Lone()
    lone.receive(append({ entries: entriesOfTerms([1, 1]), leaderCommit: 2 }))
    const bad = append({ term: 2, from: 'n3', entries: entriesOfTerms([2]) })
    assert.throws(() => lone.receive(bad), InvariantViolation)
  })

  it('§3.5: equal index and term with other bytes stop the node: a disk lied', () => {
    const lone = new Lone({ log: [1, 1] })
    const after = { ...entriesOfTerms([1, 1]).at(-1)!, checksum: 7 }
    assert.throws(() => lone.receive(append({ after })), /another checksum/)
  })

  it('§3.4: two leaders in one term stop the node', () => {
    const lone = new Lone()
    lone.receive(append({ from: 'n2' }))
    assert.throws(() => lone.receive(append({ from: 'n3' })), /two leaders/)
  })

  it('§3.8: the acknowledgement leaves only when the entries are on disk; the rejection at once', () => {
    const lone = new Lone()
    lone.server.auto.persist = false
    assert.deepEqual(lone.receive(append({ entries: entriesOfTerms([1, 1]) })), [])
    const after = entriesOfTerms([1, 1, 1]).at(-1)!
    assert.equal(lone.receive(append({ after }))[0]?.type, 'appendReply')
    lone.server.persist()
    assert.deepEqual(lone.sent(), [answer({ matchIndex: 2 })])
  })

  it('§3.8: a repeated message is acknowledged only once the first one’s entries are on disk', () => {
    const lone = new Lone()
    lone.server.auto.persist = false
    const message = append({ entries: entriesOfTerms([1]) })
    assert.deepEqual(lone.receive(message, message), [])
    lone.server.persist()
    assert.equal(lone.sent().length, 2)
  })

  it('a heartbeat is answered without waiting for the disk', () => {
    const lone = new Lone()
    lone.server.auto.persist = false
    lone.receive(append({ entries: entriesOfTerms([1, 1]) }))
    const [reply] = lone.receive(heartbeat({ readContext: 5 }))
    assert.deepEqual(
      [reply?.type, reply?.type === 'heartbeatReply' && reply.readContext],
      ['heartbeatReply', 5],
    )
  })
})
