import type { Model, Operation } from '../types.ts'

export type AppendInput =
  | { readonly op: 'get' }
  | { readonly op: 'put'; readonly value: string }
  | { readonly op: 'append'; readonly value: string }

export interface AppendOutput {
  /** Of a get. */
  readonly value?: string
}

/** Undefined in `text`: something that no get of the history can see. Null: anything. */
interface State {
  readonly text: string | undefined | null
}

/** A text under a key with get, put and append, empty at first. */
export const appendModel: Model<State, AppendInput, AppendOutput> = Object.freeze(modelFor(() => true))

/** @param seen whether a get of the history shows a text that begins so; by default any text may be seen */
function modelFor(seen: (text: string) => boolean): Model<State, AppendInput, AppendOutput> {
  const unseen: State = Object.freeze({ text: undefined })
  return {
    name: 'append',
    initial: Object.freeze({ text: '' }),
    anything: Object.freeze({ text: null }),

    step(state, input, output) {
      if (input.op === 'get') {
        if (output === undefined) return state
        if (state.text === null) return { text: output.value ?? '' }
        return output.value === state.text ? state : undefined
      }
      if (input.op === 'append' && state.text === null) return state
      // What was put in a place where nobody looks stays unseen whatever is appended.
      if (input.op === 'append' && state.text === undefined) return output === undefined ? undefined : state
      const text = input.op === 'put' ? input.value : state.text + input.value
      if (seen(text)) return { text }
      // Of unknown outcome, it is as good as not done where nobody will ever see it.
      return output === undefined ? undefined : unseen
    },

    keyOf: ({ text }) => (typeof text === 'string' ? `=${text}` : `${text}`),
    observes: (input) => input.op === 'get',

    focus(operations: readonly Operation<AppendInput, AppendOutput>[]) {
      const texts = operations.flatMap(({ input, output }) =>
        input.op === 'get' ? [output?.value ?? ''] : [],
      )
      return { model: modelFor(prefixesOf(texts)), operations }
    },

    describe(input, output) {
      if (input.op === 'get')
        return `get → ${output === undefined ? '?' : JSON.stringify(output.value ?? '')}`
      return `${input.op} ${JSON.stringify(input.value)}`
    },

    describeState: ({ text }) =>
      typeof text !== 'string'
        ? 'holds a text that no get shows'
        : text === ''
          ? 'is empty'
          : `holds ${JSON.stringify(text)}`,

    kind: ({ op }) => (op === 'get' ? 'read' : 'write'),
  }
}

/** Tells whether a text is the beginning of one of these, by binary search. */
function prefixesOf(texts: readonly string[]): (text: string) => boolean {
  const sorted = [...new Set(texts)].sort()
  return (text) => {
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sorted[middle]! < text) low = middle + 1
      else high = middle
    }
    return low < sorted.length && sorted[low]!.startsWith(text)
  }
}
