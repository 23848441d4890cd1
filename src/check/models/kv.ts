import type { Model, Operation } from '../types.ts'
import { focusKv, isNotAsked } from './kv-focus.ts'
import { describeKv, describeKvState } from './kv-words.ts'
import { checkRevisions } from './kv-revisions.ts'
import { ANYTHING } from './kv-types.ts'
import type { KvEntry, KvExpectation, KvInput, KvOutput, KvRecord, KvState, Revision } from './kv-types.ts'

/**
 * One key of a store with revisions, as Balsa answers: a put answers with the store's revision, which grew by one
 * with it; a get with the value and the revisions at which the key was created and last changed, or with nothing.
 * The key is absent at first. What an answer leaves out is not checked.
 *
 * The store's revision never goes back, so each answer bounds those after it. Where a write's revision is not
 * known (its outcome is not) it stays open until an answer tells it.
 */
export const kvModel: Model<KvState, KvInput, KvOutput> = Object.freeze({
  name: 'kv',
  initial: Object.freeze({ floor: 0, record: undefined }),
  anything: Object.freeze({ floor: 0, record: ANYTHING }),

  step(state: KvState, input: KvInput, output: KvOutput | undefined): KvState | undefined {
    switch (input.op) {
      case 'get':
        return output === undefined ? state : raise(observe(state, output.entry ?? null), output.revision)
      case 'put':
        return write(state, input.value, output?.revision)
      case 'delete':
        if (output?.deleted === false) {
          return raise(observe(state, null), output.revision)
        }
        return state.record === undefined ? undefined : change(state, undefined, output?.revision)
      case 'cas':
        return compareAndSwap(state, input.expected, input.value, output)
    }
  },

  keyOf({ floor, record }: KvState) {
    if (!record || record === ANYTHING) return `${floor} ${record}`
    const { value, version, created, modified } = record
    return `${floor} ${show(created)} ${show(modified)} ${version} ${value}`
  },

  observes: (input: KvInput, output: KvOutput | undefined) =>
    input.op === 'get' ||
    (input.op === 'cas' && output?.succeeded === false) ||
    (input.op === 'delete' && output?.deleted === false),

  focus(history: readonly Operation<KvInput, KvOutput>[]) {
    const focus = focusKv(history)
    const focused: Model<KvState, KvInput, KvOutput> = {
      ...kvModel,
      step: (state, input, output) => focus.simplify(kvModel.step(state, input, output)),
    }
    return { model: focused, operations: focus.operations }
  },

  loosen: (input: KvInput): KvInput => (input.op === 'cas' ? { op: 'put', value: input.value } : input),

  level: Object.freeze({
    of: ({ floor }: KvState) => floor,
    ceiling: (input: KvInput, output: KvOutput | undefined) => {
      if (output?.revision === undefined) return Infinity
      return kvModel.observes(input, output) ? output.revision : output.revision - 1
    },
  }),

  checkWhole: checkRevisions,
  describe: describeKv,
  describeState: describeKvState,
  kind: ({ op }: KvInput) => (op === 'get' ? 'read' : op === 'put' ? 'write' : op),
})

function show({ value, exact, below }: Revision): string {
  return exact ? `${value}` : `>${value}<${below}`
}

/** The store is at this revision now: undefined where it is beyond it already. */
function raise(state: KvState | undefined, revision: number | undefined): KvState | undefined {
  if (state === undefined || revision === undefined || revision === state.floor) return state
  return revision < state.floor ? undefined : { ...state, floor: revision }
}

/** The key was seen like this. */
function observe(state: KvState, seen: KvEntry | null): KvState | undefined {
  const { floor, record } = state
  if (record === ANYTHING) return { floor, record: seen === null ? undefined : firstSeen(seen) }
  if (record === undefined || seen === null) return record === undefined && seen === null ? state : undefined
  if (record.value !== seen.value) return undefined
  const version = record.version ?? seen.version
  if (seen.version !== undefined && version !== seen.version) return undefined
  const modified = settle(record.modified, seen.modRevision)
  let created = record.version === 1 ? modified : record.created
  created = created && settle(created, seen.createRevision)
  if (modified === undefined || created === undefined) return undefined
  if (modified === record.modified && created === record.created && version === record.version) return state
  // Each change of the key took at least one revision.
  const areTold = modified.exact && created.exact && !isNotAsked(modified) && !isNotAsked(created)
  if (areTold && modified.value - created.value < (version ?? 1) - 1) return undefined
  const settled = version === 1 && created.exact ? created : modified
  const risen = settled.exact ? Math.max(floor, settled.value) : floor
  const creation = version === 1 ? settled : created
  return { floor: risen, record: { value: record.value, version, created: creation, modified: settled } }
}

/** What is known of a record when it is first seen. */
function firstSeen({ value, version, createRevision, modRevision }: KvEntry): KvRecord {
  const modified = modRevision === undefined ? UNKNOWN : known(modRevision)
  const created = createRevision === undefined ? UNKNOWN : known(createRevision)
  return { value, version, modified, created: version === 1 ? modified : created }
}

/** A revision of which nothing is known. */
const UNKNOWN: Revision = Object.freeze({ value: 0, exact: false, below: Infinity })

/** A revision of which an answer may have told what it is. */
function settle(revision: Revision, told: number | undefined): Revision | undefined {
  if (told === undefined) return revision
  if (revision.exact) return revision.value === told ? revision : undefined
  return told > revision.value && told < revision.below ? known(told) : undefined
}

/** The store's next change, at this revision where it is known. */
function change(
  { floor }: KvState,
  record: ((at: Revision) => KvRecord) | undefined,
  revision: number | undefined,
): KvState | undefined {
  if (revision !== undefined && revision <= floor) return undefined
  const at: Revision =
    revision === undefined ? { value: floor, exact: false, below: Infinity } : known(revision)
  return { floor: revision ?? floor + 1, record: record?.(at) }
}

function write(state: KvState, value: string, revision: number | undefined): KvState | undefined {
  const { record } = state
  if (record === ANYTHING) {
    const created = revision === undefined ? UNKNOWN : { ...UNKNOWN, below: revision + 1 }
    return change(state, (at) => ({ value, version: undefined, created, modified: at }), revision)
  }
  if (record === undefined) {
    return change(state, (at) => ({ value, version: 1, created: at, modified: at }), revision)
  }
  const version = record.version && record.version + 1
  const created = boundedBy(record, revision)
  return change(state, (at) => ({ value, version, created, modified: at }), revision)
}

/** When a record was created, now that it is changed at this revision: each change before took one at least. */
function boundedBy({ created, version }: KvRecord, revision: number | undefined): Revision {
  if (created.exact || revision === undefined) return created
  return { ...created, below: Math.min(created.below, revision - (version ?? 1) + 1) }
}

function known(revision: number): Revision {
  return { value: revision, exact: true, below: revision + 1 }
}

function compareAndSwap(
  state: KvState,
  expected: KvExpectation,
  value: string,
  output: KvOutput | undefined,
): KvState | undefined {
  if (output?.succeeded === false) {
    // Of a key that may hold anything, only what is told of it is known.
    if (state.record === ANYTHING && output.current === undefined) return raise(state, output.revision)
    const seen = output.current === undefined ? state : observe(state, output.current)
    return seen && holding(seen, expected) !== seen ? raise(seen, output.revision) : undefined
  }
  const held = holding(state, expected)
  return held && write(held, value, output?.revision)
}

/**
 * The state in which the condition holds: the given one where that is certain, one with a revision settled where
 * it may be, undefined where it cannot be.
 */
function holding(state: KvState, expected: KvExpectation): KvState | undefined {
  if ('absent' in expected) return observe(state, null)
  if (state.record === undefined) return undefined
  if (state.record === ANYTHING) return state
  if ('value' in expected) return state.record.value === expected.value ? state : undefined
  return observe(state, { value: state.record.value, modRevision: expected.modRevision })
}
