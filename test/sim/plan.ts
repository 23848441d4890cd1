import { KV_LIMITS } from '../../src/kv/limits.ts'
import type { KvLimits } from '../../src/kv/limits.ts'
import type { RetentionPolicy } from '../../src/kv/retention.ts'
import { Dice } from './engine/dice.ts'
import type { Fault } from './faults/fault.ts'
import { FAULTS } from './faults/index.ts'

/** One thing that will go wrong. */
export interface PlannedFault {
  /** Its place in the whole plan; a shrunk plan keeps the places. */
  readonly number: number
  readonly fault: Fault
  readonly at: number
  readonly lastsMs: number
  readonly seed: number
}

/** Everything about a run that its seed decides before it begins. Times in milliseconds of virtual time. */
export interface Plan {
  readonly seed: number
  readonly nodes: number
  readonly heartbeatMs: number
  readonly electionMs: number
  readonly latencyMs: number
  readonly syncMs: number
  readonly slowestSyncMs: number
  readonly checkpointIntervalMs: number
  readonly logTailBytes: number
  readonly logKeepBytes: number
  readonly cacheBytes: number
  readonly limits: KvLimits
  readonly history: RetentionPolicy
  readonly clients: number
  /** Operations under way at a time, of each client. */
  readonly workers: number
  /** How long a worker waits after each operation, on average: it asks for less while the cluster is in trouble. */
  readonly thinkMs: number
  /** Instead, how many operations a second come up at each client, on average, whatever became of those before. */
  readonly arrivals: number | undefined
  readonly timeoutMs: number
  readonly keys: number
  /** Until when things go wrong. */
  readonly troubleMs: number
  readonly faults: readonly PlannedFault[]
}

export interface PlanOptions {
  /** How many nodes a cluster may have. */
  readonly nodes: readonly number[]
  /** The names of the faults to choose from; empty: none. */
  readonly faults: readonly string[]
  /** Default: at random, 30 s at the least. */
  readonly troubleMs?: number | undefined
  /** Only the faults with these numbers. Default: all. */
  readonly only?: readonly number[] | undefined
  /**
   * How many client operations come up in a simulated second, on average, whether those before were answered or not.
   * Default: workers wait for their answers, and think for a while that is drawn.
   */
  readonly rate?: number | undefined
}

export const ALL_FAULTS: readonly string[] = FAULTS.map(({ name }) => name)

export const DEFAULT_PLAN: PlanOptions = Object.freeze({ nodes: [1, 3, 5, 7], faults: ALL_FAULTS })

const SIZE_WEIGHTS: Readonly<Record<number, number>> = Object.freeze({ 1: 4, 3: 60, 5: 28, 7: 8 })

/** No seed has fewer kinds of fault than this, where there are as many to choose from. */
const LEAST_KINDS = 3

/** Before the first fault the cluster has this long to come up. */
const CALM_MS = 2500

/**
 * At a fixed rate each client has so many workers: what comes up while the cluster is in trouble waits for one, and
 * is asked soon after. More would leave more writes open at once than the checker can put in order.
 */
const WORKERS_AT_A_RATE = 4

/** What the seed stands for. */
export function planOf(seed: number, options: PlanOptions = DEFAULT_PLAN): Plan {
  const dice = Dice.of(seed, 'plan')
  const nodes = dice.weighted(options.nodes, (size) => SIZE_WEIGHTS[size] ?? 1)
  const heartbeatMs = dice.pick([50, 100, 100])
  const electionMs = heartbeatMs * dice.pick([4, 5, 8, 10])
  const troubleMs = Math.round(dice.between(30_000, 36_000))
  const clients = 2 + dice.below(3)
  const usualWorkers = 1 + dice.below(3)
  const thinkMs = dice.pick([40, 80, 150])
  const { rate } = options
  const syncMs = dice.pick([0.3, 1, 4])
  return {
    seed,
    nodes,
    heartbeatMs,
    electionMs,
    latencyMs: dice.pick([0.1, 0.3, 1, 5]),
    syncMs,
    slowestSyncMs: syncMs * dice.pick([10, 50]),
    checkpointIntervalMs: dice.pick([100, 500, 1000, 5000]),
    logTailBytes: dice.pick([1024, 8 * 1024, 1024 * 1024]),
    // Mostly so little that who was away for a moment needs a snapshot.
    logKeepBytes: Dice.of(seed, 'compaction').pick([0, 0, 1024, 4096, 1024 * 1024]),
    cacheBytes: dice.pick([0, 4096, 1024 * 1024]),
    limits: limitsOf(dice),
    history: historyOf(seed),
    clients,
    workers: rate === undefined ? usualWorkers : WORKERS_AT_A_RATE,
    thinkMs,
    arrivals: rate === undefined ? undefined : rate / clients,
    timeoutMs: dice.pick([1000, 3000, 5000]),
    keys: 2 + dice.below(5),
    troubleMs: options.troubleMs ?? troubleMs,
    faults: faultsOf(seed, nodes, options.troubleMs ?? troubleMs, options),
  }
}

function limitsOf(dice: Dice): KvLimits {
  const shortTtl = { minSessionTtlMs: 500, defaultSessionTtlMs: dice.pick([1000, 3000]) }
  return Object.freeze({
    ...KV_LIMITS,
    ...(dice.chance(0.4) && shortTtl),
    ...(dice.chance(0.15) && { maxSessions: 2 + dice.below(2) }),
  })
}

function historyOf(seed: number): RetentionPolicy {
  const dice = Dice.of(seed, 'history')
  return Object.freeze({
    historyRevisions: dice.pick([5, 50, 10_000]),
    historyMs: dice.pick([1, 3000, 300_000]),
    maxHistoryBytes: dice.pick([8 * 1024, 1024 * 1024]),
  })
}

function faultsOf(seed: number, nodes: number, troubleMs: number, options: PlanOptions): PlannedFault[] {
  const dice = Dice.of(seed, 'faults')
  const possible = FAULTS.filter(
    ({ name, leastNodes }) => options.faults.includes(name) && nodes >= leastNodes,
  )
  if (possible.length === 0) return []
  const kinds: Fault[] = []
  const wanted = Math.min(possible.length, LEAST_KINDS + dice.below(6))
  while (kinds.length < wanted) {
    const kind = dice.weighted(possible, ({ weight }) => weight)
    if (!kinds.includes(kind)) kinds.push(kind)
  }
  const gap = dice.pick([600, 1200, 2500])
  const planned: PlannedFault[] = []
  let at = CALM_MS
  // Each kind once before chance decides, so that none of them is left out.
  for (const first = [...kinds]; ;) {
    at += dice.exponential(gap)
    if (at >= troubleMs && first.length === 0) break
    const fault = first.shift() ?? dice.pick(kinds)
    const lastsMs = dice.heavyTailed(fault.lastsMs / 2, 1.5, fault.lastsMs * 5)
    const when = Math.min(at, troubleMs - 1)
    planned.push({ number: planned.length, fault, at: when, lastsMs, seed: dice.below(2 ** 32) })
  }
  return options.only === undefined ? planned : planned.filter(({ number }) => options.only!.includes(number))
}
