import type { AppendInput, AppendOutput } from '../../../src/check/models/append.ts'
import type { KvEntry, KvInput, KvOutput } from '../../../src/check/models/kv-types.ts'
import type { RegisterInput, RegisterOutput, RegisterValue } from '../../../src/check/models/register.ts'
import type { Operation } from '../../../src/check/types.ts'

/**
 * An object that is really there, to run operations on and to check by trying everything. It shares nothing with
 * the models under test.
 */
export interface Machine<State, Input, Output> {
  readonly initial: State
  /**
   * Every state and answer that an operation may lead to. Told the answer, it may leave out what does not lead to
   * it.
   */
  run(state: State, input: Input, told: Output | undefined): readonly { state: State; output: Output }[]
}

export const registerMachine: Machine<RegisterValue, RegisterInput, RegisterOutput> = {
  initial: null,
  run(state, input) {
    if (input.op === 'read') return [{ state, output: { value: state } }]
    if (input.op === 'write') return [{ state: input.value, output: {} }]
    const succeeded = state === input.expected
    return [{ state: succeeded ? input.value : state, output: { succeeded } }]
  },
}

export const appendMachine: Machine<string, AppendInput, AppendOutput> = {
  initial: '',
  run(state, input) {
    if (input.op === 'get') return [{ state, output: { value: state } }]
    return [{ state: input.op === 'put' ? input.value : state + input.value, output: {} }]
  },
}

interface Store {
  readonly revision: number
  readonly entry: Required<KvEntry> | null
}

/**
 * One key of a store in which others may write to other keys at any time.
 * @param others how many writes of others are tried before an operation whose revision is not told
 */
export function kvMachine(others: number): Machine<Store, KvInput, KvOutput> {
  return {
    initial: { revision: 0, entry: null },
    run(state, input, told) {
      const results: { state: Store; output: KvOutput }[] = []
      const last = told?.revision ?? state.revision + others
      const first = Math.max(state.revision, told?.revision === undefined ? 0 : told.revision - 1)
      // Others have brought the store to this revision.
      for (let revision = first; revision <= last; revision++) {
        results.push(runOnce({ ...state, revision }, input))
      }
      return results
    },
  }
}

function runOnce(state: Store, input: KvInput): { state: Store; output: KvOutput } {
  const { revision, entry } = state
  const put = (value: string): Store => ({
    revision: revision + 1,
    entry: {
      value,
      version: (entry?.version ?? 0) + 1,
      createRevision: entry?.createRevision ?? revision + 1,
      modRevision: revision + 1,
    },
  })
  switch (input.op) {
    case 'get':
      return { state, output: { entry, revision } }
    case 'put':
      return { state: put(input.value), output: { revision: revision + 1 } }
    case 'delete': {
      if (!entry) return { state, output: { deleted: false, revision } }
      return {
        state: { revision: revision + 1, entry: null },
        output: { deleted: true, revision: revision + 1 },
      }
    }
    case 'cas': {
      const { expected } = input
      const holds =
        'absent' in expected
          ? entry === null
          : 'value' in expected
            ? entry?.value === expected.value
            : entry?.modRevision === expected.modRevision
      if (!holds) return { state, output: { succeeded: false, current: entry, revision } }
      return { state: put(input.value), output: { succeeded: true, revision: revision + 1 } }
    }
  }
}

/**
 * Whether a history of one key has a legal order, by trying every order and every outcome. Operations of unknown
 * outcome may be left out. Slow: for a handful of operations.
 */
export function bruteForce<State, Input, Output>(
  machine: Machine<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): boolean {
  const search = (state: State, rest: readonly Operation<Input, Output>[]): boolean => {
    const known = rest.filter(({ output }) => output !== undefined)
    if (known.length === 0) return true
    const firstReturn = Math.min(...known.map((each) => each.return))
    return rest.some((operation) => {
      if (operation.call > firstReturn) return false
      const others = rest.filter((other) => other !== operation)
      return machine
        .run(state, operation.input, operation.output)
        .some(
          (result) =>
            (operation.output === undefined || sameText(result.output) === sameText(operation.output)) &&
            search(result.state, others),
        )
    })
  }
  return search(machine.initial, history)
}

function sameText(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
