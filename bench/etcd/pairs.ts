import { randomBytes, randomInt } from 'node:crypto'
import { BalsaClient } from '../../src/index.ts'
import { closedLoop } from '../load.ts'
import { untilQuiet, usageOf } from '../processes.ts'
import type { BalsaCluster } from './balsa-cluster.ts'
import { unaryLoad } from './h2load.ts'
import type { UnaryResult } from './h2load.ts'
import { keyName } from './system.ts'
import type { System } from './system.ts'

/** What one system did at one number in flight, and what its leader used for it. */
export interface Run {
  readonly pair: number
  readonly system: string
  /** unary: h2load; library: the client library's closed loop. */
  readonly load: 'unary' | 'library'
  readonly op: string
  readonly inFlight: number
  readonly opsPerSecond: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly errors: number
  /** User and system time of the leader's process, in microseconds for each acknowledged operation. */
  readonly leaderCpuUs: number | undefined
  /** What the leader's process held at the end, in bytes. */
  readonly leaderRssBytes: number | undefined
}

export interface RunOptions {
  readonly keys: number
  readonly valueBytes: number
  readonly warmUp: number
  readonly seconds: number
  readonly dir: string
  /** How many h2load processes, of one connection and one key each. */
  readonly processes: number
}

export type Op = 'put' | 'get'

type Measured = Omit<UnaryResult, 'p999' | 'dataBytes'>

/** Runs h2load against the leader. @throws Error where the answers do not add up */
export async function unaryRun(
  system: System,
  op: Op,
  inFlight: number,
  pair: number,
  options: RunOptions,
): Promise<Run> {
  const method = system[op]
  const messages = Array.from({ length: Math.min(options.processes, inFlight) }, () => {
    const key = keyName(randomInt(options.keys))
    return method.requestSerialize(op === 'put' ? { key, value: randomBytes(options.valueBytes) } : { key })
  })
  const { address } = await system.leader()
  const load = { address, path: method.path, messages, inFlight, dir: options.dir }
  if (options.warmUp > 0) await unaryLoad({ ...load, seconds: options.warmUp })
  return observed(system, { pair, op, inFlight, load: 'unary' }, async () => {
    const result = await unaryLoad({ ...load, seconds: options.seconds })
    // An answer that only says what went wrong is 200 for HTTP, and has no body.
    if (op === 'get' && result.dataBytes < result.acknowledged * options.valueBytes) {
      throw new Error(`${system.name} answered gets without the value`)
    }
    return result
  })
}

/** Runs the client library's closed loop, keys chosen uniformly. @throws Error where the answers do not add up */
export async function libraryRun(
  system: BalsaCluster,
  op: Op,
  inFlight: number,
  pair: number,
  options: RunOptions,
): Promise<Run> {
  await using client = new BalsaClient({ endpoints: [...system.endpoints] })
  const keys = Array.from({ length: options.keys }, (_, i) => keyName(i))
  const values = Array.from({ length: 256 }, () => randomBytes(options.valueBytes))
  const anyOf = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)]!
  const run = op === 'put' ? () => client.put(anyOf(keys), anyOf(values)) : () => client.get(anyOf(keys))
  if (options.warmUp > 0) {
    await closedLoop({ op, inFlight, warmUpMs: 0, measureMs: options.warmUp * 1000, run })
  }
  // Awaited here: the client is closed when this function ends.
  return await observed(system, { pair, op, inFlight, load: 'library' }, () =>
    closedLoop({ op, inFlight, warmUpMs: 0, measureMs: options.seconds * 1000, run }),
  )
}

async function observed(
  system: System,
  what: Pick<Run, 'pair' | 'inFlight' | 'load'> & { op: Op },
  measure: () => Promise<Measured>,
): Promise<Run> {
  const leader = await system.leader()
  const revision = await settledRevision(system)
  const before = usageOf(leader.pid)
  const { opsPerSecond, p50, p95, p99, errors, acknowledged } = await measure()
  const after = usageOf(leader.pid)
  const grown = (await system.revision()) - revision
  if (acknowledged === 0) throw new Error(`${system.name} acknowledged nothing (${errors} errors)`)
  // What was under way at the end may have been applied, but is not counted: so many at most, and no more.
  const most = what.op === 'put' ? acknowledged + errors + what.inFlight : 0
  if (grown < (what.op === 'put' ? acknowledged : 0) || grown > most) {
    throw new Error(`${system.name}: ${acknowledged} ${what.op}s acknowledged, the revision grew by ${grown}`)
  }
  const cpu = before && after ? ((after.cpuMs - before.cpuMs) * 1000) / acknowledged : undefined
  return {
    ...what,
    system: system.name,
    ...{ opsPerSecond, p50, p95, p99, errors },
    leaderCpuUs: cpu,
    leaderRssBytes: after?.rssBytes,
  }
}

/** The revision when nothing grows it any more: what a warm-up left under way is still applied after its end. */
async function settledRevision(system: System): Promise<number> {
  for (let before = await system.revision(); ;) {
    await new Promise((resolve) => setTimeout(resolve, 200))
    const now = await system.revision()
    if (now === before) return now
    before = now
  }
}

/** The system that was measured last has its background work done before the other's turn. */
export async function settle(systems: readonly System[]): Promise<void> {
  await untilQuiet(
    systems.flatMap((system) => system.members().map(({ pid }) => pid)),
    10_000,
  )
}
