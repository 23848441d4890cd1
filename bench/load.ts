import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import type { Histogram } from 'hdr-histogram-js'

/** One row of results. Latencies in milliseconds. */
export interface LoadResult {
  readonly op: string
  readonly inFlight: number
  readonly opsPerSecond: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly p999: number
  /** Operations that failed; they count for nothing else. */
  readonly errors: number
  /** Acknowledged within the measured time. */
  readonly acknowledged: number
}

export interface LoadOptions {
  readonly op: string
  readonly inFlight: number
  readonly warmUpMs: number
  readonly measureMs: number
  /** One operation, whatever it is. */
  readonly run: () => Promise<unknown>
  /** Milliseconds; the clock of this process unless a test has its own. */
  readonly now?: () => number
}

/** What a closed loop counted, in a form that goes from one process to another. */
export interface Counted {
  readonly acknowledged: number
  readonly errors: number
  /** The first error's text, where there was one. */
  readonly firstError?: string | undefined
  /** An HDR histogram of microseconds, as base64. */
  readonly latencies: string
}

interface Counts {
  acknowledged: number
  errors: number
  firstError: string | undefined
  readonly latencies: Histogram
}

/**
 * A closed loop: `inFlight` callers, each of which begins its next operation when its last one is answered.
 * What begins during the warm-up, or ends after the measured time, is not counted.
 */
export async function count(options: LoadOptions): Promise<Counted> {
  const counts: Counts = { acknowledged: 0, errors: 0, firstError: undefined, latencies: newHistogram() }
  const now = options.now ?? (() => performance.now())
  const from = now() + options.warmUpMs
  const until = from + options.measureMs
  await Promise.all(
    Array.from({ length: options.inFlight }, () => caller({ run: options.run, now, from, until }, counts)),
  )
  return { ...counts, latencies: encodeIntoCompressedBase64(counts.latencies) }
}

/** A closed loop of this process alone, as a row. */
export async function closedLoop(options: LoadOptions): Promise<LoadResult> {
  return resultOf(options, [await count(options)])
}

/** The row that several closed loops give that ran at the same time. */
export function resultOf(
  what: Pick<LoadOptions, 'op' | 'inFlight' | 'measureMs'>,
  parts: readonly Counted[],
): LoadResult {
  const latencies = newHistogram()
  let acknowledged = 0
  let errors = 0
  for (const part of parts) {
    acknowledged += part.acknowledged
    errors += part.errors
    latencies.add(decodeFromCompressedBase64(part.latencies))
  }
  const percentile = (percent: number): number => milliseconds(latencies.getValueAtPercentile(percent))
  return {
    op: what.op,
    inFlight: what.inFlight,
    opsPerSecond: Math.round(acknowledged / (what.measureMs / 1000)),
    p50: percentile(50),
    p95: percentile(95),
    p99: percentile(99),
    p999: percentile(99.9),
    errors,
    acknowledged,
  }
}

/** One microsecond to ten minutes, three digits. */
function newHistogram(): Histogram {
  return build({ highestTrackableValue: 600_000_000, numberOfSignificantValueDigits: 3 })
}

interface Plan {
  readonly run: () => Promise<unknown>
  readonly now: () => number
  readonly from: number
  readonly until: number
}

async function caller({ run, now, from, until }: Plan, counts: Counts): Promise<void> {
  for (;;) {
    const begun = now()
    if (begun >= until) return
    try {
      await run()
    } catch (error) {
      if (begun >= from) counts.errors++
      counts.firstError ??= String(error)
      continue
    }
    const ended = now()
    if (begun < from || ended > until) continue
    counts.acknowledged++
    counts.latencies.recordValue(Math.max(1, Math.round((ended - begun) * 1000)))
  }
}

/** From microseconds, as the histogram has them. */
function milliseconds(microseconds: number): number {
  return Math.round(microseconds) / 1000
}
