import { Search, type SearchState } from './search.ts'
import type { Model, Operation, Window } from './types.ts'

/** Steps to spend, shared by all who take from it. */
export interface StepBudget {
  left: number
}

/**
 * No single search takes more of the budget than this, so that one hard question does not use up what many easy
 * ones need.
 */
const MOST_STEPS_A_SEARCH = 100_000

/** What it costs to prepare a search, for each operation. */
const STEPS_TO_PREPARE = 10

/** After so many steps it is tried whether that is illegal even without the conditions of what has no answer. */
const QUICK = 10_000

/**
 * Makes of an illegal history of one key the smallest window that shows why: a set of operations without legal
 * order, in which every one is needed.
 *
 * What may be left out, and stay sound? Not simply any operation: without the write that a read saw, the read is
 * illegal for another reason, and the window shows nothing. So to leave an operation out means not to insist on it:
 * one that only observed is gone; one that may have changed something becomes optional, and may have happened as
 * it was answered or not at all. If the history had a legal order, what is left of it would have one too; so where
 * what is left has none, neither has the history.
 *
 * Leaving out more can only make more orders legal, so that one pass finds a smallest set (no proper subset of
 * which would do); chunks that halve make the pass short, as in delta debugging (Zeller and Hildebrandt, 2002).
 * Before that, the history is cut at both ends. After a return by which no order is left: a beginning of a
 * linearizable history is linearizable. And as late as can be at the front, if what comes then has no legal order
 * whatever the key held when it began. What runs at a cut becomes optional.
 *
 * @param furthest a return by which, probably, no order is left
 */
export function shrink<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  furthest: number,
  budget: StepBudget,
): Window<Input, Output> {
  const sorted = [...history].sort((a, b) => a.call - b.call)
  const shrinker = new Shrinker(model, sorted, budget)
  const part = shrinker.findAround(furthest) ?? shrinker.shortestBeginning()
  return shrinker.smallestWindow(part)
}

/**
 * Looks for a window without legal order in a history of which the search could not tell: a few operations around
 * where it stopped are looked through quickly, whatever came before them. Undefined where there is none.
 */
export function findWindow<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  furthest: number,
  budget: StepBudget,
): Window<Input, Output> | undefined {
  const sorted = [...history].sort((a, b) => a.call - b.call)
  const shrinker = new Shrinker(model, sorted, budget)
  const part = shrinker.findAround(furthest)
  return part && shrinker.smallestWindow(part)
}

class Shrinker<State, Input, Output> {
  readonly #model: Model<State, Input, Output>
  readonly #budget: StepBudget
  readonly #history: readonly Operation<Input, Output>[]
  /** What the key holds before the first operation. */
  #start: State

  /** @param history in the order of the calls */
  constructor(
    model: Model<State, Input, Output>,
    history: readonly Operation<Input, Output>[],
    budget: StepBudget,
  ) {
    this.#model = model
    this.#history = history
    this.#budget = budget
    this.#start = model.initial
  }

  /** The smallest window of a part of the history that is illegal. */
  smallestWindow({ part, required }: Part<Input, Output>): Window<Input, Output> {
    const smallest = this.#smallest(part, required)
    const context = this.#contextOf(smallest.operations, part)
    // What the context may have done it did, as far as it was answered: that makes the more natural order.
    const operations = [...smallest.operations, ...context.operations]
    const search = new Search(this.#model, operations, { start: this.#start })
    search.run(MOST_STEPS_A_SEARCH)
    return {
      operations: smallest.operations,
      context: context.operations,
      isAnyStart: this.#start !== this.#model.initial,
      order: search.order,
      blocked: search.blocked!,
      minimal: smallest.certain && context.certain,
    }
  }

  /**
   * As few as can be of the operations before a return that are illegal whatever the key held when they began. From
   * that return backwards, in steps that double: the fewer operations, the quicker the answer.
   */
  findAround(furthest: number): Part<Input, Output> | undefined {
    const beginning = this.#upTo(furthest)
    const { anything } = this.#model
    const answered = beginning.required
    const last = (count: number): Part<Input, Output> => {
      const since = answered[answered.length - count]!.call
      return {
        part: beginning.part.filter((each) => !isAnswered(each) || each.return >= since),
        required: answered.filter(({ call }) => call >= since),
      }
    }
    const alone = { ...beginning, required: answered.filter((each) => each.return === furthest) }
    if (this.#isIllegalAtOnce(alone)) return alone
    if (anything === undefined || answered.length === 0) return undefined
    this.#start = anything
    let count = 1
    while (count < answered.length && !this.#isIllegal(last(count)))
      count = Math.min(2 * count, answered.length)
    if (count === answered.length && !this.#isIllegal(last(count))) {
      this.#start = this.#model.initial
      return undefined
    }
    let tooFew = Math.floor(count / 2)
    while (count - tooFew > 1) {
      const middle = (count + tooFew) >>> 1
      if (this.#isIllegal(last(middle))) count = middle
      else tooFew = middle
    }
    return last(count)
  }

  /** The history up to the first return at which it is illegal. */
  shortestBeginning(): Part<Input, Output> {
    const returns = this.#history.filter(isAnswered).map((operation) => operation.return)
    returns.sort((a, b) => a - b)
    let shortest = this.#upTo(Infinity)
    let low = 0
    let high = returns.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      const beginning = this.#upTo(returns[middle]!)
      if (this.#isIllegal(beginning)) {
        high = middle
        shortest = beginning
      } else {
        low = middle + 1
      }
    }
    return shortest
  }

  /** What was called up to some time. What had no answer by then may have happened or not. */
  #upTo(last: number): Part<Input, Output> {
    const part = this.#history.filter(({ call }) => call <= last)
    return { part, required: part.filter((each) => isAnswered(each) && each.return <= last) }
  }

  /** Whether a part is illegal, and few steps tell. */
  #isIllegalAtOnce({ part, required }: Part<Input, Output>): boolean {
    const search = this.#search(part, without(part.filter(isAnswered), required))
    return this.#spend(search, QUICK) === 'illegal'
  }

  #isIllegal({ part, required }: Part<Input, Output>): boolean {
    return this.#run(part, without(part.filter(isAnswered), required)).result === 'illegal'
  }

  /** The answered operations without any of which the others have a legal order. */
  #smallest(
    part: readonly Operation<Input, Output>[],
    required: readonly Operation<Input, Output>[],
  ): Found<Input, Output> {
    const answered = part.filter(isAnswered)
    let needed = required
    let certain = true
    for (let size = Math.ceil(needed.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      certain = true
      for (let start = 0; start < needed.length;) {
        const fewer = [...needed.slice(0, start), ...needed.slice(start + size)]
        const { result } = this.#run(part, without(answered, fewer))
        if (result === 'illegal') needed = fewer
        else start += size
        certain &&= result === 'illegal' || result === 'legal'
      }
    }
    return { operations: needed, certain }
  }

  /** What else it takes for a legal order where a needed operation did not happen: often the write that was read. */
  #contextOf(
    needed: readonly Operation<Input, Output>[],
    part: readonly Operation<Input, Output>[],
  ): Found<Input, Output> {
    let context: Operation<Input, Output>[] = []
    let certain = true
    for (const one of needed) {
      if (this.#budget.left <= 0) return { operations: context, certain: false }
      if (this.#isLegalWithout(one, needed, context)) continue
      const others = needed.filter((operation) => operation !== one)
      const { result, order } = this.#run(part, without(part.filter(isAnswered), others))
      certain &&= result === 'legal'
      context = [...new Set([...context, ...without(order, needed)])]
    }
    for (const candidate of [...context]) {
      if (this.#budget.left <= 0) break
      const fewer = without(context, [candidate])
      if (certain && needed.every((one) => this.#isLegalWithout(one, needed, fewer))) context = fewer
    }
    return { operations: context.sort((a, b) => a.call - b.call), certain }
  }

  #isLegalWithout(
    one: Operation<Input, Output>,
    needed: readonly Operation<Input, Output>[],
    context: readonly Operation<Input, Output>[],
  ): boolean {
    return this.#run([...needed, ...context], [one, ...context]).result === 'legal'
  }

  /** @param leftOut operations that are not insisted on */
  #search(
    history: readonly Operation<Input, Output>[],
    leftOut: readonly Operation<Input, Output>[],
  ): Search<State, Input, Output> {
    this.#budget.left -= history.length * STEPS_TO_PREPARE
    const optional = new Set(leftOut)
    const isGone = (operation: Operation<Input, Output>): boolean =>
      optional.has(operation) && this.#model.observes(operation.input, operation.output)
    const remaining = history.filter((operation) => !isGone(operation))
    return new Search(this.#model, remaining, { optional, start: this.#start })
  }

  #run(
    history: readonly Operation<Input, Output>[],
    leftOut: readonly Operation<Input, Output>[],
  ): { result: SearchState; order: readonly Operation<Input, Output>[] } {
    if (this.#budget.left <= 0) return { result: 'running', order: [] }
    const search = this.#search(history, leftOut)
    let result = this.#spend(search, QUICK)
    if (result === 'running' && this.#isIllegalLoosened(history, leftOut)) result = 'illegal'
    if (result === 'running') result = this.#spend(search, MOST_STEPS_A_SEARCH)
    return { result, order: result === 'legal' ? search.order : [] }
  }

  #isIllegalLoosened(
    history: readonly Operation<Input, Output>[],
    leftOut: readonly Operation<Input, Output>[],
  ): boolean {
    if (!this.#model.loosen) return false
    const loosened = history.map((each) =>
      isAnswered(each) ? each : { ...each, input: this.#model.loosen!(each.input) },
    )
    return this.#spend(this.#search(loosened, leftOut), MOST_STEPS_A_SEARCH) === 'illegal'
  }

  #spend(search: Search<State, Input, Output>, most: number): SearchState {
    const before = search.steps
    const result = search.run(Math.min(most, Math.max(0, this.#budget.left)))
    this.#budget.left -= search.steps - before
    return result
  }
}

interface Part<Input, Output> {
  readonly part: readonly Operation<Input, Output>[]
  /** Those of them that must have happened. */
  readonly required: readonly Operation<Input, Output>[]
}

interface Found<Input, Output> {
  readonly operations: readonly Operation<Input, Output>[]
  /** Whether no search that mattered ended for want of steps. */
  readonly certain: boolean
}

function isAnswered({ output }: Operation): boolean {
  return output !== undefined
}

function without<T>(all: readonly T[], some: readonly T[]): T[] {
  const excluded = new Set(some)
  return all.filter((one) => !excluded.has(one))
}
