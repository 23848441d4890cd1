import type { KeyEntry, StateMachine } from '../kv/types.ts'
import { AnswerSize } from '../wire/result.ts'

/** The present of a key, undefined where there is none. Throws as the state does. */
export function presentOf(machine: StateMachine, key: Uint8Array): KeyEntry | undefined {
  const record = machine.get(key)
  if (record === undefined) return undefined
  // Written out, not spread: every read does it, and a spread takes many times as long.
  const { value, createRevision, modRevision, version, lease } = record
  return { key, value, createRevision, modRevision, version, lease }
}

/**
 * The present of each key, undefined where there is none, in the order of the keys. Throws as the state does.
 *
 * @param maxBytes how many bytes the answer may have, unless it is for one key alone
 * @returns undefined where it would have more: what is beyond that is not even looked for
 */
export function presentOfAll(
  machine: StateMachine,
  keys: readonly Uint8Array[],
  maxBytes: number,
): readonly (KeyEntry | undefined)[] | undefined {
  if (keys.length === 1) return [presentOf(machine, keys[0]!)]
  const size = new AnswerSize(machine.revision, maxBytes)
  const entries: (KeyEntry | undefined)[] = []
  for (const key of keys) {
    const entry = presentOf(machine, key)
    if (!size.fits(key, entry)) return undefined
    entries.push(entry)
  }
  return entries
}
