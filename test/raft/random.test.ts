import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Chaos } from './support/chaos.ts'
import type { ChaosCounts } from './support/chaos.ts'

/** `RAFT_SEED=7 npx tsx --test test/raft/random.test.ts` runs that seed alone. */
const only = process.env['RAFT_SEED']
const SEEDS = only === undefined ? Array.from({ length: 30 }, (_, i) => i + 1) : [Number(only)]
const ACTIONS = 6000

function runSeed(seed: number, size: number, totals: ChaosCounts): void {
  const chaos = new Chaos(seed, size)
  try {
    chaos.run(ACTIONS)
    chaos.recover()
    const { leaders, servers } = chaos.cluster
    assert.equal(leaders.length, 1, 'after all trouble one server leads')
    const { lastIndex } = leaders[0]!.view
    for (const { id, view, values } of servers.values()) {
      assert.equal(view.lastApplied, lastIndex, `${id} has applied everything`)
      assert.deepEqual(values, leaders[0]!.values, `${id} holds what the leader holds`)
    }
  } catch (error) {
    const what = error instanceof Error ? error.stack : String(error)
    throw new Error(`RAFT_SEED=${seed} runs this seed alone (${size} servers): ${what}`)
  }
  for (const key of Object.keys(totals) as (keyof ChaosCounts)[]) totals[key] += chaos.counts[key]
}

describe('random runs: invariants after every step, and rest once the trouble ends', () => {
  for (const size of [3, 5]) {
    it(`${size} servers`, (test) => {
      const totals = { steps: 0, committed: 0, acknowledged: 0, reads: 0, crashes: 0, terms: 0, fetches: 0 }
      for (const seed of SEEDS) runSeed(seed, size, totals)
      test.diagnostic(JSON.stringify(totals))
      // A run in which nothing happens proves nothing.
      for (const [what, count] of Object.entries(totals)) {
        assert.ok(count >= SEEDS.length, `hardly anything happened: ${count} ${what}`)
      }
    })
  }
})
