import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InapplicableEntryError } from '../../src/kv/state-machine.ts'
import type { Expectation } from '../../src/kv/types.ts'
import { InvariantViolation } from '../../src/raft/assert.ts'
import { EntryKind } from '../../src/raft/types.ts'
import { bytes, put, refusal, Replica, succeeded } from './support.ts'

const NOTHING = { current: undefined, session: 0 }

function cas(key: string, expected: Expectation, newValue: string) {
  return { type: 'cas', key: bytes(key), expected, newValue: bytes(newValue) } as const
}

describe('the operations', () => {
  it('put creates at version 1 and then counts versions, each under the next revision', async () => {
    const replica = await Replica.create()
    assert.deepEqual(replica.put('a', 'one'), { revision: 1, succeeded: true, ...NOTHING })
    assert.deepEqual(replica.put('b', 'x'), { revision: 2, succeeded: true, ...NOTHING })
    assert.deepEqual(replica.put('a', 'two'), { revision: 3, succeeded: true, ...NOTHING })
    assert.deepEqual(replica.machine.get(bytes('a')), {
      value: bytes('two'),
      createRevision: 1,
      modRevision: 3,
      version: 2,
      lease: 0,
    })
    assert.equal(replica.machine.revision, 3)
  })

  it('empty keys, empty values and bytes that are no text are values like any other', async () => {
    const replica = await Replica.create()
    const odd = Buffer.from([0, 0xff, 0xfe, 0x80])
    replica.run({ type: 'put', key: Buffer.alloc(0), value: odd })
    replica.run({ type: 'put', key: odd, value: Buffer.alloc(0) })
    replica.checkpoint()
    assert.deepEqual(replica.machine.get(Buffer.alloc(0))?.value, odd)
    assert.deepEqual(replica.machine.get(odd)?.value, Buffer.alloc(0))
    assert.equal(replica.machine.get(odd.subarray(1)), undefined)
  })

  it('the stored value does not share memory with the entry', async () => {
    const replica = await Replica.create()
    const entry = replica.log.command(put('a', 'value'))
    replica.machine.apply(entry)
    entry.data.fill(0)
    assert.equal(replica.value('a'), 'value')
  })

  it('delete says whether there was a key; of a missing one it does not grow the revision', async () => {
    const replica = await Replica.create()
    assert.deepEqual(replica.delete('a'), { revision: 0, succeeded: false, ...NOTHING })
    replica.put('a', 'one')
    assert.deepEqual(replica.delete('a'), { revision: 2, succeeded: true, ...NOTHING })
    assert.equal(replica.machine.get(bytes('a')), undefined)
    assert.deepEqual(replica.delete('a'), { revision: 2, succeeded: false, ...NOTHING })
  })

  it('a key that is created anew after a deletion begins at version 1', async () => {
    const replica = await Replica.create()
    replica.put('a', 'one')
    replica.put('a', 'two')
    replica.delete('a')
    replica.put('a', 'three')
    const record = replica.machine.get(bytes('a'))
    assert.deepEqual([record?.createRevision, record?.modRevision, record?.version], [4, 4, 1])
  })

  it('cas on the value', async () => {
    const replica = await Replica.create()
    replica.put('a', 'one')
    const failed = replica.run(cas('a', { type: 'value', value: bytes('other') }, 'two'))
    assert.deepEqual(failed, {
      revision: 1,
      succeeded: false,
      current: {
        key: bytes('a'),
        value: bytes('one'),
        createRevision: 1,
        modRevision: 1,
        version: 1,
        lease: 0,
      },
      session: 0,
    })
    const held = replica.run(cas('a', { type: 'value', value: bytes('one') }, 'two'))
    assert.deepEqual(held, { revision: 2, succeeded: true, ...NOTHING })
    assert.equal(replica.value('a'), 'two')
  })

  it('cas on modRevision', async () => {
    const replica = await Replica.create()
    replica.put('a', 'one')
    assert.equal(
      succeeded(replica.run(cas('a', { type: 'modRevision', modRevision: 2 }, 'x'))).succeeded,
      false,
    )
    assert.equal(
      succeeded(replica.run(cas('a', { type: 'modRevision', modRevision: 1 }, 'two'))).succeeded,
      true,
    )
    assert.equal(
      succeeded(replica.run(cas('a', { type: 'modRevision', modRevision: 1 }, 'x'))).succeeded,
      false,
    )
    assert.equal(replica.value('a'), 'two')
    assert.equal(replica.machine.revision, 2)
  })

  it('cas on absence', async () => {
    const replica = await Replica.create()
    assert.equal(succeeded(replica.run(cas('a', { type: 'absent' }, 'one'))).succeeded, true)
    const second = succeeded(replica.run(cas('a', { type: 'absent' }, 'two')))
    assert.equal(second.succeeded, false)
    assert.deepEqual(second.current?.value, bytes('one'))
    replica.delete('a')
    assert.equal(succeeded(replica.run(cas('a', { type: 'absent' }, 'three'))).succeeded, true)
  })

  it('a condition on what a missing or deleted key is does not hold, whatever it is', async () => {
    const replica = await Replica.create()
    replica.put('gone', '')
    replica.delete('gone')
    for (const key of ['missing', 'gone']) {
      for (const expected of [
        { type: 'value', value: bytes('') },
        { type: 'modRevision', modRevision: 0 },
        { type: 'modRevision', modRevision: 2 },
      ] as const) {
        assert.deepEqual(replica.run(cas(key, expected, 'x')), { revision: 2, succeeded: false, ...NOTHING })
      }
    }
  })

  it('putMany writes all pairs under one revision, each key with its own version', async () => {
    const replica = await Replica.create()
    replica.put('a', 'one')
    const puts = ['a', 'b', 'c'].map((key) => ({ key: bytes(key), value: bytes(`${key}!`) }))
    assert.deepEqual(replica.run({ type: 'putMany', puts }), { revision: 2, succeeded: true, ...NOTHING })
    const shown = ['a', 'b', 'c'].map((key) => {
      const record = replica.machine.get(bytes(key))!
      return [record.createRevision, record.modRevision, record.version]
    })
    assert.deepEqual(shown, [
      [1, 2, 2],
      [2, 2, 1],
      [2, 2, 1],
    ])
  })

  it('putMany with a key that stands in it twice, or with none, is refused and changes nothing', async () => {
    const replica = await Replica.create()
    const before = replica.machine.stateHash()
    const pair = { key: bytes('a'), value: bytes('x') }
    assert.equal(refusal(replica.run({ type: 'putMany', puts: [pair, pair] })), 'INVALID_ARGUMENT')
    assert.equal(refusal(replica.run({ type: 'putMany', puts: [] })), 'INVALID_ARGUMENT')
    assert.equal(replica.machine.stateHash(), before)
    assert.equal(replica.value('a'), undefined)
  })
})

describe('entries', () => {
  it('a no-op moves the applied position and nothing else', async () => {
    const replica = await Replica.create()
    const before = replica.machine.stateHash()
    replica.machine.apply(replica.log.add(EntryKind.NoOp))
    assert.deepEqual(replica.machine.applied, { index: 1, term: 1, checksum: 7 })
    assert.equal(replica.machine.stateHash(), before)
  })

  it('time does not go back', async () => {
    const replica = await Replica.create()
    replica.time(500)
    replica.time(400)
    assert.equal(replica.machine.clusterTimeMs, 500)
    assert.equal(replica.machine.applied.index, 2)
  })

  it('a gap, a repeated entry and a term that goes back are broken invariants', async () => {
    const replica = await Replica.create()
    const first = { ...replica.log.command(put('a', '1')), term: 2 }
    const second = replica.log.command(put('a', '2'))
    const third = replica.log.command(put('a', '3'))
    replica.machine.apply(first)
    assert.throws(() => replica.machine.apply(first), InvariantViolation)
    assert.throws(() => replica.machine.apply({ ...third, term: 2 }), InvariantViolation)
    assert.throws(() => replica.machine.apply(second), InvariantViolation)
    assert.equal(replica.value('a'), '1')
  })

  it('a kind that is not known stops the node, which writes no checkpoint after that', async () => {
    for (const kind of [EntryKind.Configuration, EntryKind.FeatureLevel, 99]) {
      const replica = await Replica.create()
      replica.put('a', '1')
      assert.throws(() => replica.machine.apply(replica.log.add(kind)), {
        name: 'InapplicableEntryError',
        message: new RegExp(`entry 2 is of kind ${kind}, which`),
      })
      assert.throws(() => replica.machine.freeze(), InvariantViolation)
    }
  })

  it('bytes that are no command stop the node', async () => {
    for (const kind of [EntryKind.Command, EntryKind.Session]) {
      const replica = await Replica.create()
      const entry = replica.log.add(kind, Buffer.from([0x22, 0x05, 0x01]))
      assert.throws(() => replica.machine.apply(entry), InapplicableEntryError)
    }
  })
})
