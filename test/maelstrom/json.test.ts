import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { canonicalJson, JsonError } from '../../src/maelstrom/json.ts'
import type { Json } from '../../src/maelstrom/json.ts'

/** The same value, its names in the opposite order. */
function reversed(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(reversed)
  const fields = Object.entries(value).reverse()
  return Object.fromEntries(fields.map(([name, field]) => [name, reversed(field!)]))
}

describe('canonical JSON', () => {
  it('is the value, and the same for equal values', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (any) => {
        const value = JSON.parse(JSON.stringify(any)) as Json
        fc.pre(!/\d{16}/.test(JSON.stringify(value)) && !JSON.stringify(value).includes('e+'))
        const text = canonicalJson(value)
        assert.deepEqual(JSON.parse(text), value)
        assert.equal(canonicalJson(reversed(value)), text)
      }),
    )
  })

  it('tells different values apart', () => {
    const values = ['1', '"1"', 'null', '"null"', '[]', '{}', '[1]', '[[1]]', '{"1":1}', 'true', '0', '""']
    const texts = new Set(values.map((text) => canonicalJson(JSON.parse(text) as Json)))
    assert.equal(texts.size, values.length)
  })

  it('takes names for what they are', () => {
    assert.equal(
      canonicalJson(JSON.parse('{"__proto__":{"a":1},"10":1,"9":2}') as Json),
      '{"10":1,"9":2,"__proto__":{"a":1}}',
    )
  })

  it('knows numbers as JavaScript does', () => {
    assert.equal(canonicalJson(JSON.parse('[1.0,-0,1e2,0.5]') as Json), '[1,0,100,0.5]')
    assert.throws(() => canonicalJson(JSON.parse('[9007199254740993]') as Json), JsonError)
  })

  it('refuses what is too deep', () => {
    assert.throws(() => canonicalJson(JSON.parse('['.repeat(5000) + ']'.repeat(5000)) as Json), JsonError)
  })
})
