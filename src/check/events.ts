import type { KvEntry, KvExpectation } from './models/kv-types.ts'
import type { Operation } from './types.ts'

/** What can happen to an operation: it is asked, answered, certainly not done, or of unknown outcome. */
export type EventType = 'invoke' | 'ok' | 'fail' | 'info'

/** One line of a history. `docs/checking.md` says which operation has which fields. */
export interface HistoryEvent {
  /** Who asked. A process asks one thing at a time. */
  readonly process: number | string
  readonly type: EventType
  /** Milliseconds since some fixed moment. For show only: the order of the lines is the order of the events. */
  readonly time?: number
  /** Of an `invoke`, and of others where it is convenient. */
  readonly op?: string
  readonly key?: string
  readonly value?: unknown
  readonly expected?: unknown
  /** Of a get or read of several keys. */
  readonly keys?: readonly string[]
  /** Of a put of several keys. */
  readonly pairs?: readonly (readonly [key: string, value: unknown])[]
  readonly revision?: number
  readonly entry?: KvEntry | null
  /** Of a get of several keys, one for each. */
  readonly entries?: readonly (KvEntry | null)[]
  readonly deleted?: boolean
  readonly succeeded?: boolean
  readonly current?: KvEntry | null
  /** Why it failed. For people. */
  readonly error?: string
}

/** The key of operations that name none: a history of one object needs no keys. */
export const ONLY_KEY = 'the register'

/** A history that cannot be understood. The message says what and, where it was read from text, in which line. */
export class HistoryError extends Error {
  override readonly name = 'HistoryError'
}

/** One key's part of a request. */
interface Part {
  readonly key: string
  readonly input: Readonly<Record<string, unknown>>
}

type Answer = Readonly<Record<string, unknown>>

/** How an operation's fields become what the models take: for each key its input, and its answer. */
interface Translation {
  parts(event: HistoryEvent): readonly Part[]
  answer(event: HistoryEvent, part: number): Answer
}

/**
 * Pairs the events of a history into operations.
 *
 * A request for several keys becomes an operation for each. What failed is left out: it did not happen and tells
 * nothing. What has no end, or an `info`, is of unknown outcome.
 *
 * @throws HistoryError
 */
export function toOperations<Input, Output>(events: Iterable<HistoryEvent>): Operation<Input, Output>[] {
  const operations: Operation<Input, Output>[] = []
  const pending = new Map<number | string, { event: HistoryEvent; call: number }>()
  let position = 0
  for (const event of events) {
    const call = position++
    try {
      if (event.type === 'invoke') {
        if (pending.has(event.process)) {
          throw new HistoryError(`process ${event.process} asks again before its last operation has ended`)
        }
        partsOf(event)
        pending.set(event.process, { event, call })
        continue
      }
      const asked = pending.get(event.process)
      if (!asked) throw new HistoryError(`process ${event.process} ends what it has not begun`)
      pending.delete(event.process)
      if (event.type !== 'fail') operations.push(...pair(asked, event, call))
    } catch (error) {
      if (!(error instanceof HistoryError)) throw error
      throw new HistoryError(`event ${position}: ${error.message}`)
    }
  }
  for (const asked of pending.values()) operations.push(...pair(asked, undefined, Infinity))
  return operations.sort((a, b) => a.call - b.call)

  function pair(
    asked: { event: HistoryEvent; call: number },
    end: HistoryEvent | undefined,
    position: number,
  ): Operation<Input, Output>[] {
    const { event, call } = asked
    const isKnown = end?.type === 'ok'
    return partsOf(event).map(
      ({ key, input }, index) =>
        ({
          process: event.process,
          key,
          input,
          output: isKnown ? translationOf(event).answer(end, index) : undefined,
          call,
          return: isKnown ? position : Infinity,
          ...(event.time === undefined ? {} : { callTime: event.time }),
          ...(end?.time === undefined || !isKnown ? {} : { returnTime: end.time }),
        }) as Operation<Input, Output>,
    )
  }
}

function partsOf(event: HistoryEvent): readonly Part[] {
  return translationOf(event).parts(event)
}

function translationOf({ op }: HistoryEvent): Translation {
  const translation = op === undefined ? undefined : TRANSLATIONS[op]
  if (!translation) {
    throw new HistoryError(`"op" is ${JSON.stringify(op)}; it can be ${Object.keys(TRANSLATIONS).join(', ')}`)
  }
  return translation
}

function keyOf({ key = ONLY_KEY }: HistoryEvent): string {
  if (typeof key !== 'string') throw new HistoryError('"key" is to be a string')
  return key
}

/** A field that must be there. */
function need<T>(value: T | undefined, name: string, where: string): T {
  if (value === undefined) throw new HistoryError(`${where} needs "${name}"`)
  return value
}

/** The fields that are there. */
function given(fields: Answer): Answer {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

function expectationOf(expected: unknown): KvExpectation {
  const fields = typeof expected === 'object' && expected !== null ? Object.keys(expected) : []
  if (!['value', 'modRevision', 'absent'].some((name) => fields.includes(name))) {
    throw new HistoryError('"expected" is to be {"value"}, {"modRevision"} or {"absent": true}')
  }
  return expected as KvExpectation
}

function single(
  input: (event: HistoryEvent) => Answer,
  answer: (event: HistoryEvent) => Answer,
): Translation {
  return { parts: (event) => [{ key: keyOf(event), input: input(event) }], answer }
}

const TRANSLATIONS: Readonly<Record<string, Translation>> = Object.freeze({
  // Of a register.
  read: single(
    () => ({ op: 'read' }),
    ({ value }) => ({ value: need(value, 'value', 'the answer to a read') }),
  ),
  write: single(
    ({ value }) => ({ op: 'write', value: need(value, 'value', 'a write') }),
    () => ({}),
  ),
  // Of a store with revisions, or of a text.
  get: {
    parts: (event) => (event.keys ?? [keyOf(event)]).map((key) => ({ key, input: { op: 'get' } })),
    answer: ({ entry, entries, revision, value }, part) => {
      if (value !== undefined) return { value }
      const seen = entries ? entries[part] : entry
      return given({ entry: need(seen, entries ? 'entries' : 'entry', 'the answer to a get'), revision })
    },
  },
  put: {
    parts: (event) =>
      event.pairs
        ? event.pairs.map(([key, value]) => ({ key, input: { op: 'put', value } }))
        : [{ key: keyOf(event), input: { op: 'put', value: need(event.value, 'value', 'a put') } }],
    answer: ({ revision }) => given({ revision }),
  },
  append: single(
    ({ value }) => ({ op: 'append', value: need(value, 'value', 'an append') }),
    () => ({}),
  ),
  delete: single(
    () => ({ op: 'delete' }),
    ({ deleted, revision }) =>
      given({ deleted: need(deleted, 'deleted', 'the answer to a delete'), revision }),
  ),
  // Of a register, where what is expected is a value, and of a store, where it says what is expected of what.
  cas: single(
    ({ value, expected }) => {
      const isStore = typeof expected === 'object' && expected !== null
      return {
        op: 'cas',
        expected: isStore ? expectationOf(expected) : need(expected, 'expected', 'a cas'),
        value: need(value, 'value', 'a cas'),
      }
    },
    ({ succeeded, revision, current }) =>
      given({ succeeded: need(succeeded, 'succeeded', 'the answer to a cas'), revision, current }),
  ),
})
