import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytes, changesOf, put, refusal, Replica, restore, succeeded } from './support.ts'

describe('exactly once', () => {
  it('a repeated command gets the first answer and is not applied again', async () => {
    const replica = await Replica.create()
    const session = replica.open()
    const first = replica.put('a', 'one', session, 1, 1)
    replica.put('a', 'two')
    assert.deepEqual(replica.put('a', 'one', session, 1, 1), first)
    assert.equal(replica.value('a'), 'two')
    assert.equal(replica.machine.revision, 2)
  })

  it('the answer of a failed comparison is kept with what was there then', async () => {
    const replica = await Replica.create()
    const session = replica.open()
    replica.put('a', 'then')
    const cas = { type: 'cas', key: bytes('a'), expected: { type: 'absent' }, newValue: bytes('x') } as const
    const first = succeeded(replica.run(cas, session, 1, 1))
    replica.delete('a')
    assert.deepEqual(first.current?.value, bytes('then'))
    assert.deepEqual(replica.run(cas, session, 1, 1), first)
    assert.equal(replica.value('a'), undefined)
  })

  it('commands that overtake each other are each applied once', async () => {
    const replica = await Replica.create()
    const session = replica.open()
    replica.put('a', 'third', session, 3, 1)
    replica.put('b', 'first', session, 1, 1)
    replica.put('a', 'third', session, 3, 1)
    assert.equal(replica.machine.revision, 2)
    assert.equal(replica.value('b'), 'first')
  })

  it('a sequence below the highest firstUnacked seen is never applied, known answer or not', async () => {
    const replica = await Replica.create()
    const session = replica.open()
    replica.put('a', '1', session, 1, 1)
    replica.put('a', '4', session, 4, 4)
    for (const sequence of [1, 2, 3]) {
      assert.equal(refusal(replica.put('a', 'late', session, sequence, 1)), 'SESSION_EXPIRED')
    }
    assert.equal(replica.value('a'), '4')
    assert.equal(replica.machine.revision, 2)
  })

  it('firstUnacked drops the answers below it and never goes back', async () => {
    const replica = await Replica.create({ maxAnswersPerSession: 2 })
    const session = replica.open()
    replica.put('a', '1', session, 1, 1)
    replica.put('a', '2', session, 2, 1)
    assert.equal(refusal(replica.put('a', '3', session, 3, 1)), 'RESOURCE_EXHAUSTED')
    replica.put('a', '3', session, 3, 2)
    assert.equal(refusal(replica.put('a', '4', session, 4, 1)), 'RESOURCE_EXHAUSTED')
    assert.equal(refusal(replica.put('a', '1', session, 1, 1)), 'SESSION_EXPIRED')
    replica.put('a', '4', session, 4, 4)
    assert.equal(replica.value('a'), '4')
  })

  it('a jump of firstUnacked over a great distance is quick', async () => {
    const replica = await Replica.create()
    const session = replica.open()
    replica.put('a', '1', session, 1, 1)
    const far = Number.MAX_SAFE_INTEGER
    replica.put('a', '2', session, far, far)
    assert.equal(replica.value('a'), '2')
    assert.equal(refusal(replica.put('a', '1', session, 1, 1)), 'SESSION_EXPIRED')
  })

  it('a session that is not known is always SESSION_EXPIRED, and nothing is applied', async () => {
    const replica = await Replica.create()
    const closed = replica.open()
    replica.put('a', '1', closed, 1, 1)
    succeeded(replica.machine.apply(replica.log.close(closed)))
    for (const session of [closed, 77]) {
      assert.equal(refusal(replica.put('a', 'again', session, 1, 1)), 'SESSION_EXPIRED')
      assert.equal(refusal(replica.machine.apply(replica.log.close(session))), 'SESSION_EXPIRED')
    }
    assert.equal(replica.value('a'), '1')
  })

  it('a sequence of 0, or below its own firstUnacked, is refused as wrong and leaves the session as it was', async () => {
    const replica = await Replica.create()
    const session = replica.open()
    const before = replica.machine.stateHash()
    assert.equal(refusal(replica.put('a', '1', session, 0, 0)), 'INVALID_ARGUMENT')
    assert.equal(refusal(replica.put('a', '1', session, 2, 3)), 'INVALID_ARGUMENT')
    assert.equal(replica.machine.stateHash(), before)
    succeeded(replica.put('a', '1', session, 1, 1))
  })

  it('without a session a repeated command is applied again', async () => {
    const replica = await Replica.create()
    replica.put('a', '1')
    replica.put('a', '1')
    assert.equal(replica.machine.revision, 2)
  })

  it('sessions of different clients do not meet', async () => {
    const replica = await Replica.create()
    const [one, two] = [replica.open(), replica.open()]
    replica.put('a', 'one', one, 1, 1)
    replica.put('a', 'two', two, 1, 1)
    assert.equal(replica.value('a'), 'two')
    assert.equal(replica.machine.revision, 2)
  })
})

describe('bounds of answers', () => {
  it('beyond the bytes of a session, commands are refused unapplied until answers are acknowledged', async () => {
    const replica = await Replica.create({ maxAnswerBytesPerSession: 1000 })
    const session = replica.open()
    replica.put('big', 'x'.repeat(1000))
    const cas = { type: 'cas', key: bytes('big'), expected: { type: 'absent' }, newValue: bytes('') } as const
    succeeded(replica.run(cas, session, 1, 1))
    assert.equal(refusal(replica.put('a', '1', session, 2, 1)), 'RESOURCE_EXHAUSTED')
    assert.equal(replica.value('a'), undefined)
    succeeded(replica.run(cas, session, 1, 1))
    succeeded(replica.put('a', '1', session, 2, 2))
    assert.equal(replica.value('a'), '1')
  })

  it('beyond the bytes of all sessions, every session in use is refused until one makes room', async () => {
    const replica = await Replica.create({ maxAnswerBytes: 128, minSessionTtlMs: 1000 })
    const [one, two, three] = [replica.open(), replica.open(), replica.open()]
    succeeded(replica.put('a', '1', one, 1, 1))
    succeeded(replica.put('a', '2', two, 1, 1))
    assert.equal(refusal(replica.put('a', '3', three, 1, 1)), 'RESOURCE_EXHAUSTED')
    replica.machine.apply(replica.log.close(one))
    succeeded(replica.put('a', '3', three, 1, 1))
    assert.equal(refusal(replica.put('a', '4', three, 2, 1)), 'RESOURCE_EXHAUSTED')
    succeeded(replica.put('a', '4', three, 2, 2))
  })
})

describe('expiry and eviction', () => {
  it('beyond the bytes of all sessions, the one that holds answers and was idle for longest goes', async () => {
    const replica = await Replica.create({ maxAnswerBytes: 128, minSessionTtlMs: 1000 })
    const [silent, idle, younger, active] = [replica.open(), replica.open(), replica.open(), replica.open()]
    succeeded(replica.put('a', '1', idle, 1, 1))
    replica.time(1000)
    succeeded(replica.put('a', '2', younger, 1, 1))
    replica.time(1999)
    assert.equal(
      refusal(replica.put('a', '3', active, 1, 1)),
      'RESOURCE_EXHAUSTED',
      'not idle for a second yet',
    )
    replica.time(2000)
    succeeded(replica.put('a', '3', active, 1, 1))
    assert.equal(replica.machine.sessionCount, 3)
    assert.equal(refusal(replica.put('a', '1', idle, 1, 1)), 'SESSION_EXPIRED')
    succeeded(replica.put('a', '2', younger, 1, 1))
    assert.equal(replica.value('a'), '3', 'that was a repetition')
    replica.time(3000)
    replica.time(4000)
    succeeded(replica.put('a', '4', silent, 1, 1))
    assert.equal(refusal(replica.put('a', '2', younger, 1, 1)), 'SESSION_EXPIRED', 'of two, the older one')
  })

  it('a session that holds answers stays while it is in use, however old the last time stamp is', async () => {
    const replica = await Replica.create({ maxAnswerBytes: 128, minSessionTtlMs: 1000 })
    replica.time(10_000)
    const [active, other] = [replica.open(), replica.open()]
    succeeded(replica.put('a', '1', active, 1, 1))
    const second = succeeded(replica.put('a', '2', active, 2, 1))
    replica.time(25_000)
    assert.equal(refusal(replica.put('a', '3', other, 1, 1)), 'RESOURCE_EXHAUSTED', 'right after a stamp')
    replica.time(25_999)
    assert.equal(refusal(replica.put('a', '3', other, 1, 1)), 'RESOURCE_EXHAUSTED', 'idle for too short')
    assert.deepEqual(replica.put('a', '2', active, 2, 1), second)
    replica.time(27_000)
    assert.equal(refusal(replica.put('a', '3', other, 1, 1)), 'RESOURCE_EXHAUSTED', 'a repetition counts')
    replica.time(28_000)
    succeeded(replica.put('a', '3', other, 1, 1))
  })

  it('a session expires once it has been idle for longer than its time to live', async () => {
    const replica = await Replica.create()
    const session = replica.open(5000)
    replica.time(1000)
    replica.time(6000)
    assert.equal(replica.machine.sessionCount, 1)
    replica.time(6001)
    assert.equal(replica.machine.sessionCount, 0)
    assert.equal(refusal(replica.put('a', '1', session, 1, 1)), 'SESSION_EXPIRED')
  })

  it('its time begins with the stamp after its opening or last command, for the one before may be long ago', async () => {
    const replica = await Replica.create()
    replica.time(1000)
    const session = replica.open(5000)
    replica.time(16_000)
    assert.equal(replica.machine.sessionCount, 1)
    succeeded(replica.put('a', '1', session, 1, 1))
    replica.time(31_000)
    replica.time(36_000)
    assert.equal(replica.machine.sessionCount, 1)
    replica.time(36_001)
    assert.equal(replica.machine.sessionCount, 0)
  })

  it('a command keeps it alive, a duplicate too', async () => {
    const replica = await Replica.create()
    const session = replica.open(5000)
    replica.time(1000)
    replica.put('a', '1', session, 1, 1)
    replica.time(4000)
    replica.put('a', '1', session, 1, 1)
    replica.time(8000)
    replica.time(13_000)
    assert.equal(replica.machine.sessionCount, 1)
    replica.time(13_001)
    assert.equal(replica.machine.sessionCount, 0)
  })

  it('the time to live is the default where none is asked for, and kept within its bounds', async () => {
    const limits = { defaultSessionTtlMs: 50, minSessionTtlMs: 20, maxSessionTtlMs: 90 }
    for (const [asked, lives] of [
      [0, 50],
      [1, 20],
      [70, 70],
      [1e9, 90],
    ] as const) {
      const replica = await Replica.create(limits)
      replica.open(asked)
      replica.time(1)
      replica.time(1 + lives)
      assert.equal(replica.machine.sessionCount, 1)
      replica.time(2 + lives)
      assert.equal(replica.machine.sessionCount, 0)
    }
  })

  it('one session too many evicts the one that was active least recently, of several the oldest', async () => {
    const replica = await Replica.create({ maxSessions: 3 })
    const [one, two, three] = [replica.open(), replica.open(), replica.open()]
    replica.time(10)
    replica.put('a', '1', one, 1, 1)
    const four = replica.open()
    assert.equal(replica.machine.sessionCount, 3)
    assert.equal(refusal(replica.put('a', '2', two, 1, 1)), 'SESSION_EXPIRED')
    replica.open()
    assert.equal(refusal(replica.put('a', '3', three, 1, 1)), 'SESSION_EXPIRED')
    succeeded(replica.put('a', '1', one, 2, 2))
    succeeded(replica.put('a', '4', four, 1, 1))
  })
})

describe('sessions in checkpoints', () => {
  it('come back whole: answers, acknowledged sequences, activity', async () => {
    const replica = await Replica.create()
    const session = replica.open(5000)
    replica.put('big', 'was there')
    const cas = { type: 'cas', key: bytes('big'), expected: { type: 'absent' }, newValue: bytes('') } as const
    replica.put('a', '1', session, 1, 1)
    const put2 = replica.put('a', '2', session, 2, 2)
    const failed = replica.run(cas, session, 3, 2)
    replica.time(3000)
    replica.checkpoint()
    const restored = await restore(replica.store)
    assert.equal(restored.stateHash(), replica.machine.stateHash())
    const { log } = replica
    assert.equal(refusal(restored.apply(log.command(put('a', '1'), session, 1, 1))), 'SESSION_EXPIRED')
    assert.deepEqual(restored.apply(log.command(put('a', '2'), session, 2, 1)), put2)
    assert.deepEqual(restored.apply(log.command(cas, session, 3, 1)), failed)
    restored.apply(log.time(4000))
    restored.apply(log.time(9000))
    assert.equal(restored.sessionCount, 1)
    restored.apply(log.time(9001))
    assert.equal(restored.sessionCount, 0)
  })

  it('still know who was active since the last time stamp, and who was not', async () => {
    const replica = await Replica.create()
    const [active, idle] = [replica.open(5000), replica.open(5000)]
    replica.time(1000)
    replica.put('a', '1', active, 1, 1)
    replica.checkpoint()
    const restored = await restore(replica.store)
    for (const [ms, sessions] of [
      [6001, 1],
      [11_001, 1],
      [11_002, 0],
    ] as const) {
      const stamp = replica.log.time(ms)
      replica.machine.apply(stamp)
      restored.apply(stamp)
      assert.equal(restored.sessionCount, sessions)
      assert.equal(restored.stateHash(), replica.machine.stateHash())
    }
    assert.equal(refusal(restored.apply(replica.log.command(put('a', '2'), idle, 1, 1))), 'SESSION_EXPIRED')
  })

  it('stand in the checkpoint as they were when it was frozen, whatever a time stamp does meanwhile', async () => {
    const replica = await Replica.create()
    replica.open()
    const hash = replica.machine.stateHash()
    const frozen = replica.machine.freeze()!
    replica.time(1000)
    replica.store.write(changesOf(frozen))
    replica.machine.checkpointWritten()
    assert.equal((await restore(replica.store)).stateHash(), hash)
    replica.checkpoint()
    assert.equal((await restore(replica.store)).stateHash(), replica.machine.stateHash())
  })

  it('are rewritten only where they changed, and deleted where they are gone', async () => {
    const replica = await Replica.create()
    const sessions = [replica.open(), replica.open(), replica.open()]
    replica.checkpoint()
    assert.equal(replica.store.under('s').length, 3)
    replica.machine.apply(replica.log.close(sessions[0]!))
    replica.put('a', '1', sessions[1], 1, 1)
    const changes = [...changesOf(replica.machine.freeze()!)].filter(([key]) => key[0] === 's'.charCodeAt(0))
    assert.deepEqual(
      changes.map(([key, value]) => [key[8], value === undefined]),
      [
        [sessions[0], true],
        [sessions[1], false],
      ],
    )
  })

  it('stand in the checkpoint as they were when it was frozen', async () => {
    const replica = await Replica.create()
    const [one, two] = [replica.open(), replica.open()]
    replica.put('a', '1', one, 1, 1)
    const hash = replica.machine.stateHash()
    const frozen = replica.machine.freeze()!
    replica.put('a', '2', one, 2, 2)
    replica.machine.apply(replica.log.close(two))
    replica.store.write(changesOf(frozen))
    replica.machine.checkpointWritten()
    const restored = await restore(replica.store)
    assert.equal(restored.stateHash(), hash)
    assert.equal(restored.sessionCount, 2)
    replica.checkpoint()
    assert.equal((await restore(replica.store)).stateHash(), replica.machine.stateHash())
    assert.equal(replica.store.under('s').length, 1)
  })
})
