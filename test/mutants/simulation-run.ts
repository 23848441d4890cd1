import { ALL_FAULTS, planOf } from '../sim/plan.ts'
import { run } from '../sim/run.ts'
import type { SeededResult } from './seeds.ts'

// A process of its own for mutated clusters: `simulation-run.ts NODES SEEDS [FAULT …]` runs seeds from 1 on
// until one breaks a rule, and prints what happened as JSON.
const [nodes, seeds] = process.argv.slice(2, 4).map(Number) as [number, number]
const chosen = process.argv.slice(4)
const faults = chosen.length > 0 ? chosen : ALL_FAULTS

async function firstFailure(): Promise<SeededResult> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { breach } = await run(planOf(seed, { nodes: [nodes], faults }))
    if (breach !== undefined) return { seed, broke: `${breach.rule}: ${breach.what}` }
  }
  return {}
}

console.log(JSON.stringify(await firstFailure()))
