import assert from 'node:assert/strict'
import { Chaos } from './chaos.ts'
import type { ChaosCounts } from './chaos.ts'

const ACTIONS = 6000

/**
 * One random run of `size` servers: trouble with every invariant checked after every step, then rest, in which
 * one server must lead and all must hold what it holds. Throws where anything of that does not hold.
 */
export function runSeed(seed: number, size: number): ChaosCounts {
  const chaos = new Chaos(seed, size)
  chaos.run(ACTIONS)
  chaos.recover()
  const { leaders, servers } = chaos.cluster
  assert.equal(leaders.length, 1, 'after all trouble one server leads')
  const { lastIndex } = leaders[0]!.view
  for (const { id, view, values } of servers.values()) {
    assert.equal(view.lastApplied, lastIndex, `${id} has applied everything`)
    assert.deepEqual(values, leaders[0]!.values, `${id} holds what the leader holds`)
  }
  return chaos.counts
}
