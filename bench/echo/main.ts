import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { missing } from '../etcd/preconditions.ts'
import { readable, spreadOf } from '../statistics.ts'
import { wholeNumber } from '../values.ts'
import { Echo } from './echo.ts'
import type { Cost } from './echo.ts'

const WAYS = { 'grpc-js': 'grpc', 'straight from the stream': 'direct' }

interface Options {
  readonly seconds: number
  readonly inFlight: number
  readonly times: number
}

await new Command('bench:echo')
  .description(
    'What an empty unary call costs a server, by grpc-js and as Balsa does it, by turns under h2load.',
  )
  .option('--seconds <s>', 'seconds of each measurement', wholeNumber, 5)
  .option('--in-flight <n>', 'how many calls at a time', wholeNumber, 64)
  .option('--times <n>', 'how often each is measured', wholeNumber, 3)
  .action(main)
  .parseAsync()

async function main({ seconds, inFlight, times }: Options): Promise<void> {
  const problem = await missing(tmpdir(), ['h2load'])
  if (problem !== undefined) {
    console.error(problem)
    process.exitCode = 1
    return
  }
  const dir = await mkdtemp(join(tmpdir(), 'balsa-echo-'))
  const costs = new Map<string, Cost[]>()
  const servers = new Map<string, Echo>()
  try {
    for (const [name, way] of Object.entries(WAYS)) servers.set(name, await Echo.start(way))
    for (let time = 1; time <= times; time++) {
      for (const [name, server] of servers) {
        const cost = await server.measure({ seconds, inFlight, dir })
        costs.set(name, [...(costs.get(name) ?? []), cost])
        process.stderr.write(`${time} of ${times}: ${name} ${cost.perSecond}/s, ${readable(cost.cpuUs)} us\n`)
      }
    }
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()))
    await rm(dir, { recursive: true, force: true })
  }
  const table = new Table({
    head: [`an empty call on Node ${process.version}`, 'calls/s', 'CPU µs/call'],
    colAligns: ['left', 'right', 'right'],
    style: { head: [], border: [] },
  })
  for (const [name, all] of costs) {
    table.push([
      name,
      spreadOf(all.map(({ perSecond }) => perSecond)).median.toLocaleString('en-US'),
      readable(spreadOf(all.map(({ cpuUs }) => cpuUs)).median),
    ])
  }
  console.log(table.toString())
}
