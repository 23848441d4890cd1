import { type HistoryEvent, toOperations } from './events.ts'
import { check, type CheckOptions } from './check.ts'
import { appendModel } from './models/append.ts'
import { kvModel } from './models/kv.ts'
import { registerModel } from './models/register.ts'
import type { CheckResult } from './types.ts'

/** The models that come with Balsa. */
export const MODEL_NAMES = Object.freeze(['kv', 'register', 'append'] as const)
export type ModelName = (typeof MODEL_NAMES)[number]

/** The operations that each model knows. */
const OPERATIONS: Readonly<Record<ModelName, readonly string[]>> = Object.freeze({
  kv: ['get', 'put', 'delete', 'cas'],
  register: ['read', 'write', 'cas'],
  append: ['get', 'put', 'append'],
})

/** The first model that knows every operation of a history; undefined where none does. */
export function modelFor(events: readonly HistoryEvent[]): ModelName | undefined {
  return MODEL_NAMES.find((name) => foreignTo(name, events) === undefined)
}

/** An operation in a history that a model does not know; undefined where it knows them all. */
export function foreignTo(name: ModelName, events: readonly HistoryEvent[]): string | undefined {
  const asked = events.flatMap(({ type, op }) => (type === 'invoke' && op !== undefined ? [op] : []))
  return asked.find((op) => !OPERATIONS[name].includes(op))
}

/**
 * Checks a history against a model that comes with Balsa, by its name.
 * @throws HistoryError where the events do not make a history
 */
export function checkEvents(
  events: readonly HistoryEvent[],
  name: ModelName,
  options: CheckOptions = {},
): CheckResult {
  // What is known of a model's states and operations is known to the model alone, and to nobody who reads this.
  switch (name) {
    case 'kv':
      return check(toOperations(events), kvModel, options)
    case 'register':
      return check(toOperations(events), registerModel, options)
    case 'append':
      return check(toOperations(events), appendModel, options)
  }
}
