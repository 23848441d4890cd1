import { writeFile } from 'node:fs/promises'
import Table from 'cli-table3'
import { Command } from 'commander'
import { openComposeTarget } from '../../src/chaos/compose/target.ts'
import { LocalTarget } from '../../src/chaos/local/target.ts'
import { plot } from './plot.ts'
import { percentileOf } from '../statistics.ts'
import { measureRound, ROUNDS } from './rounds.ts'
import type { Outcome } from './rounds.ts'

interface Options {
  readonly compose?: readonly string[]
  readonly dir: string
  readonly times: string
  readonly only?: string
  readonly plot?: string
  readonly title: string
  readonly json?: boolean
}

await new Command('availability')
  .description(
    'How long a cluster does not serve when it is harmed: the longest time without an acknowledged put.',
  )
  .option('--compose <file...>', 'the compose files of a project that runs; default: a cluster of processes')
  .option('--dir <dir>', 'the directory of `balsa cluster start --relay`', '.balsa')
  .option('--times <n>', 'how often each harm is done', '20')
  .option('--only <text>', 'only harms whose name contains this')
  .option('--plot <file>', 'writes a picture (SVG)')
  .option('--title <text>', 'what stands above it', 'Time without service')
  .option('--json', 'one JSON object a line: the harm, each time in milliseconds, failed puts')
  .action(availability)
  .parseAsync()

async function availability(options: Options): Promise<void> {
  await using target = options.compose
    ? await openComposeTarget({ files: options.compose })
    : await LocalTarget.open(options.dir)
  const rounds = ROUNDS.filter(({ name, needs }) => {
    if (!name.includes(options.only ?? '')) return false
    if (!target.supports.has(needs)) console.error(`left out: ${name} (the target does not support it)`)
    return target.supports.has(needs)
  })
  const outcomes: Outcome[] = []
  for (const round of rounds) {
    process.stderr.write(`${round.name}:`)
    const say = (gap: number) => process.stderr.write(` ${gap.toFixed(0)}`)
    const outcome = await measureRound(target, round, Number(options.times), say)
    process.stderr.write('\n')
    outcomes.push(outcome)
    if (options.json) console.log(JSON.stringify(outcome))
  }
  if (options.plot !== undefined) await writeFile(options.plot, plot(options.title, outcomes))
  if (!options.json) console.log(tableOf(outcomes))
}

function tableOf(outcomes: readonly Outcome[]): string {
  const table = new Table({
    head: ['harm', 'times', 'p50 ms', 'p99 ms', 'longest ms', 'failed puts'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  })
  for (const { round, gaps, failed } of outcomes) {
    const figures = [percentileOf(gaps, 50), percentileOf(gaps, 99), gaps.at(-1)!]
    table.push([round, gaps.length, ...figures.map((ms) => ms.toFixed(0)), failed])
  }
  return table.toString()
}
