import { Command, InvalidArgumentError } from 'commander'
import type { BalsaClient } from '../../src/index.ts'
import { TestCluster } from '../cluster/support/cluster.ts'
import { Writer } from '../cluster/support/writer.ts'
import { Dice } from '../sim/engine/dice.ts'
import { Killer } from './killer.ts'
import { RegisterClients } from './register-clients.ts'

interface Flags {
  readonly kills: number
  readonly seed: number
  readonly nodes: number
  readonly minutes?: number
}

const PROGRESS_MS = 5000

/** After each round of kills the cluster has to acknowledge so many writes, within this time. */
const WRITES_BETWEEN = 10
const PATIENCE_MS = 60_000

/**
 * Checkpoints every few hundred milliseconds, of many small pieces, and small tails: so that kills hit whatever happens
 * now and then only.
 */
const NODE_FLAGS = {
  '--checkpoint-interval-ms': '300',
  '--checkpoint-bytes': '16KiB',
  '--log-tail-bytes': '64KiB',
  '--log-keep-bytes': '64KiB',
  '--log-level': 'warn',
}

function whole(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('It must be a whole number from 1.')
  return number
}

const program = new Command('npm run soak --')
  .description(
    'kill -9 of real nodes at random moments, under load. What was acknowledged must be there, once; all nodes ' +
      'must hold the same; and what clients saw must be linearizable.',
  )
  .option('--kills <count>', 'how many kills', whole, 200)
  .option('--seed <seed>', 'which nodes, and when', whole, 1)
  .option('--nodes <count>', 'how many nodes', whole, 3)
  .option('--minutes <count>', 'not longer than this, with as many kills as it takes', whole)
  .action(soak)

await program.parseAsync()

async function soak({ kills, seed, nodes, minutes = Infinity }: Flags): Promise<void> {
  const began = performance.now()
  await using cluster = await TestCluster.create({ nodes, electionMs: 400, flags: NODE_FLAGS })
  const killer = new Killer(cluster, Dice.of(seed, 'killer'))
  for (const node of cluster.nodes) killer.start(node)
  await cluster.leader()
  const client = (): BalsaClient => cluster.client({ timeoutMs: 20_000 })
  const writers = ['a', 'b'].map((prefix) => new Writer(client(), { prefix, inFlight: 8, pauseMs: 10 }))
  const registers = new RegisterClients([client(), client()], {
    dice: Dice.of(seed, 'registers'),
    inFlight: 3,
    pauseMs: 20,
  })
  const acknowledged = (): number => writers.reduce((sum, writer) => sum + writer.acknowledged.length, 0)
  const ticker = setInterval(() => {
    const seconds = Math.round((performance.now() - began) / 1000)
    process.stderr.write(`${killer.total} of ${kills} kills, ${acknowledged()} acknowledged, ${seconds} s\n`)
  }, PROGRESS_MS)
  const problems: string[] = []
  try {
    const end = began + minutes * 60_000
    while (killer.total < kills && killer.deaths.length === 0 && performance.now() < end) {
      await killer.round()
      if (!(await grows(acknowledged, WRITES_BETWEEN))) {
        problems.push(`no ${WRITES_BETWEEN} writes within ${PATIENCE_MS} ms after a round of kills`)
        break
      }
    }
    await Promise.all([...writers.map((writer) => writer.stop()), registers.stop()])
  } finally {
    clearInterval(ticker)
  }
  problems.push(...killer.deaths)
  const killed = killer.total
  for (const node of cluster.nodes) killer.start(node)
  const hash = await cluster.converged().catch((error: unknown) => void problems.push(String(error)))
  const { lost, twice, undead, unknown } = await verdictOf(writers, cluster)
  if (lost.length > 0) problems.push(`acknowledged, but lost: ${some(lost)}`)
  if (twice.length > 0) problems.push(`applied twice: ${some(twice)}`)
  if (undead.length > 0) problems.push(`reported as failed for certain, but applied: ${some(undead)}`)
  const violation = registers.problem()
  if (violation !== undefined) {
    problems.push(`the history is not linearizable:\n${violation}`)
  }

  const seconds = ((performance.now() - began) / 1000).toFixed(0)
  const kinds = Object.entries(killer.kills).map(([name, count]) => `${name} ${count}`)
  console.log(`${killed} kills in ${seconds} s with seed ${seed}: ${kinds.join(', ')}`)
  console.log(`writes of unknown outcome: ${unknown}; all nodes at state hash ${hash ?? 'that differs'}`)
  const { definite, unknown: open } = registers.failures
  const verdict = violation === undefined ? 'linearizable' : 'NOT linearizable'
  console.log(`history: ${registers.operations} operations (${open} unknown, ${definite} failed): ${verdict}`)
  for (const problem of problems) console.log(`PROBLEM: ${problem}`)
  console.log(
    `kills: ${killed}, acknowledged: ${acknowledged()}, lost: ${lost.length}, applied twice: ${twice.length}`,
  )
  process.exitCode = problems.length === 0 ? 0 : 1
}

/** Whether a count grows by so much in time. */
async function grows(count: () => number, by: number): Promise<boolean> {
  const wanted = count() + by
  const deadline = performance.now() + PATIENCE_MS
  while (count() < wanted) {
    if (performance.now() > deadline) return false
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return true
}

async function verdictOf(
  writers: readonly Writer[],
  cluster: TestCluster,
): Promise<{ lost: string[]; twice: string[]; undead: string[]; unknown: number }> {
  const client = cluster.client({ timeoutMs: 30_000 })
  const found = await Promise.all(writers.map((writer) => writer.verdict(client)))
  return {
    lost: found.flatMap(({ lost }) => lost),
    twice: found.flatMap(({ twice }) => twice),
    undead: found.flatMap(({ undead }) => undead),
    unknown: writers.reduce((sum, writer) => sum + writer.unknown.length, 0),
  }
}

function some(keys: readonly string[]): string {
  return `${keys.slice(0, 10).join(', ')}${keys.length > 10 ? `, and ${keys.length - 10} more` : ''}`
}
