import { writeFile } from 'node:fs/promises'
import Table from 'cli-table3'
import { Command } from 'commander'
import { measureAvailability } from './availability.ts'
import type { Availability } from './availability.ts'
import { measureBackup } from './backup.ts'
import type { KeyDistribution } from './keys.ts'
import { startLocalCluster } from './local-cluster.ts'
import type { LocalNode } from './local-cluster.ts'
import { measure } from './measure.ts'
import type { MeasureOptions, Row } from './measure.ts'
import { htmlReport } from './report.ts'
import { measureSnapshot } from './snapshot.ts'
import { measureStartUp } from './start-up.ts'
import { tableOf } from './table.ts'
import { listOf, oneOf, wholeNumber } from './values.ts'
import { OPS } from './workload.ts'

interface Options extends MeasureOptions {
  readonly nodes: number
  readonly endpoints?: readonly string[]
  readonly basePort: number
  readonly json?: boolean
  readonly report?: string
  readonly availability?: boolean
  readonly startUp?: boolean
  readonly backup?: boolean
  readonly snapshot?: boolean
}

const program = new Command('bench')
  .description(
    'Load on a cluster of this machine: closed loop, the client library, acknowledged operations only.',
  )
  .option('--nodes <n>', 'how many nodes', wholeNumber, 3)
  .option(
    '--keys <n>',
    'how many keys; fewer where their values would take more than 256 MB',
    wholeNumber,
    100_000,
  )
  .option(
    '--keys-distribution <name>',
    'how keys are chosen: uniform or zipfian',
    oneOf<KeyDistribution>(['uniform', 'zipfian']),
    'uniform',
  )
  .option('--value-bytes <list>', 'bytes of a value', listOf(wholeNumber), [256])
  .option('--in-flight <list>', 'how many operations at a time', listOf(wholeNumber), [1, 16, 64, 256, 1024])
  .option('--clients <n>', 'client processes, over which --in-flight is spread', wholeNumber, 1)
  .option('--ops <list>', `which of ${OPS.join(', ')}`, listOf(oneOf(OPS)), ['put', 'get'])
  .option(
    '-p, --percent <n>',
    'of mixed: so many of a hundred are puts; of recent: are a put and a get of the same key',
    wholeNumber,
    50,
  )
  .option('--warm-up <s>', 'seconds before the measurement', wholeNumber, 3)
  .option('--seconds <s>', 'seconds of measurement', wholeNumber, 10)
  .option('--endpoints <list>', 'a running cluster instead of one of its own', listOf(String))
  .option(
    '--base-port <port>',
    'the lowest port of its own cluster, or the next that are free',
    wholeNumber,
    21_001,
  )
  .option('--json', 'one JSON object a line')
  .option('--report <file>', 'an HTML file with plots besides')
  .option(
    '--availability',
    'puts second by second while the leader is killed and comes back, instead: three times --seconds, at the first --in-flight',
  )
  .option('--start-up', 'how long a node with --keys keys takes to start, instead of load')
  .option(
    '--snapshot',
    'a node that comes back and is brought --keys keys, and what the others notice, instead of load',
  )
  .option('--backup', 'backup, verification and restore of --keys keys, instead of load')
  .action(bench)

await program.parseAsync()

async function bench(options: Options): Promise<void> {
  const figures = { ...options, valueBytes: options.valueBytes[0]! }
  if (options.availability) return availability(options)
  if (options.startUp) return startUp(options, await measureStartUp(figures, say))
  if (options.backup) return printFigures(options, await measureBackup(figures, say))
  if (options.snapshot) return printFigures(options, await measureSnapshot(figures, say))
  if (options.endpoints !== undefined) return load(options, options.endpoints, [])
  await using cluster = await startLocalCluster(options.nodes, { basePort: options.basePort })
  await load(options, cluster.endpoints, cluster.nodes)
}

async function load(
  options: Options,
  endpoints: readonly string[],
  nodes: readonly LocalNode[],
): Promise<void> {
  const rows: Row[] = []
  await measure(options, endpoints, nodes, (row) => {
    rows.push(row)
    if (options.json) console.log(JSON.stringify({ ...row, acknowledged: undefined }))
    else say(`${row.op} of ${row.valueBytes} B at ${row.inFlight}: ${row.opsPerSecond}/s`)
  })
  if (!options.json) console.log(tableOf(rows))
  await report(options, rows)
}

async function availability(options: Options): Promise<void> {
  const result = await measureAvailability(options, say)
  if (options.json) {
    console.log(JSON.stringify(result))
  } else {
    const table = tableWith(['second', 'puts', 'errors', 'event'], ['right', 'right', 'right', 'left'])
    for (const { second, acknowledged, errors, event } of result.seconds) {
      table.push([second, acknowledged, errors, event ?? ''])
    }
    console.log(table.toString())
    console.log(`without service: ${result.withoutServiceMs} ms`)
  }
  await report(options, [], result)
}

async function report(options: Options, rows: readonly Row[], result?: Availability): Promise<void> {
  if (options.report === undefined) return
  const about =
    `${options.nodes} nodes, Node ${process.version}, ${options.clients} client processes, ` +
    `${options.keysDistribution} keys, ${options.seconds} s each.`
  await writeFile(options.report, htmlReport(about, rows, result))
  say(`the report is in ${options.report}`)
}

function startUp(options: Options, results: Awaited<ReturnType<typeof measureStartUp>>): void {
  if (options.json) {
    for (const result of results) console.log(JSON.stringify(result))
    return
  }
  const table = tableWith(['start after', 'up, s', 'serves, s'], ['left', 'right', 'right'])
  for (const { after, up, serves } of results) table.push([after, up, serves])
  console.log(table.toString())
}

function printFigures(options: Options, results: object): void {
  if (options.json) return console.log(JSON.stringify(results))
  const table = tableWith(['what', ''], ['left', 'right'])
  table.push(...Object.entries(results))
  console.log(table.toString())
}

function tableWith(head: string[], colAligns: ('left' | 'right')[]): Table.Table {
  return new Table({ head, colAligns, style: { head: [], border: [] } })
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
