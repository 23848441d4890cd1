import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEFAULT_PLAN, planOf } from './plan.ts'
import type { PlanOptions } from './plan.ts'
import { shrink } from './shrink.ts'
import type { Breach } from './world.ts'

const SEED = 2

/** A cluster that breaks a rule as soon as these faults have happened. */
function brokenBy(...numbers: number[]): (options: PlanOptions) => Promise<Breach | undefined> {
  return async (options) => {
    const { faults, troubleMs } = planOf(SEED, options)
    const needed = faults.filter(({ number, at }) => numbers.includes(number) && at <= troubleMs)
    if (needed.length < numbers.length) return undefined
    return { rule: 'a rule', what: 'broken', at: Math.max(...needed.map(({ at }) => at)) }
  }
}

describe('shrinking', () => {
  it('leaves the faults that break the rule, and ends right after them', async () => {
    const shrunk = await shrink(SEED, DEFAULT_PLAN, () => {}, brokenBy(3, 7))
    assert.deepEqual(shrunk!.options.only, [3, 7])
    assert.deepEqual(
      shrunk!.faults.map(({ number }) => number),
      [3, 7],
    )
    assert.ok(shrunk!.options.troubleMs! <= shrunk!.breach.at + 2)
    assert.ok(planOf(SEED).faults.length > 10)
  })

  it('keeps nothing where nothing has to go wrong', async () => {
    const shrunk = await shrink(
      SEED,
      DEFAULT_PLAN,
      () => {},
      async () => ({ rule: 'r', what: '', at: 5 }),
    )
    assert.deepEqual(shrunk!.faults, [])
  })

  it('finds nothing in a seed that does not fail', async () => {
    assert.equal(
      await shrink(
        SEED,
        DEFAULT_PLAN,
        () => {},
        async () => undefined,
      ),
      undefined,
    )
  })
})
