import type { AppendInput, AppendOutput } from '../../../src/check/models/append.ts'
import type { KvInput, KvOutput } from '../../../src/check/models/kv-types.ts'
import type { RegisterInput, RegisterOutput } from '../../../src/check/models/register.ts'
import type { Operation } from '../../../src/check/types.ts'
import type { Chance } from './builder.ts'
import type { Machine } from './oracle.ts'

/** What to ask for at random, and how to spoil an answer. */
export interface Workload<State, Input, Output> {
  readonly machine: Machine<State, Input, Output>
  ask(chance: Chance): Input
  spoil(chance: Chance, input: Input, output: Output): Output
}

/**
 * A history that is linearizable because it really happened: each operation takes effect at a moment between its
 * call and its return.
 * @param unknown the share of outcomes that are unknown, two thirds of them with an effect
 */
export function really<State, Input, Output>(
  workload: Workload<State, Input, Output>,
  chance: Chance,
  count: number,
  clients: number,
  unknown = 0.15,
): Operation<Input, Output>[] {
  const { machine } = workload
  const free = Array.from({ length: clients }, () => chance.next())
  const planned = Array.from({ length: count }, () => {
    const process = chance.below(clients)
    const call = free[process]! + chance.next()
    const point = call + chance.next() * 3
    const end = point + chance.next() * 3
    free[process] = end
    return { process, call, point, end, input: workload.ask(chance), fate: chance.next() }
  })
  let state = machine.initial
  const history: Operation<Input, Output>[] = []
  for (const { process, call, point, end, input, fate } of planned.sort((a, b) => a.point - b.point)) {
    const results = machine.run(state, input, undefined)
    // The first is the one in which nobody else interferes.
    const { state: next, output } = results[Math.min(results.length - 1, chance.next() < 0.2 ? 1 : 0)]!
    const isUnknown = fate < unknown
    if (!isUnknown || fate < (unknown * 2) / 3) state = next
    const known = { process, key: 'x', input, call, return: end, output }
    history.push(
      isUnknown
        ? { ...known, process: `${process} at ${point}`, output: undefined, return: Infinity }
        : known,
    )
  }
  return history
}

/** The history with one answer changed, if there is one to change. */
export function spoiled<State, Input, Output>(
  workload: Workload<State, Input, Output>,
  chance: Chance,
  history: readonly Operation<Input, Output>[],
): Operation<Input, Output>[] {
  const target = chance.pick(history)
  return history.map((operation) =>
    operation === target && operation.output !== undefined
      ? { ...operation, output: workload.spoil(chance, operation.input, operation.output) }
      : operation,
  )
}

export function registerWorkload(
  machine: Workload<unknown, RegisterInput, RegisterOutput>['machine'],
): Workload<unknown, RegisterInput, RegisterOutput> {
  const value = (chance: Chance): number => chance.below(3)
  return {
    machine,
    ask(chance) {
      const which = chance.next()
      if (which < 0.4) return { op: 'read' }
      if (which < 0.7) return { op: 'write', value: value(chance) }
      return { op: 'cas', expected: value(chance), value: value(chance) }
    },
    spoil(chance, input, output) {
      if (input.op === 'read') return { value: chance.pick([null, 0, 1, 2, 3]) }
      return input.op === 'cas' ? { succeeded: !output.succeeded } : output
    },
  }
}

export function appendWorkload(
  machine: Workload<unknown, AppendInput, AppendOutput>['machine'],
): Workload<unknown, AppendInput, AppendOutput> {
  return {
    machine,
    ask(chance) {
      const which = chance.next()
      if (which < 0.4) return { op: 'get' }
      return { op: which < 0.5 ? 'put' : 'append', value: chance.pick(['a', 'b', 'ab']) }
    },
    spoil(chance, input, output) {
      if (input.op !== 'get') return output
      const text = output.value ?? ''
      return { value: chance.pick([text.slice(1), text.slice(0, -1), `${text}a`, 'b', '']) }
    },
  }
}

export function kvWorkload(
  machine: Workload<unknown, KvInput, KvOutput>['machine'],
): Workload<unknown, KvInput, KvOutput> {
  const value = (chance: Chance): string => chance.pick(['a', 'b', 'c'])
  return {
    machine,
    ask(chance) {
      const which = chance.next()
      if (which < 0.35) return { op: 'get' }
      if (which < 0.6) return { op: 'put', value: value(chance) }
      if (which < 0.7) return { op: 'delete' }
      const expected = chance.pick([
        { value: value(chance) },
        { modRevision: 1 + chance.below(5) },
        { absent: true } as const,
      ])
      return { op: 'cas', expected, value: value(chance) }
    },
    spoil(chance, input, output) {
      const shift = chance.pick([-1, 1])
      if (output.revision !== undefined && chance.next() < 0.3) {
        return { ...output, revision: Math.max(0, output.revision + shift) }
      }
      if (input.op === 'delete') return { ...output, deleted: !output.deleted }
      if (input.op === 'cas' && chance.next() < 0.5) {
        return output.succeeded
          ? { succeeded: false, current: null, revision: output.revision! }
          : { succeeded: true, revision: output.revision! }
      }
      const field = input.op === 'get' ? 'entry' : 'current'
      const seen = output[field]
      if (!seen) return output
      const which = chance.pick(['value', 'modRevision', 'createRevision', 'version'] as const)
      const wrong = which === 'value' ? value(chance) : seen[which]! + shift
      return { ...output, [field]: { ...seen, [which]: wrong } }
    },
  }
}
