import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { defaultJobs, runAll } from './jobs.ts'
import { ALL_FAULTS, DEFAULT_PLAN } from './plan.ts'
import type { RunResult } from './run.ts'
import { Totals } from './totals.ts'

const SEEDS = 200

/** Client operations a simulated second: enough for what is asserted here, and a run takes half the time. */
const RATE = 8

/** What a node goes through, alone or among others. */
const TRANSITIONS = [
  'follower → preCandidate',
  'preCandidate → candidate',
  'preCandidate → follower',
  'candidate → leader',
  'candidate → follower',
  'candidate → preCandidate',
  'leader → follower',
]

describe(`${SEEDS} seeds with everything going wrong`, () => {
  const results: RunResult[] = []
  const totals = new Totals()

  before(async () => {
    let seed = 0
    const next = () => (seed < SEEDS ? { ...DEFAULT_PLAN, rate: RATE, seed: ++seed } : undefined)
    await runAll(defaultJobs(), next, (result) => {
      results.push(result)
      totals.add(result)
    })
  })

  it('break no rule', () => {
    const broken = results.filter(({ breach }) => breach !== undefined)
    const report = broken.map(
      ({ seed, breach }) =>
        `${breach!.rule}: ${breach!.what}\n  npm run sim -- --replay ${seed} --rate ${RATE}`,
    )
    assert.deepEqual(report, [])
    assert.equal(totals.histories, SEEDS)
  })

  it('last 30 simulated seconds and 200 answered operations each', () => {
    for (const { seed, simulatedMs, outcomes } of results) {
      assert.ok(simulatedMs >= 30_000, `seed ${seed}`)
      assert.ok((outcomes['ok'] ?? 0) >= 200, `seed ${seed}`)
    }
  })

  it('mix at least three kinds of fault each', () => {
    for (const { seed, faults } of results) assert.ok(Object.keys(faults).length >= 3, `seed ${seed}`)
  })

  it('see a change of leader, nine in ten', () => {
    assert.ok(totals.leaderChanges >= 0.9 * SEEDS, `${totals.leaderChanges}`)
  })

  it('come upon every kind of fault, every size of cluster and every change of role', () => {
    assert.deepEqual([...totals.faults.keys()].sort(), [...ALL_FAULTS].sort())
    assert.deepEqual([...totals.nodes.keys()].sort(), ['1', '3', '5', '7'])
    for (const transition of TRANSITIONS) assert.ok(totals.transitions.has(transition), transition)
  })

  it('see operations end in every way', () => {
    for (const outcome of [
      'ok',
      'failed UNAVAILABLE',
      'unknown OUTCOME_UNKNOWN',
      'unknown SESSION_EXPIRED',
    ]) {
      assert.ok(totals.outcomes.has(outcome), outcome)
    }
  })
})
