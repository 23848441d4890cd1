import { writeFile } from 'node:fs/promises'
import { Command, InvalidArgumentError, Option } from 'commander'
import { LATENCIES } from './network.ts'
import type { LatencyDistribution } from './network.ts'
import { balsaMaelstrom } from './node-process.ts'
import { runWorkbench } from './workbench.ts'
import type { Report } from './workbench.ts'

/** The options are called as Maelstrom calls its own, where it has them. */
interface Flags {
  readonly nodes: number
  readonly concurrency: number
  readonly rate: number
  readonly latency: number
  readonly latencyDist: LatencyDistribution
  readonly loss: number
  readonly nemesis?: 'partition'
  readonly nemesisInterval: number
  readonly timeLimit: number
  readonly seed: number
  readonly runs: number
  readonly leastOk: number
  readonly reads: string
  readonly heartbeatMs?: string
  readonly electionMs?: string
  readonly bin?: string
  readonly history?: string
}

function number(least: number, most = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!(value >= least && value <= most) || text.trim() === '') {
      const bound = most === Infinity ? `from ${least}` : `from ${least} to ${most}`
      throw new InvalidArgumentError(`Give a number ${bound}.`)
    }
    return value
  }
}

const program = new Command('npm run maelstrom --')
  .description(
    'nodes as Maelstrom runs them, in a network that delays, loses and partitions: reads, writes and cas on registers ' +
      'must be linearizable, and answered',
  )
  .option('--nodes <count>', 'how many nodes', number(1), 5)
  .option('--concurrency <count>', 'how many clients, each with one request at a time', number(1), 20)
  .option('--rate <hz>', 'requests a second, of all clients together', number(0.1), 100)
  .option('--latency <ms>', 'of a message between nodes, on average', number(0), 5)
  .addOption(new Option('--latency-dist <name>', 'how it varies').choices(LATENCIES).default('exponential'))
  .option('--loss <share>', 'the part of the messages between nodes that get lost', number(0, 1), 0)
  .addOption(new Option('--nemesis <name>', 'what goes wrong').choices(['partition']))
  .option('--nemesis-interval <s>', 'the time between one change of it and the next', number(0.1), 5)
  .option('--time-limit <s>', 'how long there is load', number(0.1), 60)
  .option('--seed <seed>', 'latencies, losses, partitions and requests', number(0), 1)
  .option('--runs <count>', 'so many runs, each with the next seed', number(1), 1)
  .option('--least-ok <percent>', 'fewer answered operations than this are a failure', number(0, 100), 60)
  .option('--reads <how>', 'as of `balsa maelstrom`', 'index')
  .option('--heartbeat-ms <ms>', 'as of `balsa maelstrom`')
  .option('--election-ms <ms>', 'as of `balsa maelstrom`')
  .option('--bin <file>', 'another node than `balsa maelstrom`')
  .option('--history <file>', 'write the last history, as `balsa check` reads it')
  .action(main)

await program.parseAsync()

async function main(flags: Flags): Promise<void> {
  const { seed, runs, leastOk } = flags
  let failures = 0
  for (let run = 0; run < runs; run++) {
    const report = await runWorkbench({
      nodes: flags.nodes,
      concurrency: flags.concurrency,
      rate: flags.rate,
      latencyMs: flags.latency,
      distribution: flags.latencyDist,
      loss: flags.loss,
      partitionMs: flags.nemesis === undefined ? undefined : flags.nemesisInterval * 1000,
      durationMs: flags.timeLimit * 1000,
      seed: seed + run,
      command: commandOf(flags),
    })
    if (flags.history !== undefined) await writeFile(flags.history, report.history)
    const isOk =
      report.verdict === 'linearizable' && report.problems.length === 0 && report.okShare * 100 >= leastOk
    if (!isOk) failures++
    console.log(`seed ${seed + run}: ${summary(report)}`)
    for (const problem of report.problems) console.log(`PROBLEM: ${problem}`)
    if (report.explanation !== '') console.log(report.explanation)
  }
  console.log(`runs: ${runs}, failures: ${failures}`)
  process.exitCode = failures === 0 ? 0 : 1
}

function commandOf({ bin, reads, heartbeatMs, electionMs }: Flags): readonly string[] {
  if (bin !== undefined) return [bin]
  const timing = [
    ...(heartbeatMs === undefined ? [] : ['--heartbeat-ms', heartbeatMs]),
    ...(electionMs === undefined ? [] : ['--election-ms', electionMs]),
  ]
  return balsaMaelstrom('--reads', reads, ...timing)
}

function summary({ verdict, okShare, operations, tally, partitions, messages }: Report): string {
  const errors = [...tally.errors].sort().map(([code, count]) => `${code}: ${count}`)
  const sorted = tally.latencies.sort((a, b) => a - b)
  const percentile = (share: number): string => (sorted[Math.floor(share * sorted.length)] ?? 0).toFixed(0)
  return [
    verdict === 'linearizable' ? 'valid' : verdict === 'violation' ? 'NOT VALID' : 'UNDECIDED',
    `${operations} operations, ${(100 * okShare).toFixed(1)} % ok (${tally.mismatches} of them mismatches)`,
    `errors {${errors.join(', ')}}`,
    `ms: ${percentile(0.5)} median, ${percentile(0.99)} p99`,
    `partitions: ${partitions.join(' ') || 'none'}`,
    `messages: ${messages}`,
  ].join('; ')
}
