import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BalsaClient } from '../src/index.ts'
import { startBalsa } from './etcd/balsa-cluster.ts'
import { fill } from './etcd/system.ts'
import { silence } from './silence.ts'
import type { Acknowledgement } from './silence.ts'
import { workloadOf } from './workload.ts'
import type { KeyDistribution } from './keys.ts'

export interface AvailabilityOptions {
  readonly keys: number
  readonly keysDistribution: KeyDistribution
  readonly valueBytes: readonly number[]
  readonly inFlight: readonly number[]
  /** Of each of the three phases: before the kill, without the node, and with the node back. */
  readonly seconds: number
}

/** One second of the closed loop. */
export interface Second {
  /** From 1. */
  readonly second: number
  readonly acknowledged: number
  readonly errors: number
  /** What happened in it: `leader killed`, `node started again`. */
  readonly event?: string
}

/** Throughput over time, and how long there was no acknowledgement at all. */
export interface Availability {
  readonly inFlight: number
  readonly seconds: readonly Second[]
  /** Of a put every ten milliseconds through the same client, in milliseconds. */
  readonly withoutServiceMs: number
}

/** Counts by the second since it began. */
export class Timeline {
  readonly #acknowledged: number[]
  readonly #errors: number[]
  readonly #events = new Map<number, string>()

  constructor(seconds: number) {
    this.#acknowledged = new Array<number>(seconds).fill(0)
    this.#errors = new Array<number>(seconds).fill(0)
  }

  /** @param ms since the begin; what is later than the last second is not counted */
  count(ms: number, acknowledged: boolean): void {
    const second = Math.floor(ms / 1000)
    const counts = acknowledged ? this.#acknowledged : this.#errors
    if (second < counts.length) counts[second]!++
  }

  /** @param ms since the begin */
  note(ms: number, event: string): void {
    this.#events.set(Math.floor(ms / 1000), event)
  }

  /** One row for each second. */
  rows(): Second[] {
    return this.#acknowledged.map((acknowledged, i) => {
      const event = this.#events.get(i)
      return {
        second: i + 1,
        acknowledged,
        errors: this.#errors[i]!,
        ...(event === undefined ? {} : { event }),
      }
    })
  }
}

/**
 * A closed loop of puts through one client of the library while the leader is killed with kill -9, and comes back; and
 * beside it a put every ten milliseconds, for the gap.
 */
export async function measureAvailability(
  options: AvailabilityOptions,
  say: (text: string) => void,
): Promise<Availability> {
  const dir = await mkdtemp(join(tmpdir(), 'balsa-availability-'))
  try {
    await using cluster = await startBalsa(join(dir, 'cluster'))
    const valueBytes = options.valueBytes[0]!
    const inFlight = options.inFlight[0]!
    await fill(cluster, options.keys, valueBytes)
    await using client = new BalsaClient({ endpoints: [...cluster.endpoints] })
    const workload = { keys: options.keys, valueBytes, distribution: options.keysDistribution, percent: 100 }
    const { run } = workloadOf('put', client, workload)
    const timeline = new Timeline(3 * options.seconds)
    const began = performance.now()
    const since = (): number => performance.now() - began
    const until = 3 * options.seconds * 1000
    const caller = async (): Promise<void> => {
      while (since() < until) {
        const acknowledged = await run().then(
          () => true,
          () => false,
        )
        timeline.count(since(), acknowledged)
      }
    }
    const acknowledgements: Acknowledgement[] = []
    const probe = async (): Promise<void> => {
      const from = performance.now()
      await client.put('probe', 'probe')
      acknowledgements.push({ began: from, ended: performance.now() })
    }
    const timer = setInterval(() => void probe().catch(() => undefined), 10)
    try {
      const load = Promise.all(Array.from({ length: inFlight }, caller))
      await pause(options.seconds * 1000)
      const leader = await cluster.leader()
      const killedAt = performance.now()
      timeline.note(since(), 'leader killed')
      say(`killing ${leader.id}, the leader`)
      await cluster.kill(leader)
      await pause(options.seconds * 2000 - since())
      timeline.note(since(), 'node started again')
      say(`starting ${leader.id} again`)
      cluster.start(leader)
      await load
      const withoutServiceMs = Math.round(silence(acknowledgements, killedAt))
      return { inFlight, seconds: timeline.rows(), withoutServiceMs }
    } finally {
      clearInterval(timer)
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
