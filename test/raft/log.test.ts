import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { EMPTY_LOG, RaftLog } from '../../src/raft/log.ts'
import { LOG_START } from '../../src/raft/types.ts'
import { sealEntries } from '../../src/wire/entry.ts'
import { command, entriesOfTerms } from './support/entries.ts'
import type { Term } from '../../src/raft/types.ts'

const SEAL = { seal: sealEntries }

function logOf(terms: readonly Term[], maxTailBytes = 1 << 20): RaftLog {
  const log = new RaftLog(EMPTY_LOG, { ...SEAL, maxTailBytes })
  log.replaceAfter(LOG_START, entriesOfTerms(terms))
  return log
}

describe('the log', () => {
  it('knows the term of every entry, also of those that left memory', () => {
    const log = logOf([1, 1, 4, 4, 5], 1)
    log.evict(5)
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5, 6].map((index) => log.termAt(index)),
      [0, 1, 1, 4, 4, 5, undefined],
    )
    assert.equal(log.entries(1, 5, 1000), undefined, 'they must be read from disk')
    assert.deepEqual([log.lastIndex, log.lastTerm], [5, 5])
  })

  it('keeps what is not applied in memory, whatever its size', () => {
    const log = logOf([1, 1, 1, 1], 1)
    log.evict(2)
    assert.equal(log.entries(2, 4, 1000), undefined)
    assert.equal(log.entries(3, 4, 1000)?.length, 2)
    assert.equal(log.positionAt(2)?.term, 1, 'the entry before the tail is known')
    assert.equal(log.positionAt(1), undefined)
  })

  it('lets go of the bytes of evicted entries at once', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const log = new RaftLog(EMPTY_LOG, { ...SEAL, maxTailBytes: 1000 })
    log.append(1, [command('set large ' + 'x'.repeat(100_000))])
    const large = new WeakRef(log.entries(1, 1, 1)![0]!)
    for (let i = 0; i < 5; i++) log.append(1, [command('set small x')])
    log.evict(5)
    await new Promise((resolve) => setImmediate(resolve)) // a WeakRef holds on until the turn ends
    collectGarbage()
    assert.equal(large.deref(), undefined)
    assert.equal(log.entries(6, 6, 1)?.length, 1)
  })

  it('hands out at least one entry, and no more than fit', () => {
    const log = logOf([1, 1, 1])
    const size = log.entries(1, 1, 1)![0]!.encoded.length
    assert.equal(log.entries(1, 3, 1)?.length, 1)
    assert.equal(log.entries(1, 3, 2 * size)?.length, 2)
    assert.equal(log.entries(1, 2, 100 * size)?.length, 2)
    assert.deepEqual(log.entries(4, 3, 100), [])
  })

  it('truncates, in memory and below it', () => {
    const entries = entriesOfTerms([1, 1, 1, 2])
    const [, second, third] = entries
    const log = logOf([1, 1, 1, 2])
    log.replaceAfter(third!, entriesOfTerms([3], third))
    assert.deepEqual([log.lastIndex, log.lastTerm, log.termAt(3)], [4, 3, 1])

    const found = {
      ...EMPTY_LOG,
      termStarts: [
        { term: 1, index: 1 },
        { term: 2, index: 4 },
      ],
    }
    const short = new RaftLog(
      { ...found, tail: entries.slice(3), tailPrevious: third! },
      { ...SEAL, maxTailBytes: 1 },
    )
    short.replaceAfter(second!, entriesOfTerms([5], second))
    assert.deepEqual([short.lastIndex, short.termAt(3), short.termAt(2)], [3, 5, 1])
    assert.deepEqual(
      short.entries(3, 3, 1)?.map(({ term }) => term),
      [5],
    )
    assert.equal(short.entries(2, 3, 1), undefined)
  })

  it('forgets the terms of what it truncates', () => {
    const log = logOf([1, 1, 2])
    log.replaceAfter(entriesOfTerms([1])[0]!, [])
    assert.deepEqual([log.lastIndex, log.termAt(2)], [1, undefined])
    log.append(2, [command('set a 1')])
    assert.equal(log.termAt(2), 2)
  })

  it('refuses a gap, a term that falls, and a leader who appends in an old term', () => {
    const log = logOf([1, 2])
    assert.throws(() => log.replaceAfter({ index: 3, term: 2, checksum: 0 }, []), /do not fit/)
    assert.throws(() => log.replaceAfter(log.last, entriesOfTerms([2, 2, 2])), /comes after/)
    assert.throws(
      () => log.replaceAfter(log.last, entriesOfTerms([1], log.last)),
      /term 1 comes after term 2/,
    )
    assert.throws(() => log.append(1, [command('set a 1')]), /term 1 is appended after term 2/)
  })

  it('finds where it may agree with a log of a given term (§3.5)', () => {
    const log = logOf([1, 1, 4, 4, 6])
    assert.equal(log.lastIndexOfTermAtMost(5, 10), 4, 'beyond the end counts from the end')
    assert.equal(log.lastIndexOfTermAtMost(4, 3), 3)
    assert.equal(log.lastIndexOfTermAtMost(3, 4), 2)
    assert.equal(log.lastIndexOfTermAtMost(0, 4), 0)
  })

  it('compares logs by last term, then by length (§3.6.1)', () => {
    const log = logOf([1, 2, 2])
    for (const [term, index, upToDate] of [
      [3, 1, true],
      [2, 3, true],
      [2, 4, true],
      [2, 2, false],
      [1, 9, false],
    ] as const) {
      assert.equal(log.isUpToDate(term, index), upToDate, `term ${term}, index ${index}`)
    }
  })
})
