import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { listOf, oneOf, wholeNumber } from '../values.ts'
import { startBalsa } from './balsa-cluster.ts'
import type { BalsaCluster } from './balsa-cluster.ts'
import { startEtcd } from './etcd-cluster.ts'
import { silenceOfKill } from './gap.ts'
import { libraryRun, settle, unaryRun } from './pairs.ts'
import type { Op, Run } from './pairs.ts'
import { missing } from './preconditions.ts'
import { ratiosOf, ratioTable, runTable, silenceTable, throughputPlot } from './report.ts'
import { fill } from './system.ts'
import type { System } from './system.ts'

type Part = 'a' | 'b' | 'c'

interface Options {
  readonly parts: readonly Part[]
  readonly ops: readonly Op[]
  readonly inFlight: readonly number[]
  readonly pairs: number
  readonly keys: number
  readonly valueBytes: number
  readonly warmUp: number
  readonly seconds: number
  readonly kills: number
  readonly processes: number
  readonly basePort: number
  readonly etcdBasePort: number
  readonly dir: string
  readonly plot?: string
  readonly json?: boolean
}

const program = new Command('bench:etcd')
  .description(
    'Balsa beside etcd on this machine, three nodes each, alternating. The parts: (a) unary calls, both under ' +
      "h2load; (b) Balsa's client library, whose calls share messages, against the best that etcd did in (a), whose " +
      'calls each are a request of their own; (c) the time without service after kill -9 of the leader.',
  )
  .option('--parts <list>', 'which of a, b, c', listOf(oneOf<Part>(['a', 'b', 'c'])), ['a', 'b', 'c'])
  .option('--ops <list>', 'which of put, get (linearizable)', listOf(oneOf<Op>(['put', 'get'])), [
    'put',
    'get',
  ])
  .option('--in-flight <list>', 'how many operations at a time', listOf(wholeNumber), [1, 16, 64, 256, 1024])
  .option('--pairs <n>', 'how many times each is measured, on fresh clusters each time', wholeNumber, 5)
  .option('--keys <n>', 'how many keys', wholeNumber, 100_000)
  .option('--value-bytes <n>', 'bytes of a value', wholeNumber, 256)
  .option('--warm-up <s>', 'seconds before each measurement', wholeNumber, 3)
  .option('--seconds <s>', 'seconds of each measurement', wholeNumber, 10)
  .option('--kills <n>', 'how many times each leader is killed', wholeNumber, 20)
  .option('--processes <n>', 'h2load processes: one connection and one random key each', wholeNumber, 4)
  .option('--base-port <port>', "Balsa's lowest port, or the next that are free", wholeNumber, 21_001)
  .option('--etcd-base-port <port>', "etcd's lowest port, or the next that are free", wholeNumber, 23_790)
  .option('--dir <folder>', 'where both put their data: on a disk, not in memory', tmpdir())
  .option('--plot <file>', 'a picture of the throughput besides (SVG)')
  .option('--json', 'one JSON object instead of tables')
  .action(main)

await program.parseAsync()

async function main(options: Options): Promise<void> {
  const problem = await missing(options.dir)
  if (problem !== undefined) {
    console.error(problem)
    process.exitCode = 1
    return
  }
  const interruption = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort())
  const results: Results = { runs: [], silences: { etcd: [], balsa: [] } }
  try {
    await measure(options, results, interruption.signal)
  } catch (error) {
    // What was measured until then is printed, and both clusters have ended.
    if (!interruption.signal.aborted) {
      say(`ended early: ${error instanceof Error ? error.message : String(error)}`)
      process.exitCode = 1
    }
  }
  await print(options, results)
}

interface Results {
  readonly runs: Run[]
  readonly silences: { readonly etcd: number[]; readonly balsa: number[] }
}

async function measure(options: Options, results: Results, signal: AbortSignal): Promise<void> {
  const pairs = options.parts.some((part) => part !== 'c') ? options.pairs : 0
  for (let pair = 1; pair <= pairs; pair++) {
    say(`pair ${pair} of ${pairs}`)
    await withBoth(options, (etcd, balsa, dir) =>
      measurePair(options, { etcd, balsa, dir, pair, signal }, results.runs),
    )
  }
  if (!options.parts.includes('c')) return
  const { silences } = results
  await withBoth(options, async (etcd, balsa) => {
    for (let kill = 1; kill <= options.kills; kill++) {
      for (const [system, figures] of [[etcd, silences.etcd] as const, [balsa, silences.balsa] as const]) {
        await settle([etcd, balsa])
        signal.throwIfAborted()
        figures.push(Math.round(await silenceOfKill(system, options.valueBytes)))
        say(`kill ${kill} of ${options.kills}: ${system.name} ${figures.at(-1)!} ms without service`)
      }
    }
  })
}

/** A fresh cluster of each, filled alike, on the same file system. */
async function withBoth(
  options: Options,
  use: (etcd: System, balsa: BalsaCluster, dir: string) => Promise<void>,
): Promise<void> {
  const dir = await mkdtemp(join(options.dir, 'balsa-etcd-'))
  try {
    await using etcd = await startEtcd(join(dir, 'etcd'), options.etcdBasePort)
    await using balsa = await startBalsa(join(dir, 'balsa'), options.basePort)
    await fill(etcd, options.keys, options.valueBytes)
    await fill(balsa, options.keys, options.valueBytes)
    await use(etcd, balsa, dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

interface PairOfSystems {
  readonly etcd: System
  readonly balsa: BalsaCluster
  readonly dir: string
  readonly pair: number
  readonly signal: AbortSignal
}

async function measurePair(
  options: Options,
  { etcd, balsa, dir, pair, signal }: PairOfSystems,
  runs: Run[],
): Promise<void> {
  const wanted = { ...options, dir }
  const turn = async (run: () => Promise<Run>): Promise<void> => {
    await settle([etcd, balsa])
    signal.throwIfAborted()
    const done = await run()
    runs.push(done)
    say(`${done.system} ${done.load} ${done.op} at ${done.inFlight}: ${done.opsPerSecond}/s`)
  }
  for (const op of options.ops) {
    for (const inFlight of options.inFlight) {
      // (b) is measured against etcd's figure of (a), so etcd has its turn in any case.
      await turn(() => unaryRun(etcd, op, inFlight, pair, wanted))
      if (options.parts.includes('a')) await turn(() => unaryRun(balsa, op, inFlight, pair, wanted))
      if (options.parts.includes('b')) await turn(() => libraryRun(balsa, op, inFlight, pair, wanted))
    }
  }
}

async function print(options: Options, { runs, silences }: Results): Promise<void> {
  if (options.plot !== undefined && runs.length > 0) await writeFile(options.plot, throughputPlot(runs))
  const ratios = ratiosOf(runs)
  if (options.json) {
    const node = process.version
    const { seconds, warmUp, keys, valueBytes, processes } = options
    const settings = { node, seconds, warmUp, keys, valueBytes, processes }
    console.log(JSON.stringify({ ratios, silences, runs, settings }))
    return
  }
  if (runs.length > 0) {
    console.log(ratioTable(ratios))
    console.log(
      "unary: both under h2load, pair by pair. library: Balsa's client library, whose calls share messages, in\n" +
        'the best that etcd did with single requests in any pair: that compares coalesced with single requests.\n',
    )
    console.log(runTable(runs))
  }
  if (silences.etcd.length > 0) console.log(silenceTable(silences))
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
