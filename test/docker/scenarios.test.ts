import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ChaosRun, openComposeTarget, parseScenario, randomSchedule } from '../../src/chaos/index.ts'
import type { ChaosOptions, ChaosResult, ChaosTarget } from '../../src/chaos/index.ts'
import { ComposeCluster } from './support/compose.ts'

const FOLDER = fileURLToPath(new URL('../../docker/scenarios/', import.meta.url))

/** How long everything mixed goes on, in minutes, and with what. Half an hour by hand, less where others wait. */
const MIXED_MINUTES = Number(process.env.BALSA_CHAOS_MINUTES ?? '3')
const MIXED_SEED = Number(process.env.BALSA_CHAOS_SEED ?? '6')

const scenarios = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .sort()
  .map((file) => ({ file, scenario: parseScenario(readFileSync(`${FOLDER}${file}`, 'utf8')) }))

/** Runs it, and fails with everything that was wrong. */
async function run(options: Omit<ChaosOptions, 'onEvent'>): Promise<ChaosResult> {
  const events: string[] = []
  const { result } = await new ChaosRun({
    ...options,
    onEvent: ({ atMs, kind, text }) => events.push(`${(atMs / 1000).toFixed(1)} s ${kind} ${text}`),
  }).run()
  assert.deepEqual(result.problems, [], events.join('\n'))
  assert.equal(result.verdict, 'ok')
  assert.ok(result.operations.ok > 0, 'the load did something')
  return result
}

const CLUSTERS = [
  { count: 3, files: ['docker-compose.yaml', 'docker/compose.chaos.yaml'], basePort: 17_101 },
  { count: 5, files: ['docker/compose.5.yaml', 'docker/compose.chaos.5.yaml'], basePort: 17_201 },
]

for (const { count, files, basePort } of CLUSTERS) {
  describe(`the scenarios of ${count} containers`, () => {
    let cluster: ComposeCluster
    let target: ChaosTarget
    before(async () => {
      cluster = await ComposeCluster.up({ files, count, basePort })
      target = await openComposeTarget({ files: cluster.files })
    })
    after(async () => {
      await target?.[Symbol.asyncDispose]()
      await cluster?.down()
    })

    for (const { file, scenario } of scenarios.filter(({ scenario }) => scenario.nodes === count)) {
      it(`${scenario.name} (${file})`, async (t) => {
        if (scenario.steps.some((step) => 'do' in step && isLink(step.do)) && !target.supports.has('cut')) {
          return t.skip("no way into the containers' networks: it takes root, nsenter and iptables")
        }
        const result = await run({
          target,
          name: scenario.name,
          steps: scenario.steps,
          seed: 1,
          strict: true,
        })
        assert.equal(
          result.expectations.length,
          scenario.steps.filter((step) => 'expect' in step).length,
          'every expectation was looked at',
        )
        assert.equal(result.skipped, 0)
      })
    }

    if (count === 3) {
      it(`everything mixed for ${MIXED_MINUTES} minutes`, async () => {
        const { nodes, supports } = target
        const durationMs = MIXED_MINUTES * 60_000
        const steps = randomSchedule({ seed: MIXED_SEED, nodes, kinds: [...supports], durationMs })
        const result = await run({ target, name: 'mixed', steps, seed: MIXED_SEED, strict: false })
        assert.ok(result.terms > 2, 'there were changes of leader')
        assert.ok(result.loggedTerms >= result.terms - 1, 'of all but the first the logs tell')
      })
    }
  })
}

function isLink(action: string): boolean {
  return ['cut', 'isolate', 'split', 'slow'].includes(action)
}
