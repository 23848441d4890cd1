import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Progress } from '../../src/raft/progress.ts'
import { entriesOfTerms } from './support/entries.ts'
import type { LogEntry, LogIndex } from '../../src/raft/types.ts'

const LIMITS = { maxInFlightBytes: 1 << 20, maxInFlightEntries: 100 }
const LOG = entriesOfTerms(Array.from({ length: 40 }, () => 1))

function entries(from: LogIndex, upTo: LogIndex): LogEntry[] {
  return LOG.slice(from - 1, upTo)
}

/** A follower that is known to hold everything up to `matchIndex`. */
function replicating(matchIndex: LogIndex, limits = LIMITS): Progress {
  const progress = new Progress(matchIndex + 1, limits)
  progress.sent([])
  progress.matched(matchIndex, 1)
  return progress
}

describe('progress: what a leader knows of a follower (§3.5, §10.2.2)', () => {
  it('starts as a probe behind the leader’s last entry, one question at a time', () => {
    const progress = new Progress(11, LIMITS)
    assert.deepEqual([progress.state, progress.nextIndex, progress.matchIndex], ['probe', 11, 0])
    assert.equal(progress.paused, false)
    progress.sent(entries(11, 12))
    assert.equal(progress.paused, true)
    assert.equal(progress.nextIndex, 11, 'a probe counts on nothing')
    progress.retryProbe()
    assert.equal(progress.paused, false)
  })

  it('replicates once the logs agree, and counts on what it sent', () => {
    const progress = replicating(10)
    assert.equal(progress.state, 'replicate')
    progress.sent(entries(11, 13))
    progress.sent(entries(14, 14))
    assert.deepEqual([progress.nextIndex, progress.matchIndex, progress.paused], [15, 10, false])
  })

  it('stops at its limit in entries, and goes on when answers come', () => {
    const progress = replicating(0, { ...LIMITS, maxInFlightEntries: 4 })
    progress.sent(entries(1, 2))
    assert.equal(progress.paused, false)
    progress.sent(entries(3, 5))
    assert.equal(progress.paused, true)
    progress.matched(1, 1)
    assert.equal(progress.paused, true, 'half a message is none')
    progress.matched(2, 1)
    assert.equal(progress.paused, false)
  })

  it('stops at its limit in bytes, and one answer ends the wait of all before it', () => {
    const bytes = entries(1, 6).reduce((sum, { encoded }) => sum + encoded.length, 0)
    const progress = replicating(0, { ...LIMITS, maxInFlightBytes: bytes })
    progress.sent(entries(1, 2))
    progress.sent(entries(3, 4))
    assert.equal(progress.paused, false)
    progress.sent(entries(5, 6))
    assert.equal(progress.paused, true)
    assert.equal(progress.inFlightBytes, bytes)
    progress.matched(6, 1)
    assert.deepEqual([progress.inFlightBytes, progress.paused], [0, false])
  })

  it('never takes matchIndex back', () => {
    const progress = replicating(10)
    assert.equal(progress.matched(12, 1), true)
    assert.equal(progress.matched(11, 1), false, 'an old answer is no news')
    progress.rejected(20, 3)
    assert.equal(progress.matchIndex, 12)
    assert.equal(progress.nextIndex, 13, 'what is known to match is never sent again')
  })

  it('goes back to where the logs may agree when an append does not fit', () => {
    const progress = new Progress(21, LIMITS)
    progress.sent([])
    assert.equal(progress.rejected(20, 7), true)
    assert.deepEqual([progress.nextIndex, progress.paused], [8, false])
    progress.sent([])
    assert.equal(progress.rejected(7, 30), true)
    assert.equal(progress.nextIndex, 7, 'it always goes back by one at least')
  })

  it('probes again after a rejection, and forgets what was on its way', () => {
    const progress = replicating(10)
    progress.sent(entries(11, 15))
    progress.sent(entries(16, 20))
    assert.equal(progress.rejected(15, 12), true)
    assert.deepEqual([progress.state, progress.nextIndex, progress.inFlightBytes], ['probe', 13, 0])
    progress.sent(entries(13, 20))
    assert.equal(progress.rejected(20, 12), false, 'of what was sent before')
    assert.equal(progress.paused, true)
  })

  it('ignores a rejection of what is known to match: an old answer, in either state', () => {
    const streaming = replicating(10)
    assert.equal(streaming.rejected(10, 4), false)
    assert.equal(streaming.state, 'replicate')

    const probing = replicating(10)
    probing.sent(entries(11, 15))
    probing.rejected(15, 10)
    probing.sent(entries(11, 15))
    assert.equal(
      probing.rejected(10, 4),
      false,
      'else leader and follower would answer each other without end',
    )
    assert.equal(probing.paused, true)
  })
})
