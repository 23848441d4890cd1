import { randomBytes } from 'node:crypto'
import Table from 'cli-table3'
import { Command } from 'commander'
import { BalsaClient } from '../src/index.ts'
import { measureBackup } from './backup.ts'
import { closedLoop } from './load.ts'
import type { LoadResult } from './load.ts'
import { startLocalCluster } from './local-cluster.ts'
import { measureSnapshot } from './snapshot.ts'
import { measureStartUp } from './start-up.ts'
import { listOf, oneOf, wholeNumber } from './values.ts'

interface Options {
  readonly nodes: number
  readonly keys: number
  readonly valueBytes: number
  readonly inFlight: readonly number[]
  readonly ops: readonly string[]
  readonly warmUp: number
  readonly seconds: number
  readonly endpoints?: readonly string[]
  readonly json?: boolean
  readonly startUp?: boolean
  readonly backup?: boolean
  readonly snapshot?: boolean
}

const OPS = ['put', 'get', 'stale-get']

const program = new Command('bench')
  .description(
    'Load on a cluster of this machine: closed loop, the client library, acknowledged operations only.',
  )
  .option('--nodes <n>', 'how many nodes', wholeNumber, 3)
  .option('--keys <n>', 'how many keys, chosen uniformly', wholeNumber, 100_000)
  .option('--value-bytes <n>', 'bytes of a value', wholeNumber, 256)
  .option('--in-flight <list>', 'how many operations at a time', listOf(wholeNumber), [1, 16, 64, 256, 1024])
  .option('--ops <list>', `which of ${OPS.join(', ')}`, listOf(oneOf(OPS)), ['put', 'get'])
  .option('--warm-up <s>', 'seconds before the measurement', wholeNumber, 3)
  .option('--seconds <s>', 'seconds of measurement', wholeNumber, 10)
  .option('--endpoints <list>', 'a running cluster instead of one of its own', listOf(String))
  .option('--json', 'one JSON object a line')
  .option('--start-up', 'how long a node with --keys keys takes to start, instead of load')
  .option(
    '--snapshot',
    'a node that comes back and is brought --keys keys, and what the others notice, instead of load',
  )
  .option('--backup', 'backup, verification and restore of --keys keys, instead of load')
  .action(bench)

await program.parseAsync()

async function bench(options: Options): Promise<void> {
  if (options.startUp) return startUp(options)
  if (options.backup) return backup(options)
  if (options.snapshot) return snapshot(options)
  if (options.endpoints !== undefined) return measure(options, options.endpoints)
  await using cluster = await startLocalCluster(options.nodes)
  await measure(options, cluster.endpoints)
}

async function startUp(options: Options): Promise<void> {
  const results = await measureStartUp(options, (text) => process.stderr.write(`${text}\n`))
  if (options.json) {
    for (const result of results) console.log(JSON.stringify(result))
    return
  }
  const table = new Table({
    head: ['start after', 'up, s', 'serves, s'],
    colAligns: ['left', 'right', 'right'],
    style: { head: [], border: [] },
  })
  for (const { after, up, serves } of results) table.push([after, up, serves])
  console.log(table.toString())
}

async function snapshot(options: Options): Promise<void> {
  printFigures(options, await measureSnapshot(options, (text) => process.stderr.write(`${text}\n`)))
}

async function backup(options: Options): Promise<void> {
  printFigures(options, await measureBackup(options, (text) => process.stderr.write(`${text}\n`)))
}

function printFigures(options: Options, results: object): void {
  if (options.json) return console.log(JSON.stringify(results))
  const table = new Table({
    head: ['what', ''],
    colAligns: ['left', 'right'],
    style: { head: [], border: [] },
  })
  table.push(...Object.entries(results))
  console.log(table.toString())
}

async function measure(options: Options, endpoints: readonly string[]): Promise<void> {
  await using client = new BalsaClient({ endpoints: [...endpoints] })
  const keys = Array.from({ length: options.keys }, (_, i) => Buffer.from(`key-${i}`))
  const values = Array.from({ length: 256 }, () => randomBytes(options.valueBytes))
  const anyOf = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)]!
  const run: Record<string, () => Promise<unknown>> = {
    put: () => client.put(anyOf(keys), anyOf(values)),
    get: () => client.get(anyOf(keys)),
    'stale-get': () => client.get(anyOf(keys), { consistency: 'stale' }),
  }
  await fill(client, keys, anyOf(values))
  const results: LoadResult[] = []
  for (const op of options.ops) {
    for (const inFlight of options.inFlight) {
      const before = await revisionOf(client, keys[0]!)
      const warmUpMs = options.warmUp * 1000
      const result = await closedLoop({
        op,
        inFlight,
        warmUpMs,
        measureMs: options.seconds * 1000,
        run: run[op]!,
      })
      const grown = (await revisionOf(client, keys[0]!)) - before
      if (op === 'put' && grown < result.acknowledged) {
        throw new Error(
          `${result.acknowledged} puts were acknowledged, but the revision grew by ${grown} only`,
        )
      }
      results.push(result)
      if (options.json) console.log(JSON.stringify({ ...result, acknowledged: undefined }))
      else process.stderr.write(`${op} at ${inFlight}: ${result.opsPerSecond}/s\n`)
    }
  }
  if (!options.json) console.log(tableOf(results))
}

/** Every key exists before anything is measured. */
async function fill(client: BalsaClient, keys: readonly Buffer[], value: Buffer): Promise<void> {
  for (let from = 0; from < keys.length; from += 1000) {
    await Promise.all(keys.slice(from, from + 1000).map((key) => client.put(key, value)))
  }
}

/** The store's revision, by a put that nobody else makes. */
async function revisionOf(client: BalsaClient, key: Buffer): Promise<number> {
  return (await client.put(key, 'bench')).revision
}

function tableOf(results: readonly LoadResult[]): string {
  const table = new Table({
    head: ['operation', 'in flight', 'ops/s', 'p50 ms', 'p95 ms', 'p99 ms', 'errors'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  })
  for (const { op, inFlight, opsPerSecond, p50, p95, p99, errors } of results) {
    table.push([op, inFlight, opsPerSecond, p50, p95, p99, errors])
  }
  return table.toString()
}
