import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { percentileOf, readable, spreadOf } from '../../bench/statistics.ts'

describe('the spread', () => {
  it('has the middle one, or the mean of the two', () => {
    assert.deepEqual(spreadOf([10, 2, 9]), { median: 9, min: 2, max: 10, count: 3 })
    assert.deepEqual(spreadOf([10, 2, 4, 8]), { median: 6, min: 2, max: 10, count: 4 })
    assert.throws(() => spreadOf([]), RangeError)
  })
})

describe('a percentile', () => {
  it('is one of the figures, by its rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1)
    for (const percent of [1, 50, 95, 99, 100]) assert.equal(percentileOf(hundred, percent), percent)
    const thousand = Array.from({ length: 1000 }, (_, i) => i + 1)
    assert.equal(percentileOf(thousand, 99.9), 999)
    assert.equal(percentileOf([7], 50), 7)
    assert.equal(percentileOf([7, 8], 0), 7)
    assert.throws(() => percentileOf([], 50), RangeError)
  })
})

describe('a figure for a reader', () => {
  it('has three digits or more', () => {
    assert.deepEqual([12345.6, 123.4, 12.34, 1.234].map(readable), ['12,346', '123', '12.3', '1.23'])
  })
})
