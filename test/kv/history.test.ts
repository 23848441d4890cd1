import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Prefix } from '../../src/kv/layout.ts'
import { Pack } from '../../src/kv/pack.ts'
import { bytes, changesOf, Replica } from './support.ts'

/** All changes in the store, in order, as text: revision, key, "deleted", what was replaced ('-' for a tombstone). */
function shown(replica: Replica): string[] {
  return packs(replica).flatMap((pack) =>
    [...pack.changes()].map(({ revision, key, isDeletion, previous }) => {
      const before =
        previous === undefined ? '' : previous.isTombstone ? ' -' : ` ${previous.value.toString()}`
      return `${revision} ${key.toString()}${isDeletion ? ' deleted' : ''}:${before}`
    }),
  )
}

function packs(replica: Replica): Pack[] {
  return replica.store.under('v').map(([key, record]) => new Pack(key, record))
}

describe('packs of history', () => {
  it('of small changes wait for their checkpoint in no more memory than they need', async () => {
    const replica = await Replica.create()
    for (let i = 0; i < 2000; i++) replica.put(`key${i}`, '')
    const waiting = [...changesOf(replica.machine.freeze()!)].filter(([key]) => key[0] === Prefix.History)
    assert.ok(waiting.length >= 3, `${waiting.length} packs`)
    for (const [, pack] of waiting)
      assert.ok(pack!.buffer.byteLength < 2 * pack!.length, `${pack!.length} of ${pack!.buffer.byteLength}`)
  })

  it('hold every change with what it replaced, tombstones too', async () => {
    const replica = await Replica.create()
    replica.put('a', '1')
    replica.put('a', '2')
    replica.checkpoint()
    replica.delete('a')
    replica.delete('a')
    replica.put('a', '3')
    replica.put('b', '')
    replica.checkpoint()
    assert.deepEqual(shown(replica), ['1 a:', '2 a: 1', '3 a deleted: 2', '4 a: -', '5 b:'])
    assert.deepEqual(
      packs(replica).map((pack) => [pack.firstRevision, pack.lastRevision, pack.size]),
      [
        [1, 2, 2],
        [3, 5, 3],
      ],
    )
  })

  it('are bounded in changes and bytes, but never end within a revision', async () => {
    const replica = await Replica.create({}, { packChanges: 3, packBytes: 1000 })
    for (let i = 0; i < 4; i++) replica.put(`k${i}`, '')
    const puts = ['x', 'y', 'z', 'w'].map((key) => ({ key: bytes(key), value: bytes('') }))
    replica.run({ type: 'putMany', puts })
    replica.put('big', 'x'.repeat(1000))
    replica.put('big', '')
    replica.put('last', '')
    replica.checkpoint()
    assert.deepEqual(
      packs(replica).map((pack) => [pack.firstRevision, pack.lastRevision, pack.size]),
      [
        [1, 3, 3],
        [4, 5, 5],
        [6, 7, 2],
        [8, 8, 1],
      ],
    )
  })

  it('find the first change of a key after a revision', async () => {
    const replica = await Replica.create()
    for (const key of ['m', 'b', 'm', 'z', 'b', 'm', 'ma']) replica.put(key, 'v')
    replica.delete('b')
    replica.checkpoint()
    const [pack] = packs(replica)
    const after = (key: string, revision: number) => pack!.firstChangeAfter(bytes(key), revision)?.revision
    assert.deepEqual(
      [0, 1, 2, 3, 5, 6].map((revision) => after('m', revision)),
      [1, 3, 3, 6, 6, undefined],
    )
    assert.deepEqual(
      [0, 2, 4, 5, 7, 8].map((revision) => after('b', revision)),
      [2, 5, 5, 8, 8, undefined],
    )
    assert.deepEqual([after('z', 0), after('ma', 0), after('ma', 7)], [4, 7, undefined])
    for (const missing of ['', 'a', 'bb', 'n', 'zz']) assert.equal(after(missing, 0), undefined)
  })

  it('order keys by their bytes, also above 0x7f', async () => {
    const replica = await Replica.create()
    const keys = [[0xff], [0x7f], [0x80, 0], [0x80], [0], []].map((key) => Buffer.from(key))
    for (const key of keys) replica.run({ type: 'put', key, value: key })
    replica.checkpoint()
    const [pack] = packs(replica)
    for (const [i, key] of keys.entries()) {
      assert.equal(pack!.firstChangeAfter(key, 0)?.revision, i + 1)
    }
  })
})
