import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { UnsentAnswers } from '../../src/server/unsent-answers.ts'

describe('answers that a client has not taken', () => {
  /** How many answers of so many bytes there are until `reached` is so. */
  function until(reached: 'congested' | 'full', bytes: number): number {
    const unsent = new UnsentAnswers()
    let count = 0
    for (; !unsent[reached]; count++) unsent.add(bytes)
    return count
  }

  it('count with what their calls take, however small they are', () => {
    assert.deepEqual([until('congested', 0), until('full', 0)], [4097, 16_385])
    assert.deepEqual([until('congested', 1e6), until('full', 1e6)], [17, 67])
  })

  it('count no longer once they are gone', () => {
    const unsent = new UnsentAnswers()
    const counted = [1e6, 7, 70e6].map((bytes) => unsent.add(bytes))
    assert.ok(unsent.congested && unsent.full)
    unsent.remove(counted.pop()!)
    assert.ok(!unsent.congested)
    for (const each of counted) unsent.remove(each)
    for (let i = 0; i < 4096; i++) unsent.add(0)
    assert.ok(!unsent.congested, 'nothing is left of them')
  })
})
