import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DamagedDataError } from '../../src/errors.ts'
import {
  decodeMeta,
  encodeMeta,
  keyNumber,
  META_KEY,
  numberedKey,
  Prefix,
  sealedRecord,
} from '../../src/kv/layout.ts'
import { KeySpace } from '../../src/kv/key-space.ts'
import { nameOf, StoredRecord } from '../../src/kv/record.ts'
import { SetHash } from '../../src/kv/set-hash.ts'
import { MemoryReader } from './support.ts'

describe('records', () => {
  const uint = fc.oneof(
    fc.maxSafeNat(),
    fc.nat(300),
    fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
  )

  it('come back as they were stored', () => {
    const arbitrary = fc.record({
      key: fc.uint8Array({ maxLength: 200 }),
      value: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
      createRevision: uint,
      modRevision: uint,
      version: uint,
      lease: uint,
    })
    fc.assert(
      fc.property(arbitrary, ({ key, value, ...numbers }) => {
        const built = StoredRecord.build(nameOf(key), key, value, numbers)
        const read = StoredRecord.decode(nameOf(key), key, built.change[1])
        for (const one of [built, read]) {
          const { createRevision, modRevision, version, lease } = one
          assert.deepEqual({ createRevision, modRevision, version, lease }, numbers)
          assert.equal(one.isTombstone, value === undefined)
          assert.deepEqual(Uint8Array.from(one.value), value ?? new Uint8Array(0))
          assert.deepEqual(Uint8Array.from(one.key), key)
          assert.deepEqual(Uint8Array.from(one.storeKey), Uint8Array.from([0x6b, ...key]))
          assert.equal(one.checksum, built.checksum)
          assert.equal(one.size, one.change[0].length + one.change[1].length)
        }
      }),
      { seed: 1, numRuns: 300 },
    )
  })

  it('have names that are one for each key', () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    assert.equal(nameOf(every).length, 256)
    assert.deepEqual(Buffer.from(nameOf(every), 'latin1'), every)
    assert.equal(nameOf(Uint8Array.from(every)), nameOf(every))
  })

  it('numbered keys are in the order of their numbers', () => {
    const numbers = [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER]
    const keys = numbers.map((number) => numberedKey(Prefix.Session, number))
    assert.deepEqual(keys.map(keyNumber), numbers)
    assert.deepEqual(
      [...keys].sort((a, b) => a.compare(b)),
      keys,
    )
  })

  it('of history come after all others, which LevelDB would merge with each new one', () => {
    assert.equal(Math.max(...Object.values(Prefix)), Prefix.History)
  })

  it('of any size are the same bytes, in the arena, decoded, and on bytes of their own', () => {
    const numbers = { createRevision: 3, modRevision: 900, version: 4, lease: 0 }
    const key = Buffer.from([0, 255, 128])
    for (const size of [0, 1, 127, 128, 4000, 16_383, 16_384, 70_000]) {
      const value = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7) % 256))
      const keys = new KeySpace(new MemoryReader(), 10_000)
      const built = keys.replace(nameOf(key), key, value, numbers)
      // Others lie around it.
      keys.replace('other', Buffer.from('other'), Buffer.alloc(3000, 1), numbers)
      const own = StoredRecord.build(nameOf(key), key, value, numbers)
      const decoded = StoredRecord.decode(nameOf(key), key, built.change[1])
      for (const one of [built, keys.find(nameOf(key), key)!, decoded, own.detached()]) {
        assert.deepEqual(one.value, value)
        assert.deepEqual(one.stored, own.stored)
        assert.deepEqual(Buffer.concat(one.change), own.stored)
        assert.equal(one.checksum, own.checksum)
      }
    }
  })

  it('with a value that does not end where they do are damaged', () => {
    const key = Buffer.from('a')
    const storeKey = Buffer.concat([Buffer.of(Prefix.Key), key])
    for (const body of [
      [0x2a, 2, 1],
      [0x2a, 1, 1, 1],
      [0x2a, 0xff],
    ]) {
      const record = sealedRecord(storeKey, Buffer.from(body))
      assert.throws(() => StoredRecord.decode('a', key, record), DamagedDataError)
    }
  })

  it('of another format are refused as such, not as damage to be repaired', () => {
    const older = sealedRecord(META_KEY, Buffer.from([0x08, 2]))
    assert.throws(
      () => decodeMeta(older),
      /of format version 2; .* reads version 4\. Use the version of Balsa/,
    )
    assert.throws(
      () => decodeMeta(older),
      (error: Error) => !error.message.includes('balsa recover'),
    )
  })

  it('the record about it all comes back', () => {
    const meta = {
      applied: { index: 2 ** 40, term: 7, checksum: 0xffff_fffe },
      revision: 2 ** 39,
      compactedRevision: 3,
      clusterTimeMs: 2 ** 41,
      presentHash: 2n ** 64n - 1n,
      sessionsHash: 1n,
      historyBytes: 2 ** 45,
      marks: [
        { clusterTimeMs: 0, revision: 0, historyBytes: 0 },
        { clusterTimeMs: 2 ** 40, revision: 2 ** 38, historyBytes: 2 ** 44 },
      ],
    }
    const { format, ...read } = decodeMeta(encodeMeta(meta)) as typeof meta & { format: number }
    assert.equal(format, 4)
    assert.deepEqual(read, meta)
  })
})

describe('the set hash', () => {
  type Element = [number, number, number, number, number, number]
  const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })
  const element: fc.Arbitrary<Element> = fc.tuple(
    fc.nat(3),
    uint32,
    fc.maxSafeNat(),
    fc.maxSafeNat(),
    fc.nat(9),
    fc.nat(9),
  )

  it('does not depend on the order, and what is taken out leaves nothing', () => {
    fc.assert(
      fc.property(fc.array(element), fc.array(element), (kept, gone) => {
        const one = new SetHash()
        for (const each of kept) one.add(...each)
        const other = new SetHash()
        for (const each of gone) other.add(...each)
        for (const each of [...kept].reverse()) other.add(...each)
        for (const each of gone) other.subtract(...each)
        assert.equal(other.value, one.value)
        assert.equal(new SetHash(one.value).value, one.value)
      }),
      { seed: 2 },
    )
  })

  it('tells elements apart by each of their parts, in every bit', () => {
    const seen = new Set<bigint>()
    let count = 0
    const base: Element = [1, 0x1234_5678, 5, 6, 7, 8]
    for (let part = 0; part < 6; part++) {
      const bits = part === 0 ? 3 : part === 1 ? 32 : 53
      for (let bit = 0; bit < bits; bit++) {
        const changed: Element = [...base]
        const mask = 2 ** bit
        changed[part] = Math.floor(base[part]! / mask) % 2 === 1 ? base[part]! - mask : base[part]! + mask
        const hash = new SetHash()
        hash.add(...changed)
        // Both lanes count: neither half alone may repeat in so few elements.
        seen.add(hash.value >> 32n).add((hash.value & 0xffff_ffffn) + 2n ** 40n)
        count += 2
      }
    }
    assert.equal(seen.size, count)
  })
})
