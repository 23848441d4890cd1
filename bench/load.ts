import { createHistogram } from 'node:perf_hooks'
import type { RecordableHistogram } from 'node:perf_hooks'

/** One row of results. Latencies in milliseconds. */
export interface LoadResult {
  readonly op: string
  readonly inFlight: number
  readonly opsPerSecond: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
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
}

/**
 * A closed loop: `inFlight` callers, each of which begins its next operation when its last one is answered.
 * What begins during the warm-up, or ends after the measured time, is not counted.
 */
export async function closedLoop(options: LoadOptions): Promise<LoadResult> {
  const latencies = createHistogram({ figures: 3 })
  const from = performance.now() + options.warmUpMs
  const until = from + options.measureMs
  const counts = { acknowledged: 0, errors: 0 }
  await Promise.all(
    Array.from({ length: options.inFlight }, () => caller(options.run, from, until, latencies, counts)),
  )
  return {
    op: options.op,
    inFlight: options.inFlight,
    opsPerSecond: Math.round(counts.acknowledged / (options.measureMs / 1000)),
    p50: milliseconds(latencies.percentile(50)),
    p95: milliseconds(latencies.percentile(95)),
    p99: milliseconds(latencies.percentile(99)),
    ...counts,
  }
}

async function caller(
  run: () => Promise<unknown>,
  from: number,
  until: number,
  latencies: RecordableHistogram,
  counts: { acknowledged: number; errors: number },
): Promise<void> {
  for (;;) {
    const begun = performance.now()
    if (begun >= until) return
    try {
      await run()
    } catch {
      if (begun >= from) counts.errors++
      continue
    }
    const ended = performance.now()
    if (begun < from || ended > until) continue
    counts.acknowledged++
    latencies.record(Math.max(1, Math.round((ended - begun) * 1000)))
  }
}

/** From microseconds, as the histogram has them. */
function milliseconds(microseconds: number): number {
  return Math.round(microseconds) / 1000
}
