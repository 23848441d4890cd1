import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { NO_BYTES, Reader, varintSize, WireError, WireType, Writer } from '../../src/wire/protobuf.ts'
import { RUNS, text, uint } from './oracle.ts'

const hex = (text: string): Reader => new Reader(Buffer.from(text, 'hex'))

describe('varints', () => {
  it('have the lengths that the encoding says, at every boundary', () => {
    for (let bits = 7; bits <= 49; bits += 7) {
      for (const value of [2 ** bits - 1, 2 ** bits]) {
        const writer = new Writer(0)
        writer.varint(value)
        assert.equal(writer.length, value < 2 ** bits ? bits / 7 : bits / 7 + 1)
        assert.equal(writer.length, varintSize(value))
        assert.equal(new Reader(writer.finish()).uint(), value)
      }
    }
  })

  it('come back as they were', () => {
    fc.assert(
      fc.property(uint, (value) => {
        const writer = new Writer(0)
        writer.varint(value)
        assert.equal(new Reader(writer.finish()).uint(), value)
      }),
      RUNS,
    )
  })

  it('of 2^53 − 1 pass and of 2^53 are refused', () => {
    assert.equal(hex('ffffffffffffff0f').uint(), 2 ** 53 - 1)
    assert.throws(() => hex('8080808080808010').uint(), /does not fit in 53 bits/)
    assert.throws(() => hex('ffffffffffffffffff01').uint(), /does not fit in 53 bits/)
  })

  it('may be longer than they need to be, but not than ten bytes', () => {
    assert.equal(hex('8100').uint(), 1)
    assert.equal(hex('81808080808080808000').uint(), 1)
    assert.throws(() => hex('8180808080808080808000').uint(), /longer than ten bytes/)
    assert.throws(() => hex('80').uint(), /ends within a number/)
    assert.throws(() => hex('').uint(), /ends within a number/)
  })

  it('are made of whole numbers from 0 to 2^53 − 1 only', () => {
    for (const value of [-1, 0.5, 1000.5, NaN, Infinity, 2 ** 53]) {
      assert.throws(() => new Writer().varint(value), WireError, String(value))
    }
    for (const value of [-1, 2 ** 32, NaN]) {
      assert.throws(() => new Writer().fixed32(1, value), WireError, String(value))
    }
  })

  it('of 32 bits are refused above that', () => {
    assert.equal(hex('ffffffff0f').uint32(), 2 ** 32 - 1)
    assert.throws(() => hex('8080808010').uint32(), /does not fit in 32 bits/)
  })
})

describe('the writer', () => {
  it('stays in the buffer that it was given where that is exactly large enough', () => {
    const buffer = Buffer.alloc(13)
    const writer = new Writer(buffer)
    writer.bytes(2, Buffer.from('abc'))
    writer.bool(3, true)
    writer.raw(Buffer.from('xyz'))
    writer.uint(1, 300)
    assert.equal(writer.length, buffer.length)
    assert.equal(writer.finish().buffer, buffer.buffer)
    assert.equal(writer.finish().byteOffset, buffer.byteOffset)
  })

  it('moves a nested message whose length takes more than a byte', () => {
    for (const length of [0, 1, 124, 125, 126, 127, 128, 16_379, 16_380, 16_381, 16_384, 3_000_000]) {
      const content = Buffer.alloc(length, 'n')
      const writer = new Writer(0)
      const outer = writer.begin(1)
      const inner = writer.begin(2)
      writer.raw(content)
      writer.end(inner)
      writer.uint(3, 5)
      writer.end(outer)
      writer.uint(4, 6)
      const reader = new Reader(writer.finish())
      assert.equal(reader.tag(), (1 << 3) | WireType.Bytes)
      const nested = reader.nested()
      assert.equal(nested.tag(), (2 << 3) | WireType.Bytes)
      assert.ok(nested.bytes().equals(content))
      assert.equal(nested.tag(), 3 << 3)
      assert.equal(nested.uint(), 5)
      assert.equal(nested.tag(), 0)
      assert.equal(reader.tag(), 4 << 3)
      assert.equal(reader.uint(), 6)
      assert.equal(reader.tag(), 0)
    }
  })
})

describe('the reader', () => {
  it('reads texts as they were', () => {
    fc.assert(
      fc.property(text, (value) => {
        const writer = new Writer(0)
        writer.string(1, value)
        const reader = new Reader(writer.finish())
        reader.tag()
        assert.equal(reader.string(), value)
      }),
      RUNS,
    )
  })

  it('refuses a length beyond the end, however large, and allocates nothing for it', () => {
    for (const length of ['04', '7f', 'ffffffff0f', 'ffffffffffffff0f']) {
      assert.throws(() => hex(`${length}010203`).bytes(), WireError)
      assert.throws(() => hex(`${length}010203`).string(), WireError)
      assert.throws(() => hex(`${length}010203`).nested(), WireError)
      assert.throws(() => hex(`${length}010203`).skip(WireType.Bytes), WireError)
    }
  })

  it('keeps a nested message within its bounds', () => {
    // Field 1, two bytes: field 1 again, which claims three bytes where one is left; there are enough after it.
    const reader = hex('0a020a03616263')
    reader.tag()
    const nested = reader.nested()
    nested.tag()
    assert.throws(() => nested.bytes(), /ends within a field/)
  })

  it('refuses tags and wire types that there are not', () => {
    assert.throws(() => hex('00').tag(), /impossible tag 0/)
    assert.throws(() => hex('07').tag(), /impossible tag 7/)
    assert.throws(() => hex('ffffffffff01').tag(), /impossible tag/)
    for (const wireType of [3, 4, 6, 7])
      assert.throws(() => hex('0000').skip(8 | wireType), /unknown wire type/)
    assert.throws(() => hex('000000').skip(WireType.Fixed32), /ends within a field/)
    assert.throws(() => hex('00000000000000').skip(WireType.Fixed64), /ends within a field/)
  })

  it('gives views, but for what is empty', () => {
    const bytes = Buffer.from('0361626300', 'hex')
    const reader = new Reader(bytes)
    assert.equal(reader.bytes().buffer, bytes.buffer)
    assert.equal(reader.bytes(), NO_BYTES)
  })

  it('reads a view of a larger buffer from its own beginning', () => {
    const view = new Uint8Array(Uint8Array.from([9, 9, 2, 7, 8, 9]).buffer, 2, 3)
    assert.deepEqual([...new Reader(view).bytes()], [7, 8])
  })
})
