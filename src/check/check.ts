import { explainWindow, wholeWindow } from './explain.ts'
import { Search } from './search.ts'
import { shrink, type StepBudget } from './shrink.ts'
import type { CheckResult, Model, Operation, Violation } from './types.ts'

export interface CheckOptions {
  /** Steps until the check gives up, over all keys. Some more may go into making windows small. Default: 20 million. */
  readonly maxSteps?: number
}

/** A few seconds' work, and at most about as many bytes times a hundred. */
const DEFAULT_MAX_STEPS = 20_000_000

/** What all windows of a history may take to become small. What is left then is shown as it is. */
const MOST_SHRINKING_STEPS = 3_000_000

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
  const violations: Violation<Input, Output>[] = failed.map(({ key, order, blocked }) => {
    const window = shrink(model, byKey.get(key)!, budget)
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
  const turn = (key: string, search: Search<State, Input, Output>): void => {
    const before = search.steps
    const result = search.run(Math.min(STEPS_A_TURN, maxSteps - steps))
    steps += search.steps - before
    if (result === 'illegal') failed.push({ key, order: search.order, blocked: search.blocked! })
    if (result === 'exhausted') undecided.push(key)
    if (result === 'running') waiting.push([key, search])
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
