import type { Model, Operation } from '../types.ts'

/** What a register can hold; null: nothing yet. */
export type RegisterValue = string | number | boolean | null

export type RegisterInput =
  | { readonly op: 'read' }
  | { readonly op: 'write'; readonly value: RegisterValue }
  | { readonly op: 'cas'; readonly expected: RegisterValue; readonly value: RegisterValue }

export interface RegisterOutput {
  /** Of a read. */
  readonly value?: RegisterValue
  /** Of a cas; false: the register held another value than the expected one. */
  readonly succeeded?: boolean
}

/** What a value is called that no operation asks about. It is no RegisterValue, so none can be mistaken for it. */
const OTHER: unique symbol = Symbol('another value')

/** What a register holds of which nothing is known. */
const ANYTHING: unique symbol = Symbol('anything')

type State = RegisterValue | typeof OTHER | typeof ANYTHING

/** One register with read, write and compare-and-swap, which holds null at first. */
export const registerModel: Model<State, RegisterInput, RegisterOutput> = Object.freeze({
  name: 'register',
  initial: null,
  anything: ANYTHING,

  step(state: State, input: RegisterInput, output: RegisterOutput | undefined): State | undefined {
    switch (input.op) {
      case 'read':
        if (output === undefined) return state
        if (state === ANYTHING) return output.value ?? null
        return output.value === state ? state : undefined
      case 'write':
        return input.value
      case 'cas':
        if (state === ANYTHING) return output?.succeeded === false ? state : input.value
        // Of unknown outcome, it only takes effect where it succeeds.
        if ((output?.succeeded ?? true) !== (state === input.expected)) return undefined
        return state === input.expected ? input.value : state
    }
  },

  keyOf: (state: State) => (typeof state === 'symbol' ? state.description! : JSON.stringify(state)),

  observes: (input: RegisterInput, output: RegisterOutput | undefined) =>
    input.op === 'read' || (input.op === 'cas' && output?.succeeded === false),

  focus(operations: readonly Operation<RegisterInput, RegisterOutput>[]) {
    const asked = new Set<RegisterValue>()
    for (const { input, output } of operations) {
      if (input.op === 'read' && output?.value !== undefined) asked.add(output.value)
      if (input.op === 'cas') asked.add(input.expected)
    }
    return {
      model: registerModel,
      operations: operations.map((operation) => {
        const { input } = operation
        if (input.op === 'read' || asked.has(input.value)) return operation
        // The type cannot say it, and need not: to the model a value is only equal to another or not.
        return { ...operation, input: { ...input, value: OTHER as unknown as RegisterValue } }
      }),
    }
  },

  loosen: (input: RegisterInput): RegisterInput =>
    input.op === 'cas' ? { op: 'write', value: input.value } : input,

  describe(input: RegisterInput, output: RegisterOutput | undefined) {
    switch (input.op) {
      case 'read':
        return `read → ${output === undefined ? '?' : show(output.value ?? null)}`
      case 'write':
        return `write ${show(input.value)}`
      case 'cas': {
        const refused = output?.succeeded === false ? ' refused' : ''
        return `cas ${show(input.expected)} to ${show(input.value)}${refused}`
      }
    }
  },

  describeState: (state: State) => (state === null ? 'holds nothing' : `holds ${show(state)}`),

  kind: (input: RegisterInput) => input.op,
})

function show(value: State): string {
  return typeof value === 'symbol' ? value.description! : value === null ? 'nothing' : JSON.stringify(value)
}
