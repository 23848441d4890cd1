import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { Clients } from '../clients.ts'
import { startBalsa } from '../etcd/balsa-cluster.ts'
import type { BalsaCluster } from '../etcd/balsa-cluster.ts'
import { unaryRun } from '../etcd/pairs.ts'
import { missing } from '../etcd/preconditions.ts'
import { eventually, fill } from '../etcd/system.ts'
import { oneOf, wholeNumber } from '../values.ts'
import { selfTimes } from './top.ts'
import type { CpuProfile } from './top.ts'

interface Options {
  readonly op: 'put' | 'get'
  readonly unary?: boolean
  readonly inFlight: number
  readonly keys: number
  readonly valueBytes: number
  readonly warmUp: number
  readonly seconds: number
  readonly top: number
  readonly basePort: number
  readonly out: string
  readonly json?: boolean
}

const program = new Command('profile')
  .description(
    "What the leader's JavaScript does under load: a .cpuprofile, and its functions by their own time.",
  )
  .option('--op <name>', 'put or get (linearizable)', oneOf(['put', 'get'] as const), 'put')
  .option('--unary', 'unary calls under h2load instead of the client library')
  .option('--in-flight <n>', 'how many operations at a time', wholeNumber, 256)
  .option('--keys <n>', 'how many keys', wholeNumber, 100_000)
  .option('--value-bytes <n>', 'bytes of a value', wholeNumber, 256)
  .option('--warm-up <s>', 'seconds before the profile', wholeNumber, 3)
  .option('--seconds <s>', 'seconds of the profile', wholeNumber, 10)
  .option('--top <n>', 'how many functions are printed', wholeNumber, 30)
  .option(
    '--base-port <port>',
    'the lowest port of the cluster, or the next that are free',
    wholeNumber,
    21_001,
  )
  .option('--out <file>', 'where the profile is left', '.cache/profile/leader.cpuprofile')
  .option('--json', 'one JSON object instead of a table')
  .action(profile)

await program.parseAsync()

async function profile(options: Options): Promise<void> {
  if (options.unary) {
    const problem = await missing(tmpdir(), ['h2load'])
    if (problem !== undefined) {
      console.error(problem)
      process.exitCode = 1
      return
    }
  }
  const dir = await mkdtemp(join(tmpdir(), 'balsa-profile-'))
  try {
    // For the nodes: the cluster's processes inherit it, the clients' do not need it.
    const before = process.env.NODE_OPTIONS
    process.env.NODE_OPTIONS = [before, `--import ${new URL('preload.mjs', import.meta.url).href}`]
      .join(' ')
      .trim()
    process.env.PROFILES_OF_BENCH = dir
    await using cluster = await startBalsa(join(dir, 'cluster'), options.basePort)
    if (before === undefined) delete process.env.NODE_OPTIONS
    else process.env.NODE_OPTIONS = before
    delete process.env.PROFILES_OF_BENCH

    await fill(cluster, options.keys, options.valueBytes)
    const leader = await cluster.leader()
    const opsPerSecond = await load(options, cluster, dir, () => process.kill(leader.pid, 'SIGUSR2'))
    process.kill(leader.pid, 'SIGUSR2')
    const file = join(dir, `${leader.pid}.cpuprofile`)
    await eventually(() => Promise.resolve(existsSync(file) ? true : undefined))
    await mkdir(dirname(options.out), { recursive: true })
    await copyFile(file, options.out)
    if ((await cluster.leader()).id !== leader.id)
      throw new Error('the leader changed: the profile is of a follower')
    print(options, opsPerSecond, JSON.parse(await readFile(file, 'utf8')) as CpuProfile)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** @param begin is called when the warm-up is over @returns operations a second, while the profiler slows the leader */
async function load(
  options: Options,
  cluster: BalsaCluster,
  dir: string,
  begin: () => void,
): Promise<number> {
  const { op, inFlight, keys, valueBytes, warmUp, seconds } = options
  const timer: { atWarmUpsEnd?: NodeJS.Timeout } = {}
  const beginLater = (): void => void (timer.atWarmUpsEnd = setTimeout(begin, warmUp * 1000))
  try {
    if (options.unary) {
      beginLater()
      const run = { keys, valueBytes, warmUp, seconds, dir, processes: 4 }
      return (await unaryRun(cluster, op, inFlight, 1, run)).opsPerSecond
    }
    await using clients = new Clients(1)
    const task = { endpoints: cluster.endpoints, op, inFlight, keys, valueBytes, percent: 0 }
    const times = { warmUpMs: warmUp * 1000, measureMs: seconds * 1000 }
    const { row } = await clients.measure({ ...task, ...times, distribution: 'uniform' }, beginLater)
    return row.opsPerSecond
  } finally {
    clearTimeout(timer.atWarmUpsEnd)
  }
}

function print(options: Options, opsPerSecond: number, profile: CpuProfile): void {
  const top = selfTimes(profile).slice(0, options.top)
  if (options.json) return console.log(JSON.stringify({ op: options.op, opsPerSecond, top }))
  const table = new Table({
    head: ['own time, ms', '%', 'function', 'where'],
    colAligns: ['right', 'right', 'left', 'left'],
    style: { head: [], border: [], compact: true },
  })
  for (const { ms, share, name, where } of top) {
    table.push([ms.toFixed(0), (share * 100).toFixed(1), name, where])
  }
  console.log(table.toString())
  console.log(
    `${options.op} at ${options.inFlight} in flight, ${opsPerSecond.toLocaleString('en-US')} a second with the profiler on. ` +
      'Shares are of the main thread while it was not idle.\n' +
      `The profile is in ${options.out}: open it in Chrome's DevTools (Performance) or in https://speedscope.app`,
  )
}
