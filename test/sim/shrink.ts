import type { PlanOptions, PlannedFault } from './plan.ts'
import { planOf } from './plan.ts'
import { run } from './run.ts'
import type { Breach } from './world.ts'

/** A run that still breaks the same rule, with less going wrong. */
export interface Shrunk {
  readonly options: PlanOptions
  readonly breach: Breach
  readonly faults: readonly PlannedFault[]
  /** How many runs that took. */
  readonly runs: number
}

/**
 * Makes a failing run smaller: it ends right after the breach, and every fault (and every group of them) is left
 * out whose absence changes nothing. Undefined: the seed does not fail.
 *
 * @param said is told how it goes
 * @param breachIn runs the seed with these options
 */
export async function shrink(
  seed: number,
  options: PlanOptions,
  said: (how: string) => void,
  breachIn = async (tried: PlanOptions) => (await run(planOf(seed, tried))).breach,
): Promise<Shrunk | undefined> {
  let runs = 0
  const breachOf = (tried: PlanOptions): Promise<Breach | undefined> => {
    runs++
    return breachIn(tried)
  }
  const first = await breachOf(options)
  if (first === undefined) return undefined
  let breach = first
  let best: PlanOptions = { ...options, only: planOf(seed, options).faults.map(({ number }) => number) }
  const attempt = async (tried: PlanOptions): Promise<boolean> => {
    const found = await breachOf(tried)
    if (found?.rule !== first.rule) return false
    breach = found
    best = tried
    said(
      `${tried.only!.length} faults, ${Math.round(tried.troubleMs ?? 0) / 1000} s: still broken, ${found.rule}`,
    )
    return true
  }
  const troubleMs = Math.ceil(Math.min(planOf(seed, options).troubleMs, breach.at + 1))
  await attempt({
    ...best,
    troubleMs,
    only: planOf(seed, best)
      .faults.filter(({ at }) => at <= breach.at)
      .map(({ number }) => number),
  })
  for (let size = Math.ceil(best.only!.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.only!.length;) {
      const only = best.only!.filter((_, position) => position < from || position >= from + size)
      if (!(await attempt({ ...best, only }))) from += size
    }
  }
  return { options: best, breach, faults: planOf(seed, best).faults, runs }
}
