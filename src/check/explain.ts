import type { Model, Operation, Window } from './types.ts'

/** Of more operations, only the last are named. */
const MOST_TOLD = 12

/** The window of two operations that contradict each other whatever the others did. */
export function wholeWindow<Input, Output>(
  pair: readonly [Operation<Input, Output>, Operation<Input, Output>],
): Window<Input, Output> {
  const operations = [...pair].sort((a, b) => a.call - b.call)
  const [first, second] = operations
  return { operations, context: [], isAnyStart: true, order: [first!], blocked: second!, minimal: true }
}

/** Why a window has no legal order, in words. */
export function explainWindow<State, Input, Output>(
  model: Model<State, Input, Output>,
  window: Window<Input, Output>,
): string {
  const { operations, order, blocked } = window
  const tellAll = (some: readonly Operation<Input, Output>[], between: string): string => {
    const told = some.slice(-MOST_TOLD).map(tell)
    return (some.length > MOST_TOLD ? ['…', ...told] : told).join(between)
  }
  const tell = ({ process, input, output }: Operation<Input, Output>): string =>
    `${model.describe(input, output)} (client ${process})`
  const state = stateAfter(model, startOf(model, window), order)
  const so = state === undefined ? '' : `: then the key ${model.describeState(state)}`
  const start =
    order.length === 0
      ? `At first the key ${model.describeState(startOf(model, window))}.`
      : `${window.isAnyStart ? 'Whatever the key held before, one' : 'One'} order goes as far as any: ${tellAll(order, ', ')}${so}.`
  const end = `But ${tell(blocked)} has no place in it before its return, nor in any other order.`
  const minimal = !window.minimal
    ? 'The window may not be the smallest: the steps ended before every smaller one was tried.'
    : operations.length === 1
      ? 'Nothing that the other operations did makes it legal.'
      : `Had any one of these ${operations.length} not happened, there would be a legal order: ` +
        `${tellAll(operations, '; ')}.`
  return `${start} ${end} ${minimal}`
}

/** The state in which a window begins. */
export function startOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  { isAnyStart }: Window<Input, Output>,
): State {
  return isAnyStart && model.anything !== undefined ? model.anything : model.initial
}

function stateAfter<State, Input, Output>(
  model: Model<State, Input, Output>,
  start: State,
  order: readonly Operation<Input, Output>[],
): State | undefined {
  let state: State | undefined = start
  for (const { input, output } of order) {
    if (state === undefined) break
    state = model.step(state, input, output)
  }
  return state
}
