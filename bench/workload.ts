import { randomBytes } from 'node:crypto'
import type { BalsaClient } from '../src/index.ts'
import { chooserOf } from './keys.ts'
import type { KeyDistribution } from './keys.ts'

/** What a caller does over and over. */
export const OPS = Object.freeze(['put', 'get', 'stale-get', 'mixed', 'recent'] as const)

/** One of OPS. */
export type Op = (typeof OPS)[number]

export interface WorkloadOptions {
  readonly keys: number
  readonly valueBytes: number
  readonly distribution: KeyDistribution
  /**
   * Of `mixed`: how many of a hundred operations are puts; the others are linearizable gets. Of `recent`: how many are
   * a put and then a linearizable get of the same key, in one; the others are gets of any key.
   */
  readonly percent: number
}

/** An operation, and how many writes it has made so far, counted from the begin. */
export interface Workload {
  readonly run: () => Promise<unknown>
  readonly writes: { begun: number; acknowledged: number }
}

type Store = Pick<BalsaClient, 'put' | 'get'>

/** Values are 256 different ones, made beforehand: what is measured is not the making of random bytes. */
export function workloadOf(op: Op, client: Store, options: WorkloadOptions, random = Math.random): Workload {
  const choose = chooserOf(options.distribution, options.keys, random)
  const names = Array.from({ length: options.keys }, (_, i) => Buffer.from(`key-${i}`))
  const values = Array.from({ length: 256 }, () => randomBytes(options.valueBytes))
  const writes = { begun: 0, acknowledged: 0 }
  const put = async (key: Buffer): Promise<number> => {
    const value = values[writes.begun++ % values.length]!
    const { revision } = await client.put(key, value)
    writes.acknowledged++
    return revision
  }
  const get = () => client.get(names[choose()]!)
  const recent = async (): Promise<void> => {
    const key = names[choose()]!
    const revision = await put(key)
    const entry = await client.get(key)
    if (entry === undefined || entry.modRevision < revision) {
      throw new Error(`a read after the write of revision ${revision} did not see it`)
    }
  }
  const chance = (): boolean => random() * 100 < options.percent
  const runs: Record<Op, () => Promise<unknown>> = {
    put: () => put(names[choose()]!),
    get,
    'stale-get': () => client.get(names[choose()]!, { consistency: 'stale' }),
    mixed: () => (chance() ? put(names[choose()]!) : get()),
    recent: () => (chance() ? recent() : get()),
  }
  return { run: runs[op], writes }
}
