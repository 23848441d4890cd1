import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DamagedDataError } from '../../src/errors.ts'
import { recomputeStateHash } from '../../src/kv/state-hash.ts'
import { InvariantViolation } from '../../src/raft/assert.ts'
import { EntryKind } from '../../src/raft/types.ts'
import { bytes, changesOf, put, Replica, restore } from './support.ts'

describe('checkpoints', () => {
  it('an empty store gives a machine that has applied nothing', async () => {
    const { machine } = await Replica.create()
    assert.deepEqual(machine.applied, { index: 0, term: 0, checksum: 0 })
    assert.equal(machine.revision, 0)
    assert.equal(machine.freeze(), undefined)
    assert.equal(machine.unwrittenBytes, 0)
  })

  it('restore gives what was frozen: position, revision, time, keys, hash', async () => {
    const replica = await Replica.create()
    replica.time(1234)
    replica.put('a', '1')
    replica.put('b', '2')
    replica.delete('a')
    replica.checkpoint()
    const restored = await restore(replica.store)
    assert.deepEqual(restored.applied, { index: 4, term: 1, checksum: 28 })
    assert.equal(restored.revision, 3)
    assert.equal(restored.clusterTimeMs, 1234)
    assert.equal(restored.get(bytes('a')), undefined)
    assert.deepEqual(restored.get(bytes('b')), replica.machine.get(bytes('b')))
    assert.equal(restored.stateHash(), replica.machine.stateHash())
    assert.equal(restored.freeze(), undefined)
  })

  it('holds the state at its end, however much is applied before it is iterated', async () => {
    const replica = await Replica.create()
    replica.put('a', 'old')
    replica.put('b', 'old')
    const hash = replica.machine.stateHash()
    const frozen = replica.machine.freeze()!
    replica.put('a', 'new')
    replica.delete('b')
    replica.put('c', 'new')
    replica.store.write(changesOf(frozen))
    replica.machine.checkpointWritten()
    assert.deepEqual(frozen.upTo, { index: 2, term: 1, checksum: 14 })
    const restored = await restore(replica.store)
    assert.equal(restored.stateHash(), hash)
    assert.deepEqual(restored.get(bytes('a'))?.value, bytes('old'))
    assert.equal(restored.get(bytes('c')), undefined)
  })

  it('can be iterated step by step while changes are applied', async () => {
    const replica = await Replica.create({}, { packChanges: 2 })
    const sessions = [replica.open(), replica.open()]
    for (const key of ['a', 'b', 'c', 'd']) replica.put(key, 'old')
    const hash = replica.machine.stateHash()
    let step = 0
    const changes = []
    for (const change of changesOf(replica.machine.freeze()!)) {
      changes.push(change)
      step++
      replica.put('abcd'[step % 4]!, `new ${step}`)
      replica.put('s', `${step}`, sessions[step % 2], step, step)
      if (step === 2) replica.machine.apply(replica.log.close(sessions[0]!))
    }
    replica.store.write(changes)
    assert.equal((await restore(replica.store)).stateHash(), hash)
    assert.equal(await recomputeStateHash(replica.store), hash)
  })

  it('keys are found everywhere: dirty, frozen, and in the store once it is written, without a cache', async () => {
    const replica = await Replica.create({}, { cacheBytes: 0 })
    replica.put('a', '1')
    assert.equal(replica.value('a'), '1')
    const frozen = replica.machine.freeze()!
    assert.equal(replica.value('a'), '1')
    replica.put('a', '2')
    assert.equal(replica.value('a'), '2')
    replica.store.write(changesOf(frozen))
    replica.machine.checkpointWritten()
    assert.equal(replica.value('a'), '2')
    replica.checkpoint()
    assert.equal(replica.value('a'), '2')
    replica.put('a', '3')
    assert.equal(replica.machine.get(bytes('a'))?.version, 3)
  })

  it('what is written is let go of: without a cache it is read from the store', async () => {
    const replica = await Replica.create({}, { cacheBytes: 0 })
    replica.put('a', '1')
    replica.put('b', '1')
    replica.checkpoint()
    replica.put('b', '2')
    replica.store.records.clear()
    assert.equal(replica.value('a'), undefined)
    assert.equal(replica.value('b'), '2')
  })

  it('there is one at a time, and none where nothing was applied', async () => {
    const replica = await Replica.create()
    assert.throws(() => replica.machine.checkpointWritten(), InvariantViolation)
    replica.put('a', '1')
    const frozen = replica.machine.freeze()!
    replica.put('a', '2')
    assert.equal(replica.machine.freeze(), undefined)
    replica.store.write(changesOf(frozen))
    replica.machine.checkpointWritten()
    replica.checkpoint()
    assert.equal(replica.machine.freeze(), undefined)
    replica.machine.apply(replica.log.add(EntryKind.NoOp))
    assert.equal(replica.machine.freeze()?.upTo.index, 3)
  })

  it('unwrittenBytes grows with what is applied and falls to nothing once it is written', async () => {
    const replica = await Replica.create()
    replica.put('a', 'x'.repeat(10_000))
    const one = replica.machine.unwrittenBytes
    assert.ok(one >= 10_000 && one < 10_500, 'the record; history has only that there was nothing before')
    const frozen = replica.machine.freeze()!
    assert.ok(frozen.bytes >= one)
    replica.put('a', 'y'.repeat(10_000))
    assert.ok(
      replica.machine.unwrittenBytes >= 3 * one - 200,
      'the record, and in history the one that it replaced',
    )
    const written = [...changesOf(frozen)].reduce(
      (sum, [key, value]) => sum + key.length + (value?.length ?? 0),
      0,
    )
    assert.ok(Math.abs(written - frozen.bytes) < 200, 'the estimate is near')
    replica.machine.checkpointWritten()
    replica.checkpoint()
    assert.equal(replica.machine.unwrittenBytes, 0)
  })

  it('unwrittenBytes counts a key that changes several times by what it ends with', async () => {
    const replica = await Replica.create()
    for (const size of [10, 20_000, 3000, 0, 50_000]) {
      for (let key = 0; key < 20; key++) {
        if (size === 0) replica.delete(`key${key}`)
        else replica.put(`key${key}`, 'x'.repeat(size))
      }
      const frozen = [...changesOf(replica.machine.freeze()!)]
      replica.machine.checkpointWritten()
      replica.store.write(frozen)
    }
    for (const size of [10, 20_000, 0, 40_000, 500]) {
      for (let key = 0; key < 20; key++) {
        if (size === 0) replica.delete(`key${key}`)
        else replica.put(`key${key}`, 'x'.repeat(size))
      }
    }
    const estimate = replica.machine.unwrittenBytes
    const written = [...changesOf(replica.machine.freeze()!)]
      .map(([key, value]) => key.length + (value?.length ?? 0))
      .reduce((sum, bytes) => sum + bytes, 0)
    assert.ok(Math.abs(written - estimate) < 0.01 * written, `${estimate} of ${written} bytes`)
  })

  it('unwrittenBytes sees small keys that grow before they are written', async () => {
    const replica = await Replica.create()
    for (let key = 0; key < 20; key++) replica.put(`key${key}`, 'small')
    for (let key = 0; key < 20; key++) replica.put(`key${key}`, 'x'.repeat(100_000))
    assert.ok(replica.machine.unwrittenBytes >= 2_000_000, `${replica.machine.unwrittenBytes}`)
  })

  it('unwrittenMemoryBytes counts what stands around small records, until they are written', async () => {
    const replica = await Replica.create()
    for (let key = 0; key < 1000; key++) replica.put(`key${key}`, '')
    const { machine } = replica
    assert.ok(machine.unwrittenMemoryBytes >= machine.unwrittenBytes + 200_000)
    machine.freeze()
    assert.ok(machine.unwrittenMemoryBytes >= machine.unwrittenBytes + 200_000, 'it is still in memory')
    machine.checkpointWritten()
    assert.equal(machine.unwrittenMemoryBytes, 0)
  })

  it('unwrittenBytes counts the answers of the sessions that are written', async () => {
    const replica = await Replica.create()
    const session = replica.open()
    replica.put('a', 'x'.repeat(50_000))
    replica.checkpoint()
    const cas = { type: 'cas', key: bytes('a'), expected: { type: 'absent' }, newValue: bytes('y') } as const
    const written = (): number => {
      const frozen = [...changesOf(replica.machine.freeze()!)]
      replica.machine.checkpointWritten()
      replica.store.write(frozen)
      return frozen.reduce((sum, [key, value]) => sum + key.length + (value?.length ?? 0), 0)
    }
    for (let sequence = 1; sequence <= 10; sequence++) replica.run(cas, session, sequence, 1)
    for (const [sequence, firstUnacked] of [
      [11, 1],
      [12, 5],
      [13, 13],
    ] as const) {
      const estimate = replica.machine.unwrittenBytes
      assert.ok(Math.abs(written() - estimate) < 2000, `${estimate} before ${sequence}`)
      replica.run(cas, session, sequence, firstUnacked)
    }
  })

  it('a deleted key leaves a tombstone in the store', async () => {
    const replica = await Replica.create()
    replica.put('a', '1')
    replica.checkpoint()
    replica.delete('a')
    replica.checkpoint()
    assert.equal(replica.store.under('ka').length, 1)
    const restored = await restore(replica.store)
    assert.equal(restored.get(bytes('a')), undefined)
    restored.apply(replica.log.command(put('a', '2')))
    assert.equal(restored.get(bytes('a'))?.version, 1)
  })
})

describe('damage', () => {
  async function stored(): Promise<Replica> {
    const replica = await Replica.create()
    const session = replica.open()
    replica.put('a', 'value')
    replica.put('gone', '')
    replica.delete('gone')
    replica.put('b', 'x', session, 1, 1)
    const cas = { type: 'cas', key: bytes('a'), expected: { type: 'absent' }, newValue: bytes('') } as const
    replica.run(cas, session, 2, 1)
    replica.checkpoint()
    return replica
  }

  it('of any byte of any record is detected', async () => {
    const { store } = await stored()
    for (const [name, record] of store.records) {
      for (let i = 0; i < record.length; i++) {
        record[i]! ^= 1 << (i % 8)
        await assert.rejects(recomputeAll(), DamagedDataError, `byte ${i} of ${JSON.stringify(name)}`)
        record[i]! ^= 1 << (i % 8)
      }
    }
    await recomputeAll()

    async function recomputeAll(): Promise<void> {
      const { Pack } = await import('../../src/kv/pack.ts')
      for (const [key, record] of store.under('v')) Array.from(new Pack(key, record).changes())
      await recomputeStateHash(store)
      await restore(store)
    }
  })

  it('of a key is reported when it is read, and of sessions and position at the start', async () => {
    const { store } = await stored()
    store.records.get('ka')!.fill(0xff, 3, 4)
    const machine = await restore(store)
    for (const time of ['first', 'second'])
      assert.throws(() => machine.get(bytes('a')), DamagedDataError, `the ${time} time: it left no trace`)
    assert.ok(machine.get(bytes('b')))
    for (const prefix of ['s', 'm']) {
      const replica = await stored()
      replica.store.under(prefix)[0]![1].fill(0xff, 3, 4)
      await assert.rejects(restore(replica.store), DamagedDataError)
    }
  })

  it('a record that is cut short, or turned up under another key, is detected', async () => {
    const { store } = await stored()
    const record = store.records.get('ka')!
    for (let length = 0; length < record.length; length++) {
      store.records.set('ka', record.subarray(0, length))
      const machine = await restore(store)
      assert.throws(() => machine.get(bytes('a')), DamagedDataError)
    }
    store.records.set('ka', store.records.get('kb')!)
    const machine = await restore(store)
    assert.throws(() => machine.get(bytes('a')), DamagedDataError)
  })

  it('a session that is missing is noticed at the start, a missing key by the hash', async () => {
    const one = await stored()
    one.store.records.delete(one.store.under('s')[0]![0].toString('latin1'))
    await assert.rejects(restore(one.store), DamagedDataError)
    const other = await stored()
    other.store.records.delete('ka')
    assert.notEqual(await recomputeStateHash(other.store), other.machine.stateHash())
  })

  it('records without the one that says what they are of are refused', async () => {
    for (const prefix of ['k', 'v', 'd', 's']) {
      const { store } = await stored()
      for (const [key] of [...store.records]) if (!key.startsWith(prefix)) store.records.delete(key)
      await assert.rejects(restore(store), DamagedDataError)
    }
  })

  it('met while an entry is applied stops the machine before it changed a key', async () => {
    const { store, log } = await stored()
    store.records.get('ka')!.fill(0xff, 3, 4)
    const machine = await restore(store)
    const puts = ['new', 'a'].map((key) => ({ key: bytes(key), value: bytes('x') }))
    assert.throws(() => machine.apply(log.command({ type: 'putMany', puts })), DamagedDataError)
    assert.equal(machine.get(bytes('new')), undefined)
    assert.throws(() => machine.freeze(), InvariantViolation)
  })
})
