import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chooserOf, uniform, zipfian } from '../../bench/keys.ts'

/** The middles of `steps` equal parts of 0 to 1, in order: an even source of chance. */
function even(steps: number): () => number {
  let step = 0
  return () => (step++ + 0.5) / steps
}

function histogram(choose: () => number, keys: number, choices: number): number[] {
  const counts = new Array<number>(keys).fill(0)
  for (let i = 0; i < choices; i++) counts[choose()]!++
  return counts
}

describe('uniform keys', () => {
  it('are all as likely', () => {
    assert.deepEqual(histogram(uniform(4, even(400)), 4, 400), [100, 100, 100, 100])
  })
})

describe('zipfian keys', () => {
  it('are as likely as one in their rank', () => {
    // With exponent 1 and three keys the shares are 6, 3 and 2 of 11.
    assert.deepEqual(histogram(zipfian(3, even(1100), 1), 3, 1100), [600, 300, 200])
  })

  it('stay within bounds at both ends of chance', () => {
    assert.equal(zipfian(1000, () => 0)(), 0)
    assert.equal(zipfian(1000, () => 1 - 2 ** -53)(), 999)
    assert.equal(zipfian(1, () => 0.5)(), 0)
  })

  it('of a hundred thousand give the first a twelfth', () => {
    const [first] = histogram(chooserOf('zipfian', 100_000, even(10_000)), 100_000, 10_000)
    assert.ok(first! > 750 && first! < 850, `${first}`)
  })
})
