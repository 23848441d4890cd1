import { check, kvModel, renderText } from '../../src/check/index.ts'
import type { KvEntry, KvInput, KvOutput, Operation } from '../../src/check/index.ts'
import type { Recorded } from './workload/client.ts'
import type { Answer, Asked, Seen } from './workload/operation.ts'

/** How hard the checker tries. A history that it cannot decide counts as a violation. */
const MAX_STEPS = 2_000_000

/** What is wrong with the history as its clients saw it, in words; undefined: it is linearizable. */
export function problemOf(history: readonly Recorded[]): string | undefined {
  const operations = history.flatMap(operationsOf)
  const result = check(operations, kvModel, { maxSteps: MAX_STEPS })
  if (result.verdict === 'linearizable') return undefined
  return result.verdict === 'undecided'
    ? `undecided after ${result.steps} steps: ${result.undecided.join(', ')}`
    : renderText(result)
}

/**
 * Stale reads promise nothing of the kind, what was refused did not happen, and compactions and reads of older
 * revisions are the ledger's business.
 */
function operationsOf({ process, asked, outcome, began, ended }: Recorded): Operation<KvInput, KvOutput>[] {
  if (outcome.type === 'failed' || asked.type === 'compact') return []
  if (asked.type === 'get' && (asked.stale || asked.revision !== undefined)) return []
  const answer = outcome.type === 'ok' ? outcome.answer : undefined
  return partsOf(asked, answer).map(([key, input, output]) => ({
    process,
    key,
    input,
    output,
    call: began,
    return: output === undefined ? Infinity : ended,
  }))
}

type Part = [key: string, input: KvInput, output: KvOutput | undefined]

function partsOf(asked: Exclude<Asked, { type: 'compact' }>, answer: Answer | undefined): Part[] {
  const told = (output: KvOutput): KvOutput | undefined => answer && { ...output, revision: answer.revision }
  switch (asked.type) {
    case 'put':
      return [[asked.key, { op: 'put', value: asked.value }, told({})]]
    case 'putMany':
      return asked.puts.map(([key, value]) => [key, { op: 'put', value }, told({})])
    case 'delete':
      return [[asked.key, { op: 'delete' }, told({ deleted: answer?.succeeded === true })]]
    case 'cas': {
      const { key, expected, value } = asked
      const succeeded = answer?.succeeded === true
      const output = succeeded ? { succeeded } : { succeeded, current: entryOf(answer?.current) }
      return [[key, { op: 'cas', expected, value }, told(output)]]
    }
    case 'get':
      return asked.keys.map((key, i) => [key, { op: 'get' }, told({ entry: entryOf(answer?.entries?.[i]) })])
  }
}

function entryOf(seen: Seen | undefined): KvEntry | null {
  return seen ?? null
}
