import { explainWindow, wholeWindow } from './explain.ts'
import { Search } from './search.ts'
import { findWindow, shrink, type StepBudget } from './shrink.ts'
import type { CheckResult, Model, Operation, Violation, Window } from './types.ts'

export interface CheckOptions {
  /** Steps until the check gives up, over all keys. Some more may go into making windows small. Default: 5 million. */
  readonly maxSteps?: number
}

/** Some seconds' work, and some hundred megabytes, at worst. */
const DEFAULT_MAX_STEPS = 5_000_000

/** What all windows of a history may take to become small. What is left then is shown as it is. */
const MOST_SHRINKING_STEPS = 1_000_000

/** A key that has taken so many steps is hard: then a window that shows a violation may be found more quickly. */
const HARD_FROM = 200_000

const STEPS_FOR_A_WINDOW = 500_000

/** How many steps a key gets before it is the next one's turn. */
const STEPS_A_TURN = 20_000

/**
 * Whether a history is linearizable (Herlihy and Wing, 1990): whether each operation can be thought to have happened
 * at one moment between its call and its return so that the answers are those of the model.
 *
 * Each key is looked at by itself, which is enough: a history is linearizable if and only if it is for every
 * object (Herlihy and Wing's locality; P-compositionality in Horn and Kroening, "Faster linearizability checking
 * via P-compositionality", 2015). The keys take turns, so that one hard key leaves steps for the others.
 *
 * @param history in any order. Reads of unknown outcome take no part.
 * @returns the verdict and, for each key that has no legal order, a smallest window that shows why
 */
export function check<State, Input, Output>(
  history: readonly Operation<Input, Output>[],
  model: Model<State, Input, Output>,
  { maxSteps = DEFAULT_MAX_STEPS }: CheckOptions = {},
): CheckResult<State, Input, Output> {
  const byKey = groupByKey(history)
  const { failed, undecided, steps } = searchKeys(byKey, model, maxSteps)
  const budget: StepBudget = { left: Math.min(maxSteps, MOST_SHRINKING_STEPS) }
  const violations: Violation<Input, Output>[] = failed.map(({ key, order, blocked, furthest, found }) => {
    const window = found ?? shrink(model, byKey.get(key)!, furthest, budget)
    const explanation = explainWindow(model, window)
    return { key, window, explanation, history: sorted(byKey.get(key)!), order, blocked }
  })
  for (const { operations, explanation } of model.checkWhole?.(history) ?? []) {
    // Such a key has its explanation already, and a better one.
    if (operations.every((operation) => failed.some(({ key }) => key === operation.key))) continue
    const keys = [...new Set(operations.map(({ key }) => key))]
    const window = wholeWindow(operations)
    violations.push({
      key: keys.join(', '),
      window,
      explanation,
      history: sorted(keys.flatMap((key) => byKey.get(key)!)),
      order: window.order,
      blocked: window.blocked,
    })
  }
  return {
    verdict: violations.length > 0 ? 'violation' : undecided.length > 0 ? 'undecided' : 'linearizable',
    violations,
    undecided,
    operations: history.length,
    keys: byKey.size,
    steps,
    model,
  }
}

/** A key without legal order, and how far the search came. */
interface Failed<Input, Output> {
  readonly key: string
  readonly order: readonly Operation<Input, Output>[]
  readonly blocked: Operation<Input, Output>
  /** By which return no order was left. */
  readonly furthest: number
  /** The window that showed it, where not the search did. */
  readonly found?: Window<Input, Output>
}

function groupByKey<O extends Operation>(history: readonly O[]): Map<string, O[]> {
  const byKey = new Map<string, O[]>()
  for (const operation of history) {
    const ofKey = byKey.get(operation.key)
    if (ofKey) ofKey.push(operation)
    else byKey.set(operation.key, [operation])
  }
  return byKey
}

function searchKeys<State, Input, Output>(
  byKey: ReadonlyMap<string, readonly Operation<Input, Output>[]>,
  model: Model<State, Input, Output>,
  maxSteps: number,
): { failed: Failed<Input, Output>[]; undecided: string[]; steps: number } {
  const failed: Failed<Input, Output>[] = []
  const undecided: string[] = []
  let steps = 0
  const waiting: [key: string, search: Search<State, Input, Output>][] = []
  const fail = (key: string, search: Search<State, Input, Output>, found?: Window<Input, Output>): void => {
    const { order, blocked, furthest } = search
    failed.push({ key, order, blocked: blocked!, furthest, ...(found && { found }) })
  }
  const turn = (key: string, search: Search<State, Input, Output>): void => {
    const before = search.steps
    const result = search.run(Math.min(STEPS_A_TURN, maxSteps - steps))
    steps += search.steps - before
    if (result === 'illegal') fail(key, search)
    if (result === 'exhausted') undecided.push(key)
    if (result !== 'running') return
    if (before < HARD_FROM && search.steps >= HARD_FROM) {
      const budget: StepBudget = { left: Math.min(STEPS_FOR_A_WINDOW, maxSteps - steps) }
      const before = budget.left
      const found = findWindow(model, byKey.get(key)!, search.furthest, budget)
      steps += before - budget.left
      if (found) return fail(key, search, found)
    }
    waiting.push([key, search])
  }
  for (const [key, operations] of byKey) turn(key, new Search(model, operations))
  while (waiting.length > 0 && steps < maxSteps) {
    for (const [key, search] of waiting.splice(0)) turn(key, search)
  }
  undecided.push(...waiting.map(([key]) => key))
  return { failed, undecided, steps }
}

function sorted<O extends Operation>(operations: readonly O[]): O[] {
  return [...operations].sort((a, b) => a.call - b.call)
}
