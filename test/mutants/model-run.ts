import { runSeed } from '../raft/support/seeded-run.ts'
import type { SeededResult } from './seeds.ts'

// A process of its own for the mutated core: `model-run.ts SERVERS SEEDS` runs seeds from 1 on until one
// fails, and prints what happened as JSON.
const [servers, seeds] = process.argv.slice(2).map(Number) as [number, number]

function firstFailure(): SeededResult {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      runSeed(seed, servers)
    } catch (error) {
      return { seed, broke: error instanceof Error ? error.message : String(error) }
    }
  }
  return {}
}

console.log(JSON.stringify(firstFailure()))
