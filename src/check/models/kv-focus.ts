import type { Operation } from '../types.ts'
import { ANYTHING } from './kv-types.ts'
import type { KvInput, KvOutput, KvRecord, KvState, Revision } from './kv-types.ts'

type KvOperation = Operation<KvInput, KvOutput>

/** A revision that no operation asks about, whichever it is. */
const NOT_ASKED: Revision = Object.freeze({ value: -1, exact: true, below: 0 })

/** Versions from here on may be merged: the first is special, as its revision is that of the creation. */
const FIRST_MERGED_VERSION = 2

/**
 * What of a key's states these operations can tell apart. Returns the operations with all values that none asks
 * about made one, and what does the same to the revisions and versions of a state.
 */
export function focusKv(operations: readonly KvOperation[]): {
  readonly operations: readonly KvOperation[]
  readonly simplify: (state: KvState | undefined) => KvState | undefined
} {
  const seen = operations.flatMap(({ output }) => [output?.entry ?? [], output?.current ?? []].flat())
  const expected = operations.flatMap(({ input }) => (input.op === 'cas' ? [input.expected] : []))
  const values = new Set([...seen, ...expected].flatMap((each) => ('value' in each ? [each.value] : [])))
  const created = ascending(seen.map(({ createRevision }) => createRevision))
  const conditions = ascending(expected.map((each) => ('modRevision' in each ? each.modRevision : undefined)))
  const modified = ascending([...conditions, ...seen.map(({ modRevision }) => modRevision)])
  const either = ascending([...created, ...modified])
  // Where a creation is told without its version, the version helps to tell whether that can be.
  const isVersionNeeded = seen.some((each) => each.createRevision !== undefined && each.version === undefined)
  const newest = Math.max(FIRST_MERGED_VERSION, ...seen.map(({ version = 0 }) => version + 1))
  const highest = isVersionNeeded ? Infinity : newest

  // Where every entry is told with its creation, no other creation's entry can be told.
  const isCreationTold = seen.every((each) => each.createRevision !== undefined)

  const simplifyRecord = (record: KvRecord): KvRecord => {
    const version = record.version && Math.min(record.version, highest)
    if (version === 1) {
      const at = merge(record.modified, either)
      return at === record.modified ? record : { ...record, created: at, modified: at }
    }
    const creation = merge(record.created, created)
    const isHidden = isCreationTold && isNotAsked(creation)
    return {
      value: record.value,
      version: isHidden ? newest : version,
      created: creation,
      modified: merge(record.modified, isHidden ? conditions : modified),
    }
  }
  return {
    operations: mergeValues(operations, values),
    simplify: (state) =>
      state?.record === undefined || state.record === ANYTHING
        ? state
        : { ...state, record: simplifyRecord(state.record) },
  }
}

/** The numbers in order, each once. */
function ascending(values: readonly (number | undefined)[]): number[] {
  return [...new Set(values)].filter((value) => value !== undefined).sort((a, b) => a - b)
}

/** The revision as far as the ones asked about, in order, can tell. */
function merge(revision: Revision, asked: readonly number[]): Revision {
  if (revision === NOT_ASKED) return revision
  const low = revision.exact ? revision.value - 1 : revision.value
  const first = asked.find((value) => value > low)
  if (first === undefined || first >= revision.below) return NOT_ASKED
  if (revision.exact) return revision
  const last = asked.findLast((value) => value < revision.below)!
  const below = last === asked.at(-1) ? Infinity : last + 1
  return first - 1 === revision.value && below === revision.below
    ? revision
    : { value: first - 1, exact: false, below }
}

/** Whether a revision is one that was asked about by nobody. */
export function isNotAsked(revision: Revision): boolean {
  return revision === NOT_ASKED
}

function mergeValues(operations: readonly KvOperation[], asked: ReadonlySet<string>): KvOperation[] {
  let unseen = 'unseen'
  while (asked.has(unseen)) unseen += '+'
  return operations.map((operation) => {
    const { input } = operation
    if (input.op === 'get' || input.op === 'delete' || asked.has(input.value)) return operation
    return { ...operation, input: { ...input, value: unseen } }
  })
}
