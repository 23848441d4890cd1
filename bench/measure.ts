import { BalsaClient } from '../src/index.ts'
import { Clients } from './clients.ts'
import type { KeyDistribution } from './keys.ts'
import type { LoadResult } from './load.ts'
import type { LocalNode } from './local-cluster.ts'
import { usageOf } from './processes.ts'
import type { Usage } from './processes.ts'
import type { Op } from './workload.ts'

export interface MeasureOptions {
  readonly ops: readonly Op[]
  readonly inFlight: readonly number[]
  readonly clients: number
  readonly keys: number
  readonly keysDistribution: KeyDistribution
  readonly valueBytes: readonly number[]
  readonly percent: number
  /** Seconds. */
  readonly warmUp: number
  /** Seconds. */
  readonly seconds: number
}

/** What one process had a part in a row. */
export interface ProcessCost {
  readonly process: string
  readonly role: 'leader' | 'follower' | 'client'
  /** User and system time, in microseconds for each acknowledged operation of all clients. */
  readonly cpuUsPerOp: number
  /** Resident set at the end, in bytes. */
  readonly rssBytes: number
}

/** A row of results with what it cost. */
export interface Row extends LoadResult {
  readonly valueBytes: number
  readonly clients: number
  readonly keys: number
  readonly keysDistribution: KeyDistribution
  /** Of `mixed` and `recent`. */
  readonly percent?: number
  readonly processes: readonly ProcessCost[]
}

/** What all values together take at most: fewer keys are filled where values are large. */
const MAX_FILL_BYTES = 256 * 2 ** 20

/**
 * Measures every combination, one after the other on the same cluster.
 *
 * @param nodes the nodes where they run on this machine, for what they cost
 * @throws Error where the store's revision did not grow by what was acknowledged
 */
export async function measure(
  options: MeasureOptions,
  endpoints: readonly string[],
  nodes: readonly LocalNode[],
  onRow: (row: Row) => void,
): Promise<void> {
  await using client = new BalsaClient({ endpoints: [...endpoints] })
  await using clients = new Clients(options.clients)
  for (const valueBytes of options.valueBytes) {
    const keys = Math.max(1, Math.min(options.keys, Math.floor(MAX_FILL_BYTES / Math.max(1, valueBytes))))
    await fill(client, keys, Buffer.alloc(valueBytes, 'x'))
    for (const op of options.ops) {
      for (const inFlight of options.inFlight) {
        onRow(
          await measureRow({ ...options, keys, valueBytes, op, inFlight, endpoints }, client, clients, nodes),
        )
      }
    }
  }
}

type RowOptions = Omit<MeasureOptions, 'valueBytes' | 'inFlight'> & {
  readonly valueBytes: number
  readonly op: Op
  readonly inFlight: number
  readonly endpoints: readonly string[]
}

async function measureRow(
  options: RowOptions,
  client: BalsaClient,
  clients: Clients,
  nodes: readonly LocalNode[],
): Promise<Row> {
  const { op, inFlight, endpoints, keys, valueBytes, percent, keysDistribution } = options
  const before = await revisionOf(client)
  const costs = new Costs(nodes, clients.pids.slice(0, inFlight))
  let atWarmUpsEnd: NodeJS.Timeout | undefined
  const warmUpMs = options.warmUp * 1000
  const task = { endpoints, op, inFlight, keys, valueBytes, percent, distribution: keysDistribution }
  const { row, writes, firstError } = await clients.measure(
    { ...task, warmUpMs, measureMs: options.seconds * 1000 },
    () => (atWarmUpsEnd = setTimeout(() => costs.begin(), warmUpMs)),
  )
  clearTimeout(atWarmUpsEnd)
  const processes = costs.end(row.acknowledged, (await client.status()).leader)
  // The second of the two puts that asked for the revision is one more.
  const grown = (await revisionOf(client)) - before - 1
  if (grown < writes.acknowledged || grown > writes.begun) {
    throw new Error(
      `${writes.acknowledged} of ${writes.begun} writes were acknowledged, but the revision grew by ${grown}`,
    )
  }
  if (row.acknowledged === 0) throw new Error(`${op} at ${inFlight}: nothing was acknowledged: ${firstError}`)
  return {
    ...row,
    ...{ valueBytes, clients: Math.min(options.clients, inFlight), keys, keysDistribution },
    ...(op === 'mixed' || op === 'recent' ? { percent } : {}),
    processes,
  }
}

/** What the processes use between two moments. */
class Costs {
  readonly #nodes: readonly LocalNode[]
  readonly #clients: readonly number[]
  #before = new Map<number, Usage>()

  constructor(nodes: readonly LocalNode[], clients: readonly number[]) {
    this.#nodes = nodes
    this.#clients = clients
  }

  begin(): void {
    for (const pid of [...this.#nodes.map(({ pid }) => pid), ...this.#clients]) {
      const usage = usageOf(pid)
      if (usage) this.#before.set(pid, usage)
    }
  }

  end(operations: number, leader: string | null): ProcessCost[] {
    const nodes = this.#nodes.map(({ id, pid }) => {
      const role = id === leader ? ('leader' as const) : ('follower' as const)
      return { process: id, role, pid }
    })
    const clients = this.#clients.map((pid, i) => ({
      process: `client ${i + 1}`,
      role: 'client' as const,
      pid,
    }))
    const costs: ProcessCost[] = []
    for (const { process, role, pid } of [...nodes, ...clients]) {
      const [before, after] = [this.#before.get(pid), usageOf(pid)]
      if (!before || !after || operations === 0) continue
      const cpuUsPerOp = Math.round(((after.cpuMs - before.cpuMs) * 10_000) / operations) / 10
      costs.push({ process, role, cpuUsPerOp, rssBytes: after.rssBytes })
    }
    return costs
  }
}

/** Every key exists before anything is measured. */
async function fill(client: BalsaClient, keys: number, value: Buffer): Promise<void> {
  // A megabyte at a time, or a thousand keys.
  const batch = Math.max(1, Math.min(1000, Math.floor(2 ** 20 / Math.max(1, value.length))))
  for (let from = 0; from < keys; from += batch) {
    const count = Math.min(batch, keys - from)
    await client.putMany(Array.from({ length: count }, (_, i) => [`key-${from + i}`, value] as const))
  }
}

/** The store's revision, by a put of a key that no load uses. */
async function revisionOf(client: BalsaClient): Promise<number> {
  return (await client.put('bench', 'bench')).revision
}
