import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DamagedDataError } from '../../src/errors.ts'
import { Prefix } from '../../src/kv/layout.ts'
import type { KeyRecord, Operation, PastRefusal } from '../../src/kv/types.ts'
import { ANSWER_OVERHEAD_BYTES, readResultSize } from '../../src/wire/result.ts'
import { bytes, changesOf, MemoryReader, put, readAt, Replica, restore, succeeded } from './support.ts'

function valueAt(replica: Replica, key: string, revision: number): string | undefined {
  const found = readAt(replica.machine, [key], revision)
  assert.ok(!('refused' in found), JSON.stringify(found))
  return found[0] && Buffer.from(found[0].value).toString()
}

function refusalAt(replica: Replica, revision: number): PastRefusal {
  const found = readAt(replica.machine, ['a'], revision)
  assert.ok('refused' in found, 'it is refused')
  return found
}

function compact(replica: Replica, revision: number): boolean {
  return succeeded(replica.run({ type: 'compact', revision })).succeeded
}

/** Keys of the store, without what is not text: `k` keys, and how many packs and lines there are. */
function stored(store: MemoryReader): { keys: string[]; packs: number; lines: number } {
  const names = store.under('k').map(([key]) => key.toString().slice(1))
  return { keys: names, packs: store.under('v').length, lines: store.under('d').length }
}

describe('reads at a revision', () => {
  it('find history wherever it is: open, closed, frozen, in the store', async () => {
    const replica = await Replica.create({}, { packChanges: 3, cacheBytes: 0 })
    const check = (upTo: number): void => {
      for (let revision = 1; revision <= upTo; revision++) {
        assert.equal(valueAt(replica, 'a', revision), `${revision}`)
        assert.equal(valueAt(replica, 'never', revision), undefined)
      }
    }
    for (let revision = 1; revision <= 8; revision++) replica.put('a', `${revision}`)
    check(8)
    replica.checkpoint()
    for (let revision = 9; revision <= 16; revision++) replica.put('a', `${revision}`)
    const frozen = replica.machine.freeze()!
    for (let revision = 17; revision <= 20; revision++) replica.put('a', `${revision}`)
    check(20)
    replica.store.write(changesOf(frozen))
    replica.machine.checkpointWritten()
    check(20)
    replica.checkpoint()
    const machine = await restore(replica.store)
    assert.deepEqual(readAt(machine, ['a', 'a'], 3), readAt(replica.machine, ['a', 'a'], 3))
  })

  it('show all of a key: revisions and version, absence, and what was created again', async () => {
    const replica = await Replica.create({}, { packChanges: 2 })
    replica.put('a', '1')
    replica.put('a', '2')
    replica.delete('a')
    replica.put('b', 'x')
    replica.put('a', '5')
    replica.checkpoint()
    const record = (value: string, createRevision: number, modRevision: number, version: number) => [
      { value: bytes(value), createRevision, modRevision, version, lease: 0 },
    ]
    const wanted = [
      record('1', 1, 1, 1),
      record('2', 1, 2, 2),
      [undefined],
      [undefined],
      record('5', 5, 5, 1),
    ]
    for (const [i, each] of wanted.entries()) assert.deepEqual(readAt(replica.machine, ['a'], i + 1), each)
  })

  it('are refused in words where the revision is in the future', async () => {
    const replica = await Replica.create()
    replica.put('a', '1')
    assert.deepEqual(refusalAt(replica, 2), {
      refused: 'INVALID_ARGUMENT',
      message: 'revision 2 is in the future: the store is at revision 1',
      oldestRevision: 0,
    })
  })

  it('go on in pieces, over changes and checkpoints, and end where a compaction passes them', async () => {
    const replica = await Replica.create({}, { packChanges: 1, cacheBytes: 0 })
    for (let i = 0; i < 40; i++) replica.put(i % 20 === 0 ? 'a' : 'b', `${i}`)
    replica.checkpoint()
    const one = replica.machine.readAt([bytes('b'), bytes('a')], 19, 1000)
    const other = replica.machine.readAt([bytes('a')], 19, 1000)
    let pieces = 0
    let found
    for (; found === undefined; found = one.advance(1)) {
      pieces++
      replica.put('a', 'later')
      if (pieces % 2 === 0) replica.checkpoint()
    }
    assert.ok(!('refused' in found))
    assert.deepEqual(
      found.map((record) => record && Buffer.from(record.value).toString()),
      ['18', '0'],
    )
    assert.ok(pieces > 2, 'it took several pieces')
    assert.equal(other.advance(1), undefined)
    compact(replica, 20)
    assert.deepEqual(other.advance(1), refusalAt(replica, 19))
  })

  it('look for so many keys at a time, also where none of them has changed since', async () => {
    const replica = await Replica.create({}, { cacheBytes: 0 })
    for (let i = 0; i < 100; i++) replica.put(`k${i}`, 'v')
    const keys = Array.from({ length: 100 }, (_, i) => bytes(`k${i}`))
    const one = replica.machine.readAt([bytes('k5')], 100, 1000)
    assert.ok(Array.isArray(one.advance(0)), 'a single one is there at once')
    const all = replica.machine.readAt(keys, 100, 100_000)
    let pieces = 1
    let found = all.advance(0)
    for (; found === undefined; found = all.advance(40_000)) pieces++
    assert.ok(pieces >= 10 && pieces < 20, `${pieces} pieces`)
    assert.ok(!('refused' in found) && found.every((record) => record?.value[0] === 0x76))
  })

  it('are refused once the answer gets too large, unless it is one key’s alone', async () => {
    const replica = await Replica.create()
    for (const key of ['a', 'b', 'c']) replica.put(key, 'v'.repeat(1000))
    const whole = replica.machine.readAt([bytes('a'), bytes('b')], 3, 2080).advance(1e6)
    assert.ok(Array.isArray(whole))
    const record = (key: string, i: number) => ({ key: bytes(key), ...(whole[i] as KeyRecord) })
    const size = readResultSize(3, [record('a', 0), record('b', 1)]) + ANSWER_OVERHEAD_BYTES
    for (const [keys, maxBytes, fits] of [
      [['a', 'b'], size, true],
      [['a', 'b'], size - 1, false],
      [['a'], 1, true],
      [['a', 'none'], 1, false],
    ] as const) {
      const found = replica.machine.readAt(keys.map(bytes), 3, maxBytes).advance(1e6)!
      if (fits) assert.ok(Array.isArray(found), `${keys.join()} within ${maxBytes}`)
      else assert.match('refused' in found ? found.message : '', /would have more than \d+ bytes/)
    }
    const looks: string[] = []
    const get = replica.store.get.bind(replica.store)
    replica.store.get = (key) => (looks.push(Buffer.from(key).toString()), get(key))
    replica.machine.readAt(Array<Buffer>(1000).fill(bytes('nowhere')), 3, 20).advance(1e9)
    assert.ok(looks.length < 20, `${looks.length} looks for an answer of 20 bytes`)
  })

  it('look into few packs, whether a key changes always, seldom or now and then', async () => {
    const reads: number[] = []
    class CountingReader extends MemoryReader {
      override get(key: Uint8Array): Uint8Array | undefined {
        if (key[0] === Prefix.History) reads.push(1)
        return super.get(key)
      }
    }
    const replica = await Replica.create({}, { packChanges: 1 })
    for (let i = 1; i <= 1000; i++) {
      const key = i === 10 || i === 990 ? 'seldom' : i % 30 === 0 ? 'at times' : 'always'
      replica.put(key, `${i}`)
      if (i % 100 === 0) replica.checkpoint()
    }
    const store = new CountingReader()
    for (const [key, record] of replica.store.records) store.records.set(key, record)
    for (const [key, value, most] of [
      ['always', '101', 2],
      ['seldom', '10', 3],
      ['at times', '90', 60],
    ] as const) {
      const machine = await restore(store)
      reads.length = 0
      const found = readAt(machine, [key], 101) as KeyRecord[]
      assert.equal(Buffer.from(found[0]!.value).toString(), value)
      assert.ok(reads.length <= most, `${key}: ${reads.length} packs`)
    }
  })

  it('notice a pack that is damaged, missing, or not in the directory', async () => {
    const replica = await Replica.create({}, { packChanges: 1 })
    for (const value of ['1', '2', '3']) replica.put('a', value)
    replica.checkpoint()
    const [key, record] = replica.store.under('v')[1]!
    const name = key.toString('latin1')
    replica.store.records.set(name, Uint8Array.from(record).fill(7, 5, 6))
    const machine = await restore(replica.store)
    assert.throws(() => readAt(machine, ['a'], 1), DamagedDataError)
    replica.store.records.delete(name)
    const other = await restore(replica.store)
    assert.throws(() => readAt(other, ['a'], 1), DamagedDataError)
    for (const line of replica.store.under('d')) {
      const lineName = line[0].toString('latin1')
      replica.store.records.delete(lineName)
      await assert.rejects(restore(replica.store), DamagedDataError)
      replica.store.records.set(lineName, line[1])
    }
    await restore(replica.store)
  })
})

describe('compaction', () => {
  it('refuses what was before its revision, at once, and serves that revision and all after it', async () => {
    const replica = await Replica.create({}, { packChanges: 2 })
    for (let i = 1; i <= 10; i++) replica.put('a', `${i}`)
    replica.checkpoint()
    assert.equal(compact(replica, 5), true)
    assert.equal(replica.machine.compactedRevision, 5)
    assert.deepEqual(refusalAt(replica, 4), {
      refused: 'COMPACTED',
      message: 'revision 4 has been compacted away: the oldest that can be read is 5',
      oldestRevision: 5,
    })
    assert.equal(stored(replica.store).packs, 5, 'the packs are still there')
    for (let i = 5; i <= 10; i++) assert.equal(valueAt(replica, 'a', i), `${i}`)
    replica.checkpoint()
    assert.deepEqual(stored(replica.store), { keys: ['a'], packs: 3, lines: 3 })
    for (let i = 5; i <= 10; i++) assert.equal(valueAt(replica, 'a', i), `${i}`)
    const machine = await restore(replica.store)
    assert.equal(machine.compactedRevision, 5)
    assert.equal(machine.stateHash(), replica.machine.stateHash())
    assert.ok('refused' in readAt(machine, ['a'], 4))
  })

  it('changes no revision and no key, never goes back, and does nothing in the future', async () => {
    const replica = await Replica.create()
    for (const value of ['1', '2', '3']) replica.put('a', value)
    const hash = replica.machine.stateHash()
    assert.deepEqual(succeeded(replica.run({ type: 'compact', revision: 4 })), {
      revision: 3,
      succeeded: false,
      current: undefined,
      session: 0,
    })
    assert.equal(replica.machine.stateHash(), hash)
    assert.equal(compact(replica, 3), true)
    assert.notEqual(replica.machine.stateHash(), hash, 'replicas compare what they have compacted')
    assert.equal(compact(replica, 2), true)
    assert.equal(replica.machine.compactedRevision, 3)
    assert.equal(replica.machine.revision, 3)
    assert.equal(replica.value('a'), '3')
  })

  it('of a session is done once, and answers the same again', async () => {
    const replica = await Replica.create()
    const session = replica.open()
    const refused = replica.run({ type: 'compact', revision: 1 }, session, 1, 1)
    replica.put('a', '1')
    assert.deepEqual(replica.run({ type: 'compact', revision: 1 }, session, 1, 1), refused)
    assert.equal(replica.machine.compactedRevision, 0)
  })

  it('deletes packs and tombstones with the checkpoints, so many at a time', async () => {
    const replica = await Replica.create({}, { packChanges: 1 })
    for (let i = 0; i < 400; i++) {
      replica.put(`k${i}`, '')
      replica.delete(`k${i}`)
    }
    replica.checkpoint()
    assert.equal(stored(replica.store).packs, 800)
    assert.equal(stored(replica.store).keys.length, 400)
    compact(replica, 800)
    const left: number[] = []
    while (stored(replica.store).packs > 0) {
      replica.time(replica.machine.clusterTimeMs + 1000)
      replica.checkpoint()
      left.push(stored(replica.store).packs)
      const machine = await restore(replica.store)
      assert.equal(machine.stateHash(), replica.machine.stateHash())
    }
    assert.deepEqual(left, [544, 288, 32, 0])
    assert.deepEqual(stored(replica.store), { keys: [], packs: 0, lines: 0 })
    replica.put('a', '1')
    assert.equal(valueAt(replica, 'a', 801), '1')
    assert.equal(valueAt(replica, 'a', 800), undefined)
  })

  it('keeps a tombstone that is newer, and one that is written by the same checkpoint', async () => {
    const replica = await Replica.create({}, { packChanges: 1, cacheBytes: 0 })
    replica.put('a', '1')
    replica.delete('a')
    replica.put('a', '3')
    replica.checkpoint()
    compact(replica, 3)
    replica.delete('a')
    replica.checkpoint()
    assert.deepEqual(stored(replica.store).keys, ['a'])
    assert.equal(valueAt(replica, 'a', 3), '3')
    replica.put('b', '5')
    compact(replica, 4)
    replica.checkpoint()
    // The tombstone's own pack was written by the checkpoint before: now it may go.
    replica.time(1)
    replica.checkpoint()
    assert.deepEqual(stored(replica.store).keys, ['b'])
  })

  it('deletes no key that is created again while its checkpoint is written', async () => {
    const replica = await Replica.create({}, { packChanges: 1, cacheBytes: 0 })
    replica.put('a', '1')
    replica.delete('a')
    replica.checkpoint()
    compact(replica, 2)
    const frozen = replica.machine.freeze()!
    replica.put('a', 'again')
    replica.store.write(changesOf(frozen))
    replica.machine.checkpointWritten()
    assert.equal(replica.value('a'), 'again')
    replica.checkpoint()
    const machine = await restore(replica.store)
    assert.deepEqual(machine.get(bytes('a')), replica.machine.get(bytes('a')))
    assert.deepEqual(readAt(machine, ['a'], 2), [undefined])
  })

  it('leaves replicas equal, wherever each of them is with its deletions', async () => {
    const replicas = await Promise.all(
      [0, 1, 2].map(() => Replica.create({}, { packChanges: 1, cacheBytes: 0 })),
    )
    const all = (operation: Operation) => replicas.map((replica) => succeeded(replica.run(operation)))
    all(put('a', '1'))
    all({ type: 'delete', key: bytes('a') })
    all(put('b', '3'))
    for (const replica of replicas) replica.checkpoint()
    all({ type: 'compact', revision: 3 })
    // One has deleted the tombstone, one has it in the store, one has it in memory only.
    replicas[0]!.checkpoint()
    assert.deepEqual(
      replicas.map(({ store }) => stored(store).keys),
      [['b'], ['a', 'b'], ['a', 'b']],
    )
    const cas = { type: 'cas', key: bytes('a'), expected: { type: 'absent' }, newValue: bytes('4') } as const
    const [first, ...others] = all(cas)
    for (const other of others) assert.deepEqual(other, first)
    for (const replica of replicas) {
      assert.deepEqual(replica.machine.get(bytes('a')), {
        value: bytes('4'),
        createRevision: 4,
        modRevision: 4,
        version: 1,
        lease: 0,
      })
      assert.equal(replica.machine.stateHash(), replicas[0]!.machine.stateHash())
      assert.deepEqual(readAt(replica.machine, ['a', 'b'], 3), readAt(replicas[0]!.machine, ['a', 'b'], 3))
      assert.equal(valueAt(replica, 'a', 3), undefined)
    }
    for (const replica of replicas) replica.checkpoint()
    for (const { store, machine } of replicas) {
      assert.equal((await restore(store)).stateHash(), machine.stateHash())
    }
  })
})
