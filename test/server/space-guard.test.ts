import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pino } from 'pino'
import { KvFront } from '../../src/server/kv-front.ts'
import type { WriteCall } from '../../src/server/calls.ts'
import { lowSpace } from '../../src/server/refusals.ts'
import { SpaceGuard } from '../../src/server/space-guard.ts'
import { encodeCommand } from '../../src/wire/command.ts'
import type { Operation } from '../../src/wire/types.ts'
import { ManualClock } from '../client/manual-clock.ts'
import { Driven, RecordedRead, RecordedWrite } from './support/driven.ts'

const LIMIT = 1000

/** A guard of n1 over a disk and connections that the test decides about. */
class Guarded {
  readonly clock = new ManualClock()
  readonly lines: { level: number; msg: string; freeBytes?: number }[] = []
  free: number | Error = 5000
  connected = ['n2', 'n3']
  readonly guard: SpaceGuard

  constructor(minFreeBytes = LIMIT) {
    const stream = {
      write: (line: string) => void this.lines.push(JSON.parse(line) as (typeof this.lines)[0]),
    }
    const disk = {
      space: async () => {
        if (this.free instanceof Error) throw this.free
        return { freeBytes: this.free, totalBytes: 10_000 }
      },
    }
    const peers = () => ['n2', 'n3'].map((id) => ({ id, connected: this.connected.includes(id) }))
    this.guard = new SpaceGuard(
      { disk, clock: this.clock, logger: pino({}, stream), id: 'n1', peers },
      { minFreeBytes },
    )
  }

  /** What is free from now on, and is found when the guard looks next. */
  async found(free: number | Error): Promise<void> {
    this.free = free
    await this.clock.advance(1000)
  }
}

describe('the guard of disk space', () => {
  it('refuses below the limit, names node and bytes, and lifts a quarter above it', async () => {
    const guarded = new Guarded()
    const { guard } = guarded
    await guard.start()
    assert.equal(guard.refusal(), undefined)
    await guarded.found(LIMIT)
    assert.equal(guard.refusal(), undefined, 'the limit itself is enough')
    await guarded.found(LIMIT - 1)
    const refusal = guard.refusal()
    assert.deepEqual(
      [refusal?.code, refusal?.notExecuted, refusal?.lasting],
      ['RESOURCE_EXHAUSTED', true, true],
    )
    assert.match(refusal!.message, /n1 has 0\.0 MiB left.*--min-free-bytes/)
    await guarded.found(LIMIT + 200)
    assert.ok(guard.refusal(), 'a disk at its limit does not flicker')
    await guarded.found(LIMIT * 1.25)
    assert.equal(guard.refusal(), undefined)
    assert.equal(guard.lowSpaceBytes, undefined)
    assert.deepEqual(
      guarded.lines.map(({ level, freeBytes }) => [level, freeBytes]),
      [
        [40, LIMIT - 1],
        [30, LIMIT * 1.25],
      ],
      'one line each way',
    )
  })

  it('is found low at the first look, before the node takes part', async () => {
    const guarded = new Guarded()
    guarded.free = 0
    await guarded.guard.start()
    assert.ok(guarded.guard.refusal())
    assert.equal(guarded.guard.lowSpaceBytes, 1, 'nothing left is still a report')
  })

  it('0 turns it off; a file system that does not say what is free refuses nothing', async () => {
    const off = new Guarded(0)
    off.free = 0
    await off.guard.start()
    assert.equal(off.guard.refusal(), undefined)
    const mute = new Guarded()
    await mute.guard.start()
    await mute.found(new Error('statfs fails'))
    await mute.found(new Error('statfs fails'))
    assert.equal(mute.guard.refusal(), undefined)
    assert.equal(mute.lines.length, 1, 'said once')
    assert.equal(mute.guard.space, undefined)
  })

  it('looks no more once it is stopped', async () => {
    const guarded = new Guarded()
    await guarded.guard.start()
    guarded.guard.stop()
    await guarded.found(0)
    assert.equal(guarded.guard.refusal(), undefined)
    assert.equal(guarded.clock.timerCount, 0)
  })

  it('a leader goes on while a majority has space, and refuses where it would need a low one', async () => {
    const guarded = new Guarded()
    const { guard } = guarded
    await guard.start()
    guard.peerReported('n2', 500)
    assert.equal(guard.refusal(), undefined, 'n1 and n3 are enough')
    guarded.connected = ['n2']
    assert.match(guard.refusal()!.message, /n2 has/, 'without n3 every write would need n2')
    guarded.connected = ['n2', 'n3']
    guard.peerReported('n3', 1)
    assert.match(guard.refusal()!.message, /n2 has.*n3 has/)
    guard.peerReported('n3', undefined)
    guard.peerReported('n2', undefined)
    assert.equal(guard.refusal(), undefined)
  })
})

describe('low on space', () => {
  it('a leader refuses what takes space, definitely; deletes and reads go on', async () => {
    const driven = await Driven.leading()
    driven.guard.refused = lowSpace([['n1', 1]], LIMIT)
    const [put, deletion] = [new RecordedWrite('a', 'b', true), new RecordedWrite('a', 'b', false)]
    driven.driver.write(put)
    driven.driver.write(deletion)
    const read = new RecordedRead('a')
    driven.driver.read(read)
    await driven.clock.settle()
    assert.deepEqual([put.failure?.code, put.failure?.notExecuted], ['RESOURCE_EXHAUSTED', true])
    assert.ok(deletion.succeeded)
    assert.deepEqual(read.answers, [undefined])
    driven.guard.refused = undefined
    const again = new RecordedWrite('c', 'd', true)
    driven.driver.write(again)
    await driven.clock.settle()
    assert.ok(again.succeeded)
  })

  it('a follower says so with its heartbeat replies, and a leader hears it', async () => {
    const driven = await Driven.create(['n1', 'n2', 'n3'])
    driven.guard.lowSpaceBytes = 77
    const heartbeat = { type: 'heartbeat', from: 'n2', to: 'n1', term: 1, leaderCommit: 0 } as const
    await driven.receive({ ...heartbeat, readContext: 4 })
    driven.guard.lowSpaceBytes = undefined
    await driven.receive({ ...heartbeat, readContext: 5 })
    const replies = driven.takeSent().filter(({ type }) => type === 'heartbeatReply')
    assert.deepEqual(
      replies.map((reply) => 'lowSpaceBytes' in reply && reply.lowSpaceBytes),
      [77, false],
    )
    const reply = { type: 'heartbeatReply', from: 'n3', to: 'n1', term: 1, readContext: 0 } as const
    await driven.receive({ ...reply, lowSpaceBytes: 5 }, reply)
    assert.deepEqual(driven.guard.reports, [
      ['n3', 5],
      ['n3', undefined],
    ])
  })

  it('puts and compare-and-sets take space; deletes, sessions and what is wrong do not', () => {
    const calls: WriteCall[] = []
    const replication = { write: (call: WriteCall) => void calls.push(call), read() {}, readApplied() {} }
    const limits = { maxKeyBytes: 100, maxValueBytes: 100, maxRequestBytes: 1000 }
    const front = new KvFront(replication, limits, { begin() {} })
    const reply = { result() {}, fail() {} }
    const [key, value] = [Buffer.from('k'), Buffer.from('v')]
    const operations: Operation[] = [
      { type: 'put', key, value },
      { type: 'putMany', puts: [{ key, value }] },
      { type: 'cas', key, expected: { type: 'absent' }, newValue: value },
      { type: 'delete', key },
    ]
    for (const operation of operations) {
      front.command(encodeCommand({ session: 0, sequence: 0, firstUnacked: 0, operation }), reply)
    }
    front.sessionChange(new Uint8Array(0), reply)
    assert.deepEqual(
      calls.map(({ takesSpace }) => takesSpace),
      [true, true, true, false, false],
    )
  })
})
