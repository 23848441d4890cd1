import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ChaosCounts } from './support/chaos.ts'
import { runSeed } from './support/seeded-run.ts'

/** `RAFT_SEED=7 npm test -- test/raft/random` runs that seed alone. */
const only = process.env['RAFT_SEED']
const SEEDS = only === undefined ? Array.from({ length: 30 }, (_, i) => i + 1) : [Number(only)]

function addRun(seed: number, size: number, totals: ChaosCounts): void {
  try {
    const counts = runSeed(seed, size)
    for (const key of Object.keys(totals) as (keyof ChaosCounts)[]) totals[key] += counts[key]
  } catch (error) {
    const what = error instanceof Error ? error.stack : String(error)
    throw new Error(`RAFT_SEED=${seed} runs this seed alone (${size} servers): ${what}`)
  }
}

describe('random runs: invariants after every step, and rest once the trouble ends', () => {
  for (const size of [3, 4, 5]) {
    it(`${size} servers`, (test) => {
      const totals = {
        steps: 0,
        committed: 0,
        acknowledged: 0,
        reads: 0,
        crashes: 0,
        terms: 0,
        fetches: 0,
        snapshots: 0,
        compactions: 0,
      }
      for (const seed of SEEDS) addRun(seed, size, totals)
      test.diagnostic(JSON.stringify(totals))
      // A run in which nothing happens proves nothing.
      for (const [what, count] of Object.entries(totals)) {
        assert.ok(count >= SEEDS.length / 2, `hardly anything happened: ${count} ${what}`)
      }
    })
  }
})
