import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BrokenInvariantError, DiskError } from '../../src/errors.ts'
import { LOG_START } from '../../src/raft/types.ts'
import { sealEntries } from '../../src/wire/entry.ts'
import { Driven, RecordedRead, RecordedWrite, TICK_MS } from './support/driven.ts'

const THREE = ['n1', 'n2', 'n3']

function writes(count: number): RecordedWrite[] {
  return Array.from({ length: count }, (_, i) => new RecordedWrite(`k${i}`))
}

describe('group commit', () => {
  it('puts what is called in one turn into one append, and what comes during it into the next', async () => {
    const driven = await Driven.leading()
    driven.log.held = true
    const before = driven.log.appends.length
    const [a, b, c, d] = writes(4)
    driven.driver.write(a!)
    driven.driver.write(b!)
    await driven.clock.settle()
    driven.driver.write(c!)
    await driven.clock.settle()
    driven.driver.write(d!)
    await driven.clock.settle()
    assert.equal(driven.log.appends.length, before + 1, 'one append at a time')
    assert.equal(a!.answers.length + b!.answers.length, 0, 'nothing is answered before its write is durable')

    driven.log.release()
    await driven.clock.settle()
    assert.deepEqual([a!.succeeded, b!.succeeded, c!.succeeded, d!.succeeded], [true, true, false, false])
    driven.log.release()
    await driven.clock.settle()
    assert.ok(c!.succeeded && d!.succeeded)
    const counts = driven.log.appends
      .slice(before)
      .map((append) => append.reduce((sum, { entries }) => sum + entries.length, 0))
    assert.deepEqual(counts, [2, 2])
  })

  it('answers each write once, with its own result, in the order of the log', async () => {
    const driven = await Driven.leading()
    const all = writes(50)
    for (const write of all) driven.driver.write(write)
    await driven.clock.settle()
    assert.deepEqual(
      all.map(({ answers }) => answers.map((answer) => 'revision' in answer && answer.revision)),
      all.map((_, i) => [i + 1]),
    )
    assert.equal(driven.driver.waitingProposals, 0)
  })
})

describe('promises', () => {
  it('a vote leaves only when it is on disk; what asks for it, only when the own vote is', async () => {
    const driven = await Driven.create(THREE)
    driven.log.held = true
    const lastLog = { lastLogIndex: 0, lastLogTerm: 0 }
    await driven.receive({ type: 'vote', from: 'n2', to: 'n1', term: 5, ...lastLog })
    assert.ok(driven.log.waiting)
    assert.deepEqual(driven.takeSent(), [])
    driven.log.release()
    await driven.clock.settle()
    assert.deepEqual(driven.takeSent(), [{ type: 'voteReply', from: 'n1', to: 'n2', term: 5, granted: true }])
  })

  it('a promise made during a write waits for the write that holds it, not for the one under way', async () => {
    const driven = await Driven.create(THREE)
    driven.log.held = true
    const lastLog = { lastLogIndex: 0, lastLogTerm: 0 }
    await driven.receive({ type: 'vote', from: 'n2', to: 'n1', term: 5, ...lastLog })
    await driven.receive({ type: 'vote', from: 'n3', to: 'n1', term: 6, ...lastLog })
    driven.log.release()
    await driven.clock.settle()
    assert.deepEqual(
      driven.takeSent().map(({ to }) => to),
      ['n2'],
      'the second vote is not on disk',
    )
    driven.log.release()
    await driven.clock.settle()
    assert.deepEqual(
      driven.takeSent().map(({ to, term }) => [to, term]),
      [['n3', 6]],
    )
  })

  it('a heartbeat is answered without waiting for the disk', async () => {
    const driven = await Driven.create(THREE)
    await driven.depose()
    await driven.clock.settle()
    driven.log.held = true
    driven.takeSent()
    await driven.receive({ type: 'vote', from: 'n3', to: 'n1', term: 1, lastLogIndex: 0, lastLogTerm: 0 })
    await driven.depose()
    assert.ok(driven.log.waiting, 'the new term is on its way to the disk')
    await driven.receive({
      type: 'heartbeat',
      from: 'n2',
      to: 'n1',
      term: 2,
      leaderCommit: 0,
      readContext: 9,
    })
    const replies = driven.takeSent().filter(({ type }) => type === 'heartbeatReply')
    assert.equal(replies.length, 2)
  })
})

describe('a write that fails', () => {
  it('stops the driver: what was on its way is unknown, what waited for its turn was not executed', async () => {
    const driven = await Driven.leading()
    driven.log.held = true
    const [underWay, queued, late] = writes(3)
    driven.driver.write(underWay!)
    await driven.clock.settle()
    driven.driver.write(queued!)
    const read = new RecordedRead('k')
    const error = new DiskError('the disk is gone')
    driven.log.release(error)
    await driven.clock.settle()
    driven.driver.read(read)
    driven.driver.write(late!)
    await driven.clock.advance(100 * TICK_MS)
    assert.deepEqual(driven.failures, [error])
    assert.equal(underWay!.failure?.notExecuted, false)
    assert.equal(queued!.failure?.notExecuted, true)
    assert.equal(late!.failure?.notExecuted, true)
    assert.equal(read.code, 'UNAVAILABLE')
    assert.deepEqual(driven.takeSent(), [], 'it says nothing any more')
    assert.equal(driven.clock.timerCount, 0)
  })

  it('keeps its promises to itself', async () => {
    const driven = await Driven.create(THREE)
    driven.log.held = true
    await driven.receive({ type: 'vote', from: 'n2', to: 'n1', term: 5, lastLogIndex: 0, lastLogTerm: 0 })
    driven.log.release(new DiskError('the disk is gone'))
    await driven.clock.settle()
    assert.deepEqual(driven.takeSent(), [])
    assert.equal(driven.failures.length, 1)
  })

  it('during a stop is reported: that was no clean end', async () => {
    const driven = await Driven.leading()
    driven.log.held = true
    const [write] = writes(1)
    driven.driver.write(write!)
    await driven.clock.settle()
    const stopped = driven.driver.stop()
    assert.equal(write!.failure?.notExecuted, false)
    const error = new DiskError('the disk is gone')
    driven.log.release(error)
    await stopped
    assert.deepEqual(driven.failures, [error])
  })
})

describe('stop', () => {
  it('answers everything at once, waits for the write under way, and then is silent', async () => {
    const driven = await Driven.leading()
    driven.log.held = true
    const [underWay, queued] = writes(2)
    driven.driver.write(underWay!)
    await driven.clock.settle()
    driven.driver.write(queued!)
    let over = false
    const stopped = driven.driver.stop().then(() => (over = true))
    assert.equal(underWay!.failure?.notExecuted, false)
    assert.equal(queued!.failure?.notExecuted, true)
    await driven.clock.settle()
    assert.equal(over, false)
    driven.log.release()
    await stopped
    await driven.clock.advance(100 * TICK_MS)
    assert.deepEqual(driven.failures, [])
    assert.equal(underWay!.answers.length, 1)
    assert.equal(driven.clock.timerCount, 0)
  })

  it('refuses stale reads too, and takes no message', async () => {
    const driven = await Driven.leading()
    await driven.driver.stop()
    const read = new RecordedRead('k', new DiskError('the state is closed'))
    driven.driver.readApplied(read)
    assert.equal(read.code, 'UNAVAILABLE')
    await driven.depose()
    assert.deepEqual([driven.failures, driven.takeSent()], [[], []])
  })
})

describe('limits', () => {
  it('refuses more proposals than may wait, by number and by bytes, as not executed', async () => {
    const driven = await Driven.leading(['n1'], { maxWaitingProposals: 3, maxWaitingBytes: 1000 })
    driven.log.held = true
    const all = writes(4)
    for (const write of all) driven.driver.write(write)
    assert.deepEqual(
      all.map(({ failure }) => failure?.code),
      [undefined, undefined, undefined, 'RESOURCE_EXHAUSTED'],
    )
    assert.equal(all[3]!.failure?.notExecuted, true)
    await driven.clock.settle()
    driven.log.release()
    await driven.clock.settle()
    const large = [new RecordedWrite('a', Buffer.alloc(1000)), new RecordedWrite('b')]
    for (const write of large) driven.driver.write(write)
    assert.deepEqual(
      large.map(({ failure }) => failure?.code),
      [undefined, 'RESOURCE_EXHAUSTED'],
    )
    await driven.clock.settle()
    driven.log.release()
    await driven.clock.settle()
    const after = new RecordedWrite('c')
    driven.driver.write(after)
    await driven.clock.settle()
    driven.log.release()
    await driven.clock.settle()
    assert.ok(after.succeeded, 'what was answered waits no longer')
  })

  it('refuses more reads than may wait, and counts those that were answered no longer', async () => {
    const driven = await Driven.leading(THREE, { maxWaitingProposals: 2 })
    const reads = [1, 2, 3].map(() => new RecordedRead('k'))
    for (const read of reads) driven.driver.read(read)
    assert.deepEqual(
      reads.map(({ code }) => code),
      [undefined, undefined, 'RESOURCE_EXHAUSTED'],
    )
    await driven.clock.settle()
    const round = driven.takeSent().find(({ type }) => type === 'heartbeat')
    assert.ok(round?.type === 'heartbeat')
    const { term, readContext } = round
    await driven.receive({ type: 'heartbeatReply', from: 'n2', to: 'n1', term, readContext })
    assert.deepEqual(
      reads.map(({ answers }) => answers.length),
      [1, 1, 1],
    )
    const next = new RecordedRead('k')
    driven.driver.read(next)
    assert.equal(next.code, undefined)
  })

  it('serves stale reads a while at a time, and refuses more of them than may wait', async () => {
    const driven = await Driven.leading(['n1'], { maxWaitingProposals: 2 })
    const get = driven.machine.get.bind(driven.machine)
    driven.machine.get = (key) => (driven.clock.spend(10), get(key))
    const reads = [1, 2, 3, 4].map(() => new RecordedRead('k'))
    for (const read of reads) driven.driver.readApplied(read)
    assert.deepEqual(
      reads.map(({ answers, code }) => code ?? answers.length),
      [1, 0, 0, 'RESOURCE_EXHAUSTED'],
    )
    await driven.clock.settle()
    assert.deepEqual(
      reads.map(({ answers, code }) => code ?? answers.length),
      [1, 1, 1, 'RESOURCE_EXHAUSTED'],
    )
  })

  it('refuses proposals while too much state waits for its checkpoint', async () => {
    const driven = await Driven.leading(['n1'], { maxUnwrittenBytes: 30 })
    const [first, second, third] = writes(3)
    driven.driver.write(first!)
    await driven.clock.settle()
    driven.driver.write(second!)
    assert.equal(second!.failure?.code, 'RESOURCE_EXHAUSTED')
    await driven.clock.advance(1100)
    driven.driver.write(third!)
    await driven.clock.settle()
    assert.ok(third!.succeeded, 'the checkpoint made room')
  })

  it('applies nothing while too much state waits for its checkpoint, whoever leads', async () => {
    const driven = await Driven.create(['n1', 'n2', 'n3'], { maxUnwrittenBytes: 500 })
    const leads = { term: 1, from: 'n2', to: 'n1' } as const
    const commands = Array.from({ length: 4 }, (_, i) => new RecordedWrite(`k${i}`, 'v'.repeat(800)))
    const entries = sealEntries(
      LOG_START,
      1,
      commands.map(({ kind, data }) => ({ kind, data })),
    )
    const previous = { prevLogIndex: 0, prevLogTerm: 0, prevChecksum: 0 }
    await driven.receive({ type: 'append', ...leads, ...previous, entries, leaderCommit: 4 })
    const applied: number[] = []
    for (let second = 0; second < 5; second++) {
      applied.push(driven.machine.applied.index)
      for (let i = 0; i < 11; i++) {
        await driven.clock.advance(100)
        await driven.receive({ type: 'heartbeat', ...leads, leaderCommit: 4, readContext: 0 })
      }
    }
    assert.deepEqual(applied, [1, 2, 3, 4, 4], 'one, and then one more after each checkpoint')
    assert.deepEqual(driven.failures, [])
  })
})

describe('a leader that steps down', () => {
  it('answers what is queued as not executed, what is in the log as unknown, and reads as refused', async () => {
    const driven = await Driven.leading(THREE)
    driven.log.held = true
    const [inLog, queued] = writes(2)
    driven.driver.write(inLog!)
    await driven.clock.settle()
    driven.driver.write(queued!)
    const reads = [new RecordedRead('k'), new RecordedRead('k')]
    driven.driver.read(reads[0]!)
    await driven.clock.settle()
    driven.driver.read(reads[1]!)
    await driven.depose()
    assert.deepEqual([inLog!.failure?.code, inLog!.failure?.notExecuted], ['UNAVAILABLE', false])
    assert.equal(queued!.failure?.notExecuted, true)
    assert.deepEqual(
      reads.map(({ answers }) => answers.length),
      [1, 1],
    )
    assert.ok(reads.every(({ code }) => code === 'NOT_LEADER' || code === 'UNAVAILABLE'))
    driven.log.release()
    await driven.clock.settle()
    assert.deepEqual([inLog!.answers.length, queued!.answers.length], [1, 1])
    assert.deepEqual(driven.failures, [])
  })

  it('redirects from then on to the new leader, whose address it was told', async () => {
    const driven = await Driven.leading(THREE)
    await driven.depose()
    await driven.depose()
    const [write] = writes(1)
    driven.driver.write(write!)
    assert.deepEqual(write!.failure?.leader, {
      id: 'n2',
      clientAddress: 'n2:7001',
      term: driven.driver.status.term,
    })
  })
})

describe('a state that cannot be read', () => {
  it('refuses every read of the round, once, and stops the node', async () => {
    const driven = await Driven.leading()
    const error = new DiskError('the state is broken')
    const reads = [new RecordedRead('k'), new RecordedRead('k', error), new RecordedRead('k')]
    for (const read of reads) driven.driver.read(read)
    await driven.clock.settle()
    assert.deepEqual(
      reads.map(({ answers }) => answers.length),
      [1, 1, 1],
    )
    assert.deepEqual(
      reads.map(({ code }) => code),
      [undefined, 'UNAVAILABLE', 'UNAVAILABLE'],
    )
    assert.deepEqual(driven.failures, [error])
  })

  it('what is no failure of the disk is a broken invariant', async () => {
    const driven = await Driven.leading()
    const read = new RecordedRead('k', new TypeError('a mistake'))
    driven.driver.readApplied(read)
    assert.equal(read.code, 'UNAVAILABLE')
    assert.ok(driven.failures[0] instanceof BrokenInvariantError)
  })
})
