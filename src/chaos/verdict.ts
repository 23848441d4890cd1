import { check, HistoryError, type HistoryEvent, kvModel, renderText, toOperations } from '../check/index.ts'
import type { CheckResult, KvInput, KvOutput } from '../check/index.ts'
import type { UniqueWrites } from './workload.ts'

/** What a run can find wrong, in the order in which it is told. */
export type ProblemKind =
  | 'not-linearizable'
  | 'undecided'
  | 'lost'
  | 'applied-twice'
  | 'undead'
  | 'two-leaders'
  | 'replicas-differ'
  | 'died'
  | 'not-settled'
  | 'expectation'
  | 'step'

/** Something that must not be. */
export interface Problem {
  readonly kind: ProblemKind
  readonly text: string
}

/** A node as it was when everything was over. */
export interface FinalNode {
  readonly id: string
  readonly lastApplied: number
  readonly stateHash: string
}

/** What is to be judged. */
export interface Evidence {
  /** What the clients asked and were told. */
  readonly history: readonly HistoryEvent[]
  readonly unique: UniqueWrites
  /** The versions of the unique keys when everything was over; a key that is not there is left out. */
  readonly versions: ReadonlyMap<string, number>
  /** Who was seen to lead each term. */
  readonly leaders: ReadonlyMap<number, ReadonlySet<string>>
  readonly replicas: readonly FinalNode[]
}

/** What was judged, and how. */
export interface Judgement {
  /** Empty: all is well. */
  readonly problems: readonly Problem[]
  /** Undefined: the history could not be understood, which is a problem. */
  readonly check: CheckResult<unknown, KvInput, KvOutput> | undefined
}

/** How hard the checker tries by default. A history that it cannot decide is a failure. */
const MAX_STEPS = 20_000_000

/** Judges a run: pure, so that it can be shown that it catches what it is there to catch. */
export function judge(evidence: Evidence, options: { readonly maxSteps?: number } = {}): Judgement {
  const { problems, result } = judgeHistory(evidence.history, options.maxSteps ?? MAX_STEPS)
  return {
    problems: [
      ...problems,
      ...judgeUnique(evidence),
      ...judgeLeaders(evidence.leaders),
      ...judgeReplicas(evidence.replicas),
    ],
    check: result,
  }
}

function judgeHistory(
  history: readonly HistoryEvent[],
  maxSteps: number,
): { problems: Problem[]; result: Judgement['check'] } {
  try {
    const result = check(toOperations<KvInput, KvOutput>(history), kvModel, { maxSteps })
    if (result.verdict === 'violation') {
      return { problems: [{ kind: 'not-linearizable', text: renderText(result) }], result }
    }
    if (result.verdict === 'linearizable') return { problems: [], result }
    const text = `the checker could not decide within ${result.steps} steps: ${some(result.undecided)}`
    return { problems: [{ kind: 'undecided', text }], result }
  } catch (error) {
    if (!(error instanceof HistoryError)) throw error
    return { problems: [{ kind: 'undecided', text: error.message }], result: undefined }
  }
}

function judgeUnique({ unique, versions }: Evidence): Problem[] {
  const { acknowledged, unknown, failed } = unique
  const version = (key: string) => versions.get(key) ?? 0
  const lost = acknowledged.filter((key) => version(key) === 0)
  const twice = [...acknowledged, ...unknown, ...failed].filter((key) => version(key) > 1)
  const undead = failed.filter((key) => version(key) > 0)
  return [
    ...found('lost', lost, 'acknowledged, and not there'),
    ...found('applied-twice', twice, 'asked for once, and applied more often'),
    ...found('undead', undead, 'said to have failed for certain, and there'),
  ]
}

function judgeLeaders(leaders: Evidence['leaders']): Problem[] {
  return [...leaders]
    .filter(([, ids]) => ids.size > 1)
    .map(([term, ids]) => ({
      kind: 'two-leaders',
      text: `term ${term} had the leaders ${[...ids].sort().join(' and ')}`,
    }))
}

/** Nodes that have applied as much as each other must hold the same. */
function judgeReplicas(replicas: readonly FinalNode[]): Problem[] {
  const byIndex = new Map<number, FinalNode[]>()
  for (const node of replicas) {
    byIndex.set(node.lastApplied, [...(byIndex.get(node.lastApplied) ?? []), node])
  }
  return [...byIndex]
    .filter(([, nodes]) => new Set(nodes.map(({ stateHash }) => stateHash)).size > 1)
    .map(([index, nodes]) => {
      const hashes = nodes.map(({ id, stateHash }) => `${id} ${stateHash}`).join(', ')
      return { kind: 'replicas-differ', text: `after entry ${index} the states differ: ${hashes}` }
    })
}

function found(kind: ProblemKind, keys: readonly string[], what: string): Problem[] {
  return keys.length === 0 ? [] : [{ kind, text: `${what}: ${some(keys)}` }]
}

function some(keys: readonly string[]): string {
  return `${keys.slice(0, 8).join(', ')}${keys.length > 8 ? `, and ${keys.length - 8} more` : ''}`
}
