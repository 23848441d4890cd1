import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EntryKind, LOG_START } from '../../src/raft/types.ts'
import type { Input, LogEntry, Message, Output } from '../../src/raft/types.ts'
import type { NodeView } from '../../src/raft/node.ts'
import { stateRecord } from '../../src/storage/log-records.ts'
import { encodeCommand } from '../../src/wire/command.ts'
import { sealEntries } from '../../src/wire/entry.ts'
import type { Change } from './engine/disk.ts'
import { Invariants } from './invariants.ts'
import { Ledger } from './ledger.ts'
import { problemOf } from './verdict.ts'
import type { Recorded } from './workload/client.ts'
import type { Asked } from './workload/operation.ts'

const TICK: Input = { type: 'tick' }

const NOTHING: Output = {
  write: undefined,
  messages: [],
  messagesAfterWrite: [],
  apply: [],
  fetches: [],
  snapshots: [],
  install: undefined,
  reads: [],
  refusedReads: [],
  proposed: undefined,
  status: undefined,
}

const VIEW: NodeView = {
  id: 'n1',
  role: 'follower',
  term: 1,
  leader: undefined,
  hardState: { currentTerm: 1, votedFor: undefined },
  commitIndex: 0,
  lastApplied: 0,
  persistedIndex: 0,
  firstIndex: 1,
  lastIndex: 0,
  followers: [],
}

function entries(term: number, ...texts: string[]): readonly LogEntry[] {
  const proposals = texts.map((text) => ({ kind: EntryKind.NoOp, data: Buffer.from(text) }))
  return sealEntries(LOG_START, term, proposals)
}

function writing(written: readonly LogEntry[]): Output {
  return { ...NOTHING, write: { id: 1, hardState: undefined, reset: undefined, entries: written } }
}

/** What the log's database takes with that write. */
function stateAt({ write }: Output): Change[] {
  const last = write!.entries.at(-1)!
  const [key, value] = stateRecord({
    batchNumber: 1,
    currentTerm: last.term,
    votedFor: undefined,
    firstIndex: 1,
    lastIndex: last.index,
    lastChecksum: last.checksum,
    membershipIndex: 0,
    stateDirectory: 'state-1',
    boundary: LOG_START,
  })
  return [[Buffer.from(key).toString('latin1'), value]]
}

/** Three nodes that are up, and the rules that are broken. */
function watched(): { invariants: Invariants; broken: string[] } {
  const broken: string[] = []
  return { invariants: new Invariants(['n1', 'n2', 'n3'], (rule) => broken.push(rule)), broken }
}

describe('the invariants notice', () => {
  it('two leaders of a term', () => {
    const { invariants, broken } = watched()
    invariants.stepped('n1', TICK, NOTHING, { ...VIEW, role: 'leader' })
    assert.deepEqual(broken, [])
    invariants.stepped('n2', TICK, NOTHING, { ...VIEW, role: 'leader' })
    assert.deepEqual(broken, ['election safety'])
  })

  it('nothing in a leader whom late votes make of a term that is over', () => {
    const { invariants, broken } = watched()
    const written = writing(entries(2, 'a'))
    for (const id of ['n1', 'n2']) {
      invariants.stepped(id, TICK, written, { ...VIEW, term: 2, lastIndex: 1 })
      invariants.logWritten(id, stateAt(written), true)
    }
    invariants.stepped('n1', TICK, NOTHING, {
      ...VIEW,
      role: 'leader',
      term: 2,
      lastIndex: 1,
      commitIndex: 1,
    })
    invariants.stepped('n3', TICK, NOTHING, { ...VIEW, role: 'leader', term: 1 })
    assert.deepEqual(broken, [])
  })

  it('a leader without an entry that was committed before its term', () => {
    const { invariants, broken } = watched()
    const written = writing(entries(1, 'a'))
    for (const id of ['n1', 'n2']) {
      invariants.stepped(id, TICK, written, { ...VIEW, lastIndex: 1 })
      invariants.logWritten(id, stateAt(written), true)
    }
    invariants.stepped('n1', TICK, NOTHING, { ...VIEW, role: 'leader', lastIndex: 1, commitIndex: 1 })
    assert.deepEqual(broken, [])
    invariants.stepped('n3', TICK, NOTHING, { ...VIEW, role: 'leader', term: 2 })
    assert.deepEqual(broken, ['leader completeness'])
  })

  it('another entry of the same index and term', () => {
    const { invariants, broken } = watched()
    invariants.stepped('n1', TICK, writing(entries(1, 'a')), { ...VIEW, lastIndex: 1 })
    invariants.stepped('n2', TICK, writing(entries(1, 'b')), { ...VIEW, lastIndex: 1 })
    assert.deepEqual(broken, ['log matching'])
  })

  it('a commit that no majority holds', () => {
    const { invariants, broken } = watched()
    const view = { ...VIEW, role: 'leader', lastIndex: 1 } as const
    invariants.stepped('n1', TICK, writing(entries(1, 'a')), view)
    invariants.stepped('n1', TICK, NOTHING, { ...view, commitIndex: 1 })
    assert.deepEqual(broken, ['commit'])
  })

  it('an index that goes back', () => {
    const { invariants, broken } = watched()
    const view = { ...VIEW, lastIndex: 1 }
    invariants.stepped('n1', TICK, writing(entries(1, 'a')), { ...view, term: 2 })
    invariants.stepped('n1', TICK, NOTHING, { ...view, term: 1 })
    assert.deepEqual(broken, ['terms'])
  })

  it('a promise that is not on disk', () => {
    const { invariants, broken } = watched()
    const reply: Message = { type: 'voteReply', from: 'n1', to: 'n2', term: 1, granted: true }
    invariants.sent(reply)
    assert.deepEqual(broken, ['promises kept'])
  })

  it('a promise that a restart has forgotten', () => {
    const { invariants, broken } = watched()
    const found = {
      hardState: { currentTerm: 0, votedFor: undefined },
      boundary: LOG_START,
      last: LOG_START,
      termStarts: [],
      tail: [],
      tailPrevious: LOG_START,
      anchor: LOG_START,
      stateDirectory: 'state-1',
    }
    invariants.started('n1', found, 0)
    assert.deepEqual(broken, [])
    invariants.sent({ type: 'voteReply', from: 'n1', to: 'n2', term: 1, granted: true })
    broken.length = 0
    invariants.started('n1', found, 0)
    assert.deepEqual(broken, ['promises kept'])
  })

  it('what is applied without being committed', () => {
    const { invariants, broken } = watched()
    const [entry] = entries(1, 'a')
    invariants.applied('n1', entry!, { revision: 0, succeeded: true, current: undefined, session: 0 }, 'x')
    assert.ok(broken.includes('state machine safety'))
  })
})

describe('the ledger notices', () => {
  const START = { revision: 0, compacted: 0 }
  const put = (key: string, value: string): Asked => ({ type: 'put', key, value })

  function entryOf(index: number, sequence: number, key: string, value: string): LogEntry {
    const operation = { type: 'put', key: Buffer.from(key), value: Buffer.from(value) } as const
    const data = encodeCommand({ session: 7, sequence, firstUnacked: 1, operation })
    return { index, term: 1, kind: EntryKind.Command, data, checksum: 0, encoded: data, size: data.length }
  }

  function ledger(): { ledger: Ledger; broken: string[] } {
    const broken: string[] = []
    return { ledger: new Ledger((rule) => broken.push(rule)), broken }
  }

  const done = (revision: number) => ({ revision, succeeded: true, current: undefined, session: 0 })

  it('an acknowledged write that is not there', () => {
    const { ledger: books, broken } = ledger()
    books.answered(put('k', 'v'), { revision: 1 }, START)
    assert.deepEqual(broken, ['acknowledged writes'])
  })

  it('a write that is applied twice', () => {
    const { ledger: books, broken } = ledger()
    books.applied(entryOf(1, 1, 'k', 'v'), done(1))
    books.applied(entryOf(2, 1, 'k', 'v'), done(2))
    assert.deepEqual(broken, ['applied once'])
  })

  it('a write that was refused, and is done', () => {
    const { ledger: books, broken } = ledger()
    books.refused(put('k', 'v'), 'UNAVAILABLE')
    books.applied(entryOf(1, 1, 'k', 'v'), done(1))
    assert.deepEqual(broken, ['no false failure'])
  })

  it('a read of the past', () => {
    const { ledger: books, broken } = ledger()
    books.applied(entryOf(1, 1, 'k', 'v'), done(1))
    books.answered(put('k', 'v'), { revision: 1 }, START)
    books.answered(
      { type: 'get', keys: ['k'], stale: true },
      { revision: 0, entries: [undefined] },
      books.now,
    )
    assert.deepEqual(broken, [])
    books.answered(
      { type: 'get', keys: ['k'], stale: false },
      { revision: 0, entries: [undefined] },
      books.now,
    )
    assert.deepEqual(broken, ['real-time order'])
  })

  it('a read of what never was', () => {
    const { ledger: books, broken } = ledger()
    books.applied(entryOf(1, 1, 'k', 'v'), done(1))
    const seen = { value: 'w', createRevision: 1, modRevision: 1, version: 1 }
    books.answered({ type: 'get', keys: ['k'], stale: false }, { revision: 1, entries: [seen] }, START)
    assert.deepEqual(broken, ['acknowledged writes'])
  })

  describe('of an older revision', () => {
    const entry = (value: string, modRevision: number) => ({
      value,
      createRevision: 1,
      modRevision,
      version: modRevision,
    })
    const at = (revision: number): Asked => ({ type: 'get', keys: ['k'], stale: false, revision })

    function written() {
      const books = ledger()
      for (const [i, value] of ['a', 'b', 'c'].entries())
        books.ledger.applied(entryOf(i + 1, i + 1, 'k', value), done(i + 1))
      const operation = { type: 'compact', revision: 2 } as const
      const data = encodeCommand({ session: 7, sequence: 4, firstUnacked: 1, operation })
      books.ledger.applied({ ...entryOf(4, 4, 'k', 'd'), data }, done(3))
      return books
    }

    it('nothing where it is right', () => {
      const { ledger: books, broken } = written()
      books.answered(at(2), { revision: 2, entries: [entry('b', 2)] }, books.now)
      books.answered(at(1), { revision: 1, entries: [entry('a', 1)] }, START)
      books.refused(at(1), 'COMPACTED')
      assert.deepEqual(broken, [])
    })

    it('another value, another version, another revision', () => {
      for (const answer of [
        { revision: 2, entries: [entry('a', 2)] },
        { revision: 2, entries: [{ ...entry('b', 2), version: 1 }] },
        { revision: 3, entries: [entry('c', 3)] },
      ]) {
        const { ledger: books, broken } = written()
        books.answered(at(2), answer, books.now)
        assert.deepEqual(broken, ['history'], JSON.stringify(answer))
      }
    })

    it('one that had been compacted, and one that is refused and had not been', () => {
      const { ledger: books, broken } = written()
      books.answered(at(1), { revision: 1, entries: [entry('a', 1)] }, books.now)
      books.refused(at(2), 'COMPACTED')
      books.refused(at(2), 'INVALID_ARGUMENT')
      assert.deepEqual(broken, ['history', 'history', 'history'])
    })
  })
})

describe('the verdict', () => {
  const written: Recorded = {
    process: 'c1',
    asked: { type: 'put', key: 'k', value: 'v' },
    outcome: { type: 'ok', answer: { revision: 1 } },
    began: 1,
    ended: 2,
  }
  const read: Recorded = {
    process: 'c2',
    asked: { type: 'get', keys: ['k'], stale: false },
    outcome: { type: 'ok', answer: { revision: 0, entries: [undefined] } },
    began: 3,
    ended: 4,
  }

  it('is that a read which misses an acknowledged write is wrong, and a stale one is not', () => {
    assert.match(problemOf([written, read])!, /not linearizable|violation/i)
    const stale: Recorded = { ...read, asked: { type: 'get', keys: ['k'], stale: true } }
    assert.equal(problemOf([written, stale]), undefined)
  })

  it('is that a write of unknown outcome may or may not have happened', () => {
    const unknown: Recorded = {
      ...written,
      outcome: { type: 'unknown', code: 'OUTCOME_UNKNOWN', message: '' },
    }
    assert.equal(problemOf([unknown, read]), undefined)
  })
})
