import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { KeySpace } from '../../src/kv/key-space.ts'
import { nameOf, StoredRecord } from '../../src/kv/record.ts'
import type { StateChange } from '../../src/kv/types.ts'
import { InvariantViolation } from '../../src/raft/assert.ts'
import { bytes, MemoryReader, put, Replica, succeeded } from './support.ts'

const MIB = 1024 * 1024

/** Keys over a store in memory; each write gets the next revision. */
class Fixture {
  readonly store = new MemoryReader()
  readonly keys: KeySpace
  revision = 0

  constructor(cacheBytes: number) {
    this.keys = new KeySpace(this.store, cacheBytes)
  }

  put(name: string, value: Uint8Array | undefined): StoredRecord {
    this.keys.makeRoom()
    return this.write(name, value)
  }

  /** Within an operation: nothing is let go of. */
  write(name: string, value: Uint8Array | undefined): StoredRecord {
    this.find(name)
    const revision = ++this.revision
    const numbers = { createRevision: revision, modRevision: revision, version: revision % 300, lease: 0 }
    return this.keys.replace(name, bytes(name), value, numbers)
  }

  find(name: string): StoredRecord | undefined {
    return this.keys.find(name, bytes(name))
  }

  value(name: string): string | undefined {
    return this.keys.read(bytes(name))?.value.toString()
  }

  checkpoint(): void {
    this.store.write(this.keys.freeze().changes())
    this.keys.thaw()
  }

  /** Reads and writes other keys until nothing is left in memory that may go. */
  churn(): void {
    for (let i = 0; i < 300; i++) this.put(`other ${i}`, Buffer.alloc(500, i))
  }
}

function rows(changes: Iterable<StateChange>): string[] {
  return [...changes].map(([key, value]) => {
    const record = StoredRecord.decode(nameOf(key.subarray(1)), key.subarray(1), value!)
    return `${record.name}=${record.isTombstone ? 'gone' : record.value.toString()}`
  })
}

describe('checkpoints of keys', () => {
  it('have what was there when they were frozen, in the order in which keys became dirty', () => {
    const fixture = new Fixture(0)
    for (const [name, value] of ['b1', 'a1', 'c1', 'a2', 'b2']) fixture.put(name!, bytes(`${name}${value}`))
    fixture.put('c', undefined)
    const frozen = fixture.keys.freeze()
    assert.equal(frozen.size, 3)
    fixture.put('a', bytes('a3'))
    fixture.put('d', bytes('d1'))
    fixture.churn()
    fixture.put('a', bytes('a4'))
    const changes = [...frozen.changes()]
    fixture.churn()
    assert.deepEqual(rows(changes), ['b=b2', 'a=a2', 'c=gone'])
    fixture.store.write(changes)
    fixture.keys.thaw()
    assert.equal(fixture.value('a'), 'a4')
    assert.equal(fixture.value('b'), 'b2')
    const next = rows(fixture.keys.freeze().changes())
    assert.deepEqual(next.slice(0, 2), ['a=a4', 'd=d1'], 'what was replaced meanwhile is in the next one')
    assert.equal(next.length, 302)
  })

  it('are one at a time, and not read once they are written', () => {
    const fixture = new Fixture(0)
    fixture.put('a', bytes('1'))
    fixture.put('b', bytes('1'))
    const changes = fixture.keys.freeze().changes()[Symbol.iterator]()
    assert.throws(() => fixture.keys.freeze(), InvariantViolation)
    changes.next()
    fixture.keys.thaw()
    assert.throws(() => changes.next(), InvariantViolation)
  })

  it('count each key once, with its newest size', () => {
    const fixture = new Fixture(0)
    const size = fixture.put('a', Buffer.alloc(100)).size
    assert.equal(fixture.keys.dirtyBytes, size)
    const larger = fixture.put('a', Buffer.alloc(5000)).size
    assert.equal(fixture.keys.dirtyBytes, larger)
    const frozen = fixture.keys.freeze()
    assert.equal(fixture.keys.dirtyBytes, 0)
    assert.equal(fixture.put('a', Buffer.alloc(100)).size, size)
    assert.equal(fixture.keys.dirtyBytes, size)
    fixture.store.write(frozen.changes())
    fixture.keys.thaw()
    assert.equal(fixture.keys.dirtyBytes, size)
  })
})

describe('a record that is found', () => {
  it('is good until room is made, whatever else is found and replaced', () => {
    const fixture = new Fixture(0)
    for (let i = 0; i < 100; i++) fixture.put(`${i}`, bytes(`value ${i}`))
    fixture.checkpoint()
    fixture.keys.makeRoom()
    for (let i = 0; i < 100; i++) fixture.find(`${i}`)
    const records = Array.from({ length: 100 }, (_, i) => fixture.find(`${i}`)!)
    for (let i = 0; i < 100; i++) fixture.write(`${i}`, Buffer.alloc(400, i))
    records.forEach((record, i) => assert.equal(record.value.toString(), `value ${i}`))
  })

  it('is refused after that, where its room is given up; a detached one is not', () => {
    const fixture = new Fixture(0)
    const record = fixture.put('a', bytes('value'))
    const detached = record.detached()
    fixture.checkpoint()
    for (const use of [
      () => record.value,
      () => record.stored,
      () => record.change,
      () => record.detached(),
      () => record.toKeyRecord(),
      () => record.toKeyEntry(),
    ])
      assert.throws(use, InvariantViolation)
    assert.equal(record.modRevision, 1)
    fixture.churn()
    assert.equal(detached.value.toString(), 'value')
    assert.deepEqual(detached.change[1], Buffer.from(fixture.store.get(bytes('ka'))!))
  })

  it('is given out in copies', () => {
    const fixture = new Fixture(0)
    const record = fixture.put('a', bytes('value'))
    const [one, other] = [record.toKeyRecord(), record.toKeyEntry()]
    fixture.checkpoint()
    fixture.churn()
    assert.equal(Buffer.from(one.value).toString(), 'value')
    assert.equal(Buffer.from(other.value).toString(), 'value')
  })

  it('is none of the table where it was only peeked at', () => {
    const fixture = new Fixture(MIB)
    fixture.put('a', bytes('value'))
    fixture.store.write(fixture.keys.freeze().changes())
    const other = new KeySpace(fixture.store, MIB)
    assert.equal(other.peek('a', bytes('a'))?.value.toString(), 'value')
    assert.equal(other.bytes, 0)
    other.find('a', bytes('a'))
    assert.ok(other.bytes > 0)
  })
})

describe('what outlives an operation', () => {
  const cas = { type: 'cas', key: bytes('a'), expected: { type: 'absent' }, newValue: bytes('x') } as const

  /** Puts a session's failed comparison in the past, and everything that lay in memory then too. */
  async function failedComparison() {
    const replica = await Replica.create({}, { cacheBytes: 0 })
    const session = replica.open()
    replica.put('a', 'was there')
    const answer = succeeded(replica.run(cas, session, 1, 1))
    replica.put('a', 'later')
    replica.checkpoint()
    for (let i = 0; i < 100; i++) replica.put(`${i}`, 'y'.repeat(300))
    return { replica, session, answer }
  }

  it('the answer that a session keeps, and what was given out of it', async () => {
    const { replica, session, answer } = await failedComparison()
    assert.equal(Buffer.from(answer.current!.value).toString(), 'was there')
    assert.deepEqual(succeeded(replica.run(cas, session, 1, 1)), answer)
    replica.put('b', 'x', session, 2, 1)
    replica.checkpoint()
    const restored = await Replica.create()
    for (const [name, record] of replica.store.records) restored.store.records.set(name, record)
    assert.deepEqual(succeeded(replica.run(cas, session, 1, 1)), answer)
  })

  it('the answer that nobody keeps', async () => {
    const replica = await Replica.create({}, { cacheBytes: 0 })
    replica.put('a', 'was there')
    const answer = succeeded(replica.run(cas))
    const read = replica.machine.get(bytes('a'))!
    replica.put('a', 'later')
    replica.checkpoint()
    for (let i = 0; i < 100; i++) replica.put(`${i}`, 'y'.repeat(300))
    assert.equal(Buffer.from(answer.current!.value).toString(), 'was there')
    assert.equal(Buffer.from(read.value).toString(), 'was there')
  })

  it('a multi-put of more than fits in memory', async () => {
    const replica = await Replica.create({}, { cacheBytes: 0 })
    const names = Array.from({ length: 200 }, (_, i) => `${i}`)
    for (let round = 1; round <= 3; round++) {
      const puts = names.map((name) => ({ key: bytes(name), value: Buffer.alloc(500, round) }))
      succeeded(replica.run({ type: 'putMany', puts }))
      replica.checkpoint()
      for (const name of names) assert.equal(replica.machine.get(bytes(name))?.version, round)
    }
  })

  it('a read of the past that takes several turns', async () => {
    const replica = await Replica.create({}, { packChanges: 1, cacheBytes: 0 })
    const names = ['a', 'b', 'c', 'd']
    for (const name of names) replica.put(name, `old ${name}`)
    for (let i = 0; i < 20; i++) replica.put('b', `${i}`)
    const read = replica.machine.readAt(names.map(bytes), 4, MIB)
    let found = read.advance(0)
    for (let turn = 0; found === undefined; turn++, found = read.advance(1)) {
      for (let i = 0; i < 10; i++) replica.run(put(`${turn % 2} ${i}`, 'y'.repeat(300)))
      replica.put(names[turn % 4]!, 'new')
      replica.checkpoint()
    }
    assert.ok(!('refused' in found))
    assert.deepEqual(
      found.map((record) => record && Buffer.from(record.value).toString()),
      names.map((name) => `old ${name}`),
    )
  })
})

describe('the memory of keys', () => {
  it('stays within its bound and what is unwritten, with values of up to 1 MiB', () => {
    const bound = 8 * MIB
    const fixture = new Fixture(bound)
    let seed = 7
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
      return Math.floor((seed / 2 ** 32) * below)
    }
    // What was put since the last checkpoint was frozen, and in the one before.
    let [put, frozenPut] = [0, 0]
    let frozen: Iterable<StateChange> | undefined
    for (let i = 0; i < 4000; i++) {
      const size = [random(100), random(3000), random(100_000), i % 20 === 0 ? random(MIB) : 0][random(4)]!
      put += fixture.put(`${random(1000)}`, Buffer.allocUnsafe(size)).size + 1000
      assert.ok(
        fixture.keys.bytes <= bound + (put + frozenPut) * 1.5 + 2 * MIB,
        `within its bound after ${i}`,
      )
      if (put < 3 * MIB) continue
      if (frozen === undefined) {
        frozen = fixture.keys.freeze().changes()
        frozenPut = put
      } else {
        fixture.store.write(frozen)
        fixture.keys.thaw()
        frozen = undefined
        frozenPut = 0
        assert.ok(fixture.keys.bytes <= bound + put * 1.5 + MIB, `what was written may go after ${i}`)
        fixture.checkpoint()
        assert.ok(fixture.keys.bytes <= bound, `within its bound with nothing to be written after ${i}`)
      }
      put = 0
    }
  })
})

describe('keys against a model', () => {
  interface Known {
    readonly value: string | undefined
    readonly revision: number
  }
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'long '.repeat(20))
  const value = fc.oneof(
    fc.nat(30).map((size) => 'v'.repeat(size)),
    fc.integer({ min: 200, max: 1500 }).map((size) => 'w'.repeat(size)),
  )
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant('put' as const), name, value }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), name }) },
    { weight: 5, arbitrary: fc.record({ type: fc.constant('find' as const), name }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('peek' as const), name }) },
    { weight: 5, arbitrary: fc.constant({ type: 'makeRoom' as const }) },
    { weight: 2, arbitrary: fc.constant({ type: 'freeze' as const }) },
    { weight: 4, arbitrary: fc.constant({ type: 'write' as const }) },
    { weight: 2, arbitrary: fc.constant({ type: 'thaw' as const }) },
  )

  it('behave as a plain Map does, wherever their records are', () => {
    const script = fc.array(step, { minLength: 30, maxLength: 200 })
    fc.assert(
      fc.property(script, fc.constantFrom(0, 2000, 6000), (steps, cacheBytes) => {
        const fixture = new Fixture(cacheBytes)
        const { keys, store } = fixture
        const known = new Map<string, Known>()
        const dirty = new Set<string>()
        let views: [StoredRecord, Known][] = []
        let writing:
          { changes: Iterator<StateChange>; expected: string[]; written: StateChange[] } | undefined
        const check = (record: StoredRecord | undefined, wanted: Known | undefined): void => {
          const text = record && (record.isTombstone ? undefined : record.value.toString())
          assert.deepEqual(record && { value: text, revision: record.modRevision }, wanted)
          if (record !== undefined) views.push([record, wanted!])
        }
        const endOfTurn = (): void => {
          for (const [record, wanted] of views.splice(0)) check(record, wanted)
          views = []
        }
        for (const each of steps) {
          if (each.type === 'put' || each.type === 'delete') {
            const text = each.type === 'put' ? each.value : undefined
            const record = fixture.write(each.name, text === undefined ? undefined : bytes(text))
            known.set(each.name, { value: text, revision: fixture.revision })
            dirty.add(each.name)
            check(record, known.get(each.name))
          } else if (each.type === 'find') {
            check(fixture.find(each.name), known.get(each.name))
          } else if (each.type === 'peek') {
            check(keys.peek(each.name, bytes(each.name)), known.get(each.name))
          } else if (each.type === 'makeRoom') {
            endOfTurn()
            keys.makeRoom()
          } else if (each.type === 'freeze' && writing === undefined) {
            const expected = [...dirty].map((key) => `${key}=${known.get(key)!.value ?? 'gone'}`)
            writing = { changes: keys.freeze().changes()[Symbol.iterator](), expected, written: [] }
            dirty.clear()
          } else if (each.type === 'write') {
            const next = writing?.changes.next()
            if (next !== undefined && !next.done) writing!.written.push(next.value)
          } else if (each.type === 'thaw' && writing !== undefined) {
            endOfTurn()
            for (let next = writing.changes.next(); !next.done; next = writing.changes.next())
              writing.written.push(next.value)
            assert.deepEqual(rows(writing.written), writing.expected)
            store.write(writing.written)
            keys.thaw()
            writing = undefined
            if (dirty.size === 0) assert.ok(keys.bytes <= cacheBytes)
          }
          const sizes = [...dirty].map((key) => keys.peek(key, bytes(key))!.size)
          assert.equal(
            keys.dirtyBytes,
            sizes.reduce((sum, size) => sum + size, 0),
          )
        }
        endOfTurn()
        keys.makeRoom()
        for (const key of known.keys()) check(fixture.find(key), known.get(key))
      }),
      { seed: 5, numRuns: 400 },
    )
  })
})
