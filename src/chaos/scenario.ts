import { FaultsError } from './faults-error.ts'
import { checkSlowness } from './relay/link-faults.ts'
import type { Action, Expectation, Step } from './steps.ts'

/** A schedule that somebody wrote down, with what is expected. */
export interface Scenario {
  readonly name: string
  /** What it shows, for people. */
  readonly about: string
  /** The fewest nodes that it makes sense with. */
  readonly nodes: number
  readonly steps: readonly Step[]
}

type Fields = Readonly<Record<string, unknown>>

/** The fields of each step, beside what names it; those with `?` may be left out. */
const FIELDS: Readonly<Record<string, readonly string[]>> = Object.freeze({
  wait: ['wait'],
  ...Object.fromEntries(
    ['kill', 'stop', 'start', 'pause', 'resume', 'fillDisk'].map((name) => [`do ${name}`, ['node', 'as?']]),
  ),
  'do cut': ['from', 'to'],
  'do isolate': ['node', 'direction?', 'as?'],
  'do split': ['nodes'],
  'do slow': ['node', 'delayMs', 'lossRate'],
  'do heal': [],
  'do remember': ['node', 'as'],
  'expect service': ['within'],
  'expect no-service': ['for'],
  'expect leader': ['within', 'is?', 'not?', 'termOf?'],
  'expect role': ['node', 'role', 'within'],
  'expect agreement': ['within'],
  'expect no-failures': [],
})

const LONGEST_MS = 3_600_000
const WORDS: ReadonlySet<string> = new Set(['leader', 'follower', 'all'])

/**
 * Reads a scenario file: JSON, as docs/chaos.md says. Whether it knows the nodes that it names is told when it runs.
 * @throws FaultsError that names the step and says what is wrong with it
 */
export function parseScenario(text: string): Scenario {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (error) {
    throw new FaultsError(`it is not JSON: ${(error as Error).message}`)
  }
  const { name, about = '', nodes = 1, steps } = (content ?? {}) as Fields
  if (typeof name !== 'string' || name === '') throw new FaultsError('"name" must say what it is called')
  if (typeof about !== 'string') throw new FaultsError('"about" must be a text')
  if (typeof nodes !== 'number' || !Number.isInteger(nodes) || nodes < 1) {
    throw new FaultsError('"nodes" must be how many nodes it takes at least')
  }
  if (!Array.isArray(steps) || steps.length === 0) throw new FaultsError('"steps" must be a list of steps')
  const names = new Set<string>()
  const read = steps.map((step, index) => {
    try {
      return readStep(step, names)
    } catch (error) {
      if (!(error instanceof FaultsError)) throw error
      throw new FaultsError(`step ${index + 1} (${JSON.stringify(step)}): ${error.message}`)
    }
  })
  return Object.freeze({ name, about, nodes, steps: Object.freeze(read) })
}

function readStep(value: unknown, names: Set<string>): Step {
  if (typeof value !== 'object' || value === null) throw new FaultsError('a step is an object')
  const step = value as Fields
  const heads = ['wait', 'do', 'expect'].filter((head) => head in step)
  if (heads.length !== 1) throw new FaultsError('a step has one of "wait", "do" and "expect"')
  const head = heads[0]!
  const kind = head === 'wait' ? head : `${head} ${String(step[head])}`
  const fields = Object.hasOwn(FIELDS, kind) ? FIELDS[kind]! : undefined
  if (fields === undefined) throw new FaultsError(`there is no "${head}": "${String(step[head])}"`)
  checkFields(step, [head, 'note?', ...fields.filter((field) => field !== head)])
  if (head === 'wait') return { waitMs: duration(step.wait, 'wait') }
  if (typeof step.as === 'string') {
    if (WORDS.has(step.as)) throw new FaultsError(`"${step.as}" has a meaning already: choose another name`)
    names.add(step.as)
  }
  return head === 'do' ? readAction(step) : readExpectation(step, names)
}

function checkFields(step: Fields, fields: readonly string[]): void {
  const known = new Set(fields.map((field) => field.replace('?', '')))
  const foreign = Object.keys(step).find((field) => !known.has(field))
  if (foreign !== undefined) throw new FaultsError(`it has no "${foreign}"`)
  const missing = fields.find((field) => !field.endsWith('?') && !(field in step))
  if (missing !== undefined) throw new FaultsError(`"${missing}" is missing`)
  for (const field of ['node', 'from', 'to', 'as', 'is', 'not', 'termOf', 'note']) {
    if (field in step && (typeof step[field] !== 'string' || step[field] === '')) {
      throw new FaultsError(`"${field}" must be a text`)
    }
  }
}

function readAction(step: Fields): Action {
  if ('direction' in step && !['in', 'out', 'both'].includes(String(step.direction))) {
    throw new FaultsError('"direction" must be "in", "out" or "both"')
  }
  if (
    'nodes' in step &&
    !(Array.isArray(step.nodes) && step.nodes.every((each) => typeof each === 'string'))
  ) {
    throw new FaultsError('"nodes" must be a list of nodes')
  }
  if (step.do === 'slow') checkSlowness(step, 'slow')
  return Object.freeze(without(step, 'note')) as unknown as Action
}

function readExpectation({ within, for: how, ...rest }: Fields, names: Set<string>): Expectation {
  if ('role' in rest && rest.role !== 'leader' && rest.role !== 'follower') {
    throw new FaultsError('"role" must be "leader" or "follower"')
  }
  if (typeof rest.termOf === 'string' && !names.has(rest.termOf)) {
    throw new FaultsError(`no earlier step remembers "${rest.termOf}"`)
  }
  const times = {
    ...(within === undefined ? {} : { withinMs: duration(within, 'within') }),
    ...(how === undefined ? {} : { forMs: duration(how, 'for') }),
  }
  return Object.freeze({ ...without(rest, 'note'), ...times }) as unknown as Expectation
}

function without(fields: Fields, name: string): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => field !== name))
}

const UNITS = { ms: 1, s: 1000, m: 60_000 } as const

function duration(value: unknown, field: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(String(value))
  const milliseconds = match ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS] : Number.NaN
  if (!(milliseconds >= 1 && milliseconds <= LONGEST_MS)) {
    throw new FaultsError(`"${field}" must be a time such as "500ms", "5s" or "1m"`)
  }
  return Math.round(milliseconds)
}
