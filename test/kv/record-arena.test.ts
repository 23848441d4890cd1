import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RecordArena } from '../../src/kv/record-arena.ts'
import { type Slab, Slot } from '../../src/kv/slab.ts'

const KIB = 1024

/** An arena with its table; each record is filled with a byte of its own. */
class Fixture {
  readonly table = new Map<string, Slot>()
  readonly arena: RecordArena

  constructor(bound: number, mostSlots?: number) {
    this.arena = new RecordArena(this.table, bound, mostSlots)
  }

  place(name: string, length: number, fill: number): Slot {
    let slot = this.table.get(name)
    if (slot === undefined) this.table.set(name, (slot = new Slot(name)))
    this.arena.place(slot, length)
    slot.stored.fill(fill)
    return slot
  }

  /** The byte that a record is filled with; undefined: it has left. */
  fill(name: string): number | undefined {
    const slot = this.table.get(name)
    if (slot === undefined) return undefined
    const bytes = [...new Set(slot.stored)]
    assert.equal(bytes.length, 1, `${name} is in one piece`)
    return bytes[0]
  }
}

describe('the arena of records', () => {
  it('gives up the oldest where its table is full, though there is room for more bytes', () => {
    const fixture = new Fixture(64 * 1024 * KIB, 20_000)
    for (let i = 0; i < 50_000; i++) {
      fixture.place(`${i}`, 30, i % 256)
      fixture.arena.makeRoom()
    }
    const left = fixture.table.size
    // A slab has room for 8,192 of them, and is given up as a whole.
    assert.ok(left > 8_000 && left <= 28_192, `${left} are left`)
    assert.ok(!fixture.table.has('0') && fixture.table.has('49999'))
  })

  it('gives up the oldest first', () => {
    const fixture = new Fixture(64 * KIB)
    for (let i = 0; i < 1000; i++) {
      fixture.place(`${i}`, 300, i % 256)
      fixture.arena.makeRoom()
    }
    const left = [...fixture.table.keys()].map(Number)
    assert.ok(left.length > 80 && left.length < 140, `${left.length} are left`)
    assert.deepEqual(
      left,
      Array.from({ length: left.length }, (_, i) => 1000 - left.length + i),
    )
    for (const i of left) assert.equal(fixture.fill(`${i}`), i % 256)
  })

  it('keeps what is used, also in slabs of their own, and forgets what is not used any more', () => {
    const fixture = new Fixture(64 * KIB)
    fixture.place('hot', 300, 1)
    fixture.place('large', 10 * KIB, 2)
    const { offset, slab } = fixture.table.get('large')!
    const use = (): void => ['hot', 'large'].forEach((name) => (fixture.table.get(name)!.used = true))
    for (let i = 0; i < 2000; i++) {
      use()
      fixture.place(`${i}`, 300, 3)
      fixture.arena.makeRoom()
      assert.equal(fixture.fill('hot'), 1)
      assert.equal(fixture.fill('large'), 2)
    }
    assert.deepEqual([fixture.table.get('large')!.offset, fixture.table.get('large')!.slab], [offset, slab])
    for (let i = 2000; i < 4000; i++) {
      fixture.place(`${i}`, 300, 3)
      fixture.arena.makeRoom()
    }
    assert.deepEqual([fixture.fill('hot'), fixture.fill('large')], [undefined, undefined])
  })

  it('gets below its bound though everything was used', () => {
    const fixture = new Fixture(64 * KIB)
    for (let i = 0; i < 1000; i++) fixture.place(`${i}`, i % 10 === 0 ? 5000 : 300, i % 256).used = true
    fixture.arena.makeRoom()
    assert.ok(fixture.arena.bytes <= 64 * KIB)
    assert.ok(fixture.table.size > 10, 'it does not throw everything away')
    for (const name of fixture.table.keys()) assert.equal(fixture.fill(name), Number(name) % 256)
  })

  it('keeps the slabs that a checkpoint needs, for exactly as long', () => {
    const fixture = new Fixture(16 * KIB)
    const slab = fixture.place('needed', 100, 1).slab
    slab.pins++
    fixture.place('large', 5000, 2).slab.pins++
    const { generation } = slab
    const churn = (): void => {
      for (let i = 0; i < 500; i++) {
        fixture.place(`${i}`, 300, 3)
        fixture.arena.makeRoom()
      }
    }
    churn()
    assert.deepEqual([fixture.fill('needed'), fixture.fill('large')], [1, 2])
    assert.equal(slab.generation, generation)
    slab.pins--
    churn()
    assert.deepEqual([fixture.fill('needed'), fixture.fill('large')], [undefined, 2])
    assert.ok(slab.generation > generation)
  })

  it('what is needed stays although its key is replaced', () => {
    const fixture = new Fixture(16 * KIB)
    const slot = fixture.place('a', 100, 1)
    const { slab, stored } = slot
    slab.pins++
    for (let i = 0; i < 500; i++) {
      fixture.place('a', 300, 2)
      fixture.arena.makeRoom()
    }
    assert.notEqual(slot.slab, slab)
    assert.ok(stored.every((byte) => byte === 1))
  })

  it('a key that was replaced does not leave with the slab where it was', () => {
    const fixture = new Fixture(16 * KIB)
    fixture.place('a', 100, 1)
    for (let i = 0; i < 60; i++) {
      fixture.place(`${i}`, 200, 3)
      fixture.arena.makeRoom()
      if (i % 10 === 0) fixture.place('a', 100, i)
      assert.equal(fixture.fill('a'), i - (i % 10))
    }
  })

  it('gives up nothing before it is told to make room', () => {
    const fixture = new Fixture(4 * KIB)
    for (let i = 0; i < 300; i++) fixture.place(`${i}`, 100 + i, i % 256)
    for (let i = 0; i < 300; i++) assert.equal(fixture.fill(`${i}`), i % 256)
  })

  it('uses slabs again', () => {
    const fixture = new Fixture(64 * KIB)
    const slabs = new Set<Slab>()
    for (let i = 0; i < 5000; i++) {
      slabs.add(fixture.place(`${i}`, 300, 1).slab)
      fixture.arena.makeRoom()
    }
    assert.ok(slabs.size <= 36, `${slabs.size} were made`)
  })

  it('takes little more than what is live where few keys are written again and again', () => {
    const fixture = new Fixture(1024 * KIB)
    let most = 0
    for (let i = 0; i < 50_000; i++) {
      // 30 KiB of records, of which ten are never written again.
      const key = i < 110 ? i : 10 + ((i * 7919) % 100)
      fixture.place(`${key}`, 300, key)
      fixture.arena.makeRoom()
      most = Math.max(most, fixture.arena.bytes)
    }
    assert.ok(most < 256 * KIB, `${most} bytes`)
    assert.equal(fixture.table.size, 110)
    for (let key = 0; key < 110; key++)
      assert.equal(fixture.fill(`${key}`), key, 'nothing was given up that is live')
  })

  it('counts the table too: many small records are not many more than the bound has room for', () => {
    const fixture = new Fixture(1024 * KIB)
    for (let i = 0; i < 50_000; i++) {
      fixture.place(`${i}`, 16, 1)
      fixture.arena.makeRoom()
      assert.ok(fixture.arena.bytes <= (1024 + 100) * KIB)
    }
    fixture.arena.shrink()
    assert.ok(fixture.arena.bytes <= 1024 * KIB)
    assert.ok(fixture.table.size * 200 < 1024 * KIB)
  })

  it('a bound of nothing keeps nothing', () => {
    const fixture = new Fixture(0)
    for (const length of [0, 10, 2000]) fixture.place(`${length}`, length, 1)
    fixture.arena.makeRoom()
    assert.equal(fixture.table.size, 0)
    assert.equal(fixture.arena.bytes, 0)
  })
})
