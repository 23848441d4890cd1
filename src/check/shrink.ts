import { Search } from './search.ts'
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
 * Before that, the history is cut at both ends. After the first return that has no legal order: a beginning of a
 * linearizable history is linearizable. And as late as can be at the front, if what comes then has no legal order
 * whatever the key held when it began; what had been called by then, but not answered, becomes optional.
 */
export function shrink<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  budget: StepBudget,
): Window<Input, Output> {
  return new Shrinker(model, budget).shrink([...history].sort((a, b) => a.call - b.call))
}

class Shrinker<State, Input, Output> {
  readonly #model: Model<State, Input, Output>
  readonly #budget: StepBudget
  /** What the key holds before the first operation. */
  #start: State

  constructor(model: Model<State, Input, Output>, budget: StepBudget) {
    this.#model = model
    this.#budget = budget
    this.#start = model.initial
  }

  shrink(history: readonly Operation<Input, Output>[]): Window<Input, Output> {
    const beginning = this.#shortestBeginning(history)
    const { part, required } = this.#shortestEnd(beginning)
    const smallest = this.#smallest(part, required)
    const found = this.#contextOf(smallest.operations, part)
    const context = this.#answeredAgain(found, smallest.operations, history)
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

  /** The history up to the first return at which it is illegal; what is not answered by then is left out. */
  #shortestBeginning(history: readonly Operation<Input, Output>[]): readonly Operation<Input, Output>[] {
    const returns = history.flatMap((operation) => (isAnswered(operation) ? [operation.return] : []))
    returns.sort((a, b) => a - b)
    let shortest = history
    let low = 0
    let high = returns.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      const last = returns[middle]!
      const called = history.filter(({ call }) => call <= last)
      const isPending = (operation: Operation<Input, Output>): boolean =>
        isAnswered(operation) && operation.return > last
      const beginning = called.map((operation) => (isPending(operation) ? withoutEnd(operation) : operation))
      if (this.#run(beginning, []).result === 'illegal') {
        high = middle
        shortest = beginning
      } else {
        low = middle + 1
      }
    }
    return shortest
  }

  /**
   * The operations from as late on as they are illegal whatever the key held then. From the end backwards, in
   * steps that double: the fewer operations, the quicker the answer.
   */
  #shortestEnd(beginning: readonly Operation<Input, Output>[]): Part<Input, Output> {
    const answered = beginning.filter(isAnswered)
    const whole = { part: beginning, required: answered }
    const { anything } = this.#model
    if (anything === undefined) return whole
    const last = (count: number): Part<Input, Output> => {
      const since = answered[answered.length - count]!.call
      return {
        part: beginning.filter((each) => !isAnswered(each) || each.return >= since),
        required: answered.filter(({ call }) => call >= since),
      }
    }
    const isIllegal = ({ part, required }: Part<Input, Output>): boolean =>
      this.#run(part, without(part.filter(isAnswered), required)).result === 'illegal'
    this.#start = anything
    let count = 1
    while (count < answered.length && !isIllegal(last(count))) count = Math.min(2 * count, answered.length)
    if (count === answered.length && !isIllegal(last(count))) {
      this.#start = this.#model.initial
      return whole
    }
    let tooFew = Math.floor(count / 2)
    while (count - tooFew > 1) {
      const middle = (count + tooFew) >>> 1
      if (isIllegal(last(middle))) count = middle
      else tooFew = middle
    }
    return last(count)
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
      if (this.#isLegalWithout(one, needed, context)) continue
      const others = needed.filter((operation) => operation !== one)
      const { result, order } = this.#run(part, without(part.filter(isAnswered), others))
      certain &&= result === 'legal'
      context = [...new Set([...context, ...without(order, needed)])]
    }
    for (const candidate of [...context]) {
      const fewer = without(context, [candidate])
      if (certain && needed.every((one) => this.#isLegalWithout(one, needed, fewer))) context = fewer
    }
    return { operations: context.sort((a, b) => a.call - b.call), certain }
  }

  /** Gives a context its answers back that the beginning cut off, where it can do its work with them. */
  #answeredAgain(
    { operations, certain }: Found<Input, Output>,
    needed: readonly Operation<Input, Output>[],
    history: readonly Operation<Input, Output>[],
  ): Found<Input, Output> {
    const isSame = (a: Operation<Input, Output>, b: Operation<Input, Output>): boolean =>
      a.process === b.process && a.call === b.call && a.input === b.input
    const answered = operations.map((one) => history.find((other) => isSame(one, other)) ?? one)
    const fits = needed.every((one) => this.#isLegalWithout(one, needed, answered))
    return { operations: fits ? answered : operations, certain }
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
    const optional = new Set(leftOut)
    const isGone = (operation: Operation<Input, Output>): boolean =>
      optional.has(operation) && this.#model.observes(operation.input, operation.output)
    const remaining = history.filter((operation) => !isGone(operation))
    return new Search(this.#model, remaining, { optional, start: this.#start })
  }

  #run(history: readonly Operation<Input, Output>[], leftOut: readonly Operation<Input, Output>[]) {
    const search = this.#search(history, leftOut)
    const result = search.run(Math.min(MOST_STEPS_A_SEARCH, this.#budget.left))
    this.#budget.left -= search.steps
    return { result, order: result === 'legal' ? search.order : [] }
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

/** The operation as long as it has no answer. */
function withoutEnd<Input, Output>(operation: Operation<Input, Output>): Operation<Input, Output> {
  return { ...operation, output: undefined, return: Infinity }
}

function without<T>(all: readonly T[], some: readonly T[]): T[] {
  const excluded = new Set(some)
  return all.filter((one) => !excluded.has(one))
}
