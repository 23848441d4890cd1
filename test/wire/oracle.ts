import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { loadProtos } from '../../src/wire/proto.ts'
import { WireError } from '../../src/wire/protobuf.ts'

/** What proto-loader and protobufjs make of the .proto files: the codecs written by hand are held to it. */
interface Oracle {
  serialize(plain: object): Buffer
  deserialize(bytes: Uint8Array): object
}

const { packageDefinition } = loadProtos()

export function oracleOf(message: string): Oracle {
  const definition = packageDefinition[`balsa.v1.${message}`]
  assert.ok(definition !== undefined && 'deserialize' in definition, `${message} is in the .proto files`)
  return definition as unknown as Oracle
}

export interface Contract<T> {
  /** The name in the .proto files. */
  readonly message: string
  readonly arbitrary: fc.Arbitrary<T>
  readonly encode: (value: T) => Uint8Array
  readonly decode: (bytes: Uint8Array) => T
  /** The value as the oracle wants it. */
  readonly plain: (value: T) => object
  /** Values in which any uint64 may be replaced, where that is not so of all. */
  readonly freeNumbers?: fc.Arbitrary<T>
}

/** Every run makes the same values. */
export const RUNS = Object.freeze({ seed: 20_240_611, numRuns: 100 })

/** Mostly short; now and then of a length at which the length itself takes one more byte. */
export const bytes: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 29, arbitrary: fc.uint8Array({ maxLength: 24 }).map((array) => Buffer.from(array)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(100, 127, 128, 300, 16_383, 16_384).map((size) => Buffer.alloc(size, size)),
  },
)

/** Numbers of every length as a varint, zero and the largest included. */
export const uint: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, 127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 31, 2 ** 32, 2 ** 35, 2 ** 49, 2 ** 53 - 1),
  fc.maxSafeNat(),
  fc.nat(300),
)

export const uint32: fc.Arbitrary<number> = fc.oneof(fc.constantFrom(0, 1, 2 ** 32 - 1), fc.nat())

export const text: fc.Arbitrary<string> = fc.string({ unit: 'grapheme', maxLength: 12 })

/** The same for what is meant to be equal: bytes of any class become text, absent fields are left out. */
export function normal(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (Array.isArray(value)) return value.map(normal)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined && field !== null)
  return Object.fromEntries(fields.map(([name, field]) => [name, normal(field)]))
}

/** The tests that every codec has to pass. */
export function holdToContract<T>(contract: Contract<T>): void {
  const { message, arbitrary, encode, decode, plain } = contract
  const oracle = oracleOf(message)

  it(`${message}: what it encodes is what any protobuf implementation makes of it`, () => {
    fc.assert(
      fc.property(arbitrary, (value) => {
        const theirs = oracle.deserialize(oracle.serialize(plain(value)))
        assert.deepEqual(normal(oracle.deserialize(encode(value))), normal(theirs))
      }),
      RUNS,
    )
  })

  it(`${message}: it decodes what any protobuf implementation encodes`, () => {
    fc.assert(
      fc.property(arbitrary, (value) => {
        assert.deepEqual(normal(decode(oracle.serialize(plain(value)))), normal(value))
        assert.deepEqual(normal(decode(encode(value))), normal(value))
      }),
      RUNS,
    )
  })

  it(`${message}: bytes that were cut or changed are a WireError or a value, nothing else`, () => {
    fc.assert(
      fc.property(arbitrary, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (value, cut, at, flip) => {
        const whole = Buffer.from(encode(value))
        survives(decode, whole.subarray(0, cut % (whole.length + 1)))
        if (whole.length > 0) whole[at % whole.length]! ^= flip
        survives(decode, whole)
      }),
      RUNS,
    )
  })

  it(`${message}: garbage is a WireError or a value, nothing else`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (garbage) => survives(decode, garbage)),
      { ...RUNS, numRuns: 500 },
    )
  })

  it(`${message}: fields that it does not know are passed over`, () => {
    fc.assert(
      fc.property(arbitrary, (value) => {
        assert.deepEqual(
          normal(decode(Buffer.concat([UNKNOWN_FIELDS, encode(value), UNKNOWN_FIELDS]))),
          normal(value),
        )
      }),
      { ...RUNS, numRuns: 20 },
    )
  })

  it(`${message}: 2^53 − 1 passes and 2^53 is refused, in every uint64`, () => {
    const samples = fc.sample(contract.freeNumbers ?? arbitrary, { ...RUNS, numRuns: 30 }).map(plain)
    let tried = 0
    for (const sample of samples) {
      for (const path of numberPaths(sample)) {
        decode(oracle.serialize(withNumber(sample, path, Number.MAX_SAFE_INTEGER)))
        const tooLarge = oracle.serialize(withNumber(sample, path, '9007199254740992'))
        assert.throws(() => decode(tooLarge), WireError, `${message}.${path.join('.')}`)
        tried++
      }
    }
    const numbers = samples.some((sample) => numberPaths(sample).length > 0)
    assert.equal(tried > 0, numbers)
  })
}

/** Field 1000 as a varint above 2^53, as bytes, and as fixed 32 and 64 bits. */
const UNKNOWN_FIELDS = Buffer.from(
  ['c03e', 'ffffffffffffffffff01', 'c23e', '03616263', 'c53e', '01020304', 'c13e', '0102030405060708'].join(
    '',
  ),
  'hex',
)

function survives(decode: (bytes: Uint8Array) => unknown, input: Uint8Array): void {
  try {
    decode(input)
  } catch (error) {
    assert.ok(error instanceof WireError, String(error))
  }
}

/** Fields that are numbers, but not uint64. */
const OTHER_NUMBERS = new Set(['protocol', 'protocolMin', 'protocolMax', 'code', 'consistency'])

type Path = readonly string[]

function numberPaths(value: unknown, path: Path = []): Path[] {
  if (typeof value === 'number') {
    const name = path.at(-1)!
    return OTHER_NUMBERS.has(name) || /checksum$/i.test(name) ? [] : [path]
  }
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, field]) => numberPaths(field, [...path, name]))
}

function withNumber(value: object, path: Path, number: number | string): object {
  const [name, ...rest] = path
  const field: unknown = (value as Record<string, unknown>)[name!]
  const changed = rest.length === 0 ? number : withNumber(field as object, rest, number)
  return Array.isArray(value)
    ? value.map((item: unknown, i) => (String(i) === name ? changed : item))
    : { ...value, [name!]: changed }
}
