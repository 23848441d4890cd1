import type { RaftOptions } from '../../../src/raft/state.ts'
import type { Message, Term } from '../../../src/raft/types.ts'
import type { Found, Which } from './cluster.ts'

const OPTIONS: readonly string[] = [
  ...['electionTicks', 'heartbeatTicks', 'maxAppendBytes', 'maxInFlightBytes', 'maxInFlightEntries'],
  ...['maxTailBytes', 'maxApplyBytes', 'seed'],
]

const MESSAGE_TYPES: Readonly<Record<Message['type'], true>> = {
  preVote: true,
  preVoteReply: true,
  vote: true,
  voteReply: true,
  append: true,
  appendReply: true,
  heartbeat: true,
  heartbeatReply: true,
}

/** A line of a script that does something. */
export interface ScriptCommand {
  readonly text: string
  /** Which line it is, from 1. */
  readonly line: number
  /** It sets the scene: nothing is said of what it brings about. */
  readonly silent: boolean
  /** The block of comments that stands last before it. */
  readonly comment: string
}

/** A script, or one of its commands, makes no sense. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError'
}

/** The commands of a script with the comments that explain them. Throws ScriptError for a line of no known form. */
export function readScript(text: string): ScriptCommand[] {
  const commands: ScriptCommand[] = []
  let comment: string[] = []
  let inComment = false
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (line.startsWith('#')) {
      comment = [...(inComment ? comment : []), line.replace(/^#\s*/, '')]
    } else if (/^>>? \s*\S/.test(line)) {
      const silent = line.startsWith('>>')
      const words = line.slice(silent ? 3 : 2).trim()
      commands.push({ text: words, line: at + 1, silent, comment: comment.join(' ') })
    } else if (line.trim() !== '' && !line.startsWith('  ')) {
      throw new ScriptError(
        `line ${at + 1} is none of a script's: ${JSON.stringify(line)}. ` +
          'Comments begin with "#", commands with "> " (or ">> "), what they brought about with two spaces.',
      )
    }
    inComment = line.startsWith('#')
  }
  return commands
}

/** A whole number of at least `least`. Throws ScriptError for anything else. */
export function parseNumber(word: string | undefined, what: string, least = 0): number {
  const number = word === undefined || word === '' ? NaN : Number(word)
  if (!Number.isSafeInteger(number) || number < least) {
    throw new ScriptError(`${what} must be a whole number from ${least} on, and is ${word ?? 'missing'}`)
  }
  return number
}

/** What a client asks for. Throws ScriptError for what the model's state machine does not know. */
export function parseCommand(words: readonly string[]): string {
  const [verb, , value] = words
  const known =
    (verb === 'set' && words.length === 3 && value !== '') || (verb === 'delete' && words.length === 2)
  if (!known) throw new ScriptError('a command is `set KEY VALUE` or `delete KEY`')
  return words.join(' ')
}

/** `NAME=NUMBER …`. Throws ScriptError for an option that the core does not have. */
export function parseOptions(words: readonly string[]): Partial<RaftOptions> {
  const options: Record<string, number> = {}
  for (const word of words) {
    const [name = '', value] = word.split('=')
    if (!OPTIONS.includes(name)) {
      throw new ScriptError(`there is no option ${name}; there are: ${OPTIONS.join(', ')}`)
    }
    options[name] = parseNumber(value, name)
  }
  return options
}

/** `[TERM …] [term T]`. */
export function parseFound(words: readonly string[]): Found {
  const at = words.indexOf('term')
  const log: Term[] = (at === -1 ? words : words.slice(0, at)).map((word) => parseNumber(word, 'a term', 1))
  return at === -1 ? { log } : { log, term: parseNumber(words[at + 1], 'the term') }
}

/** `FROM->TO` and a type of message, each of which may be missing. */
export function parseWhich(words: readonly string[]): Which {
  const which: { -readonly [K in keyof Which]: Which[K] } = {}
  for (const word of words) {
    if (!word.includes('->')) {
      which.type = typeNamed(word)
      continue
    }
    const [from, to] = word.split('->')
    if (from) which.from = from
    if (to) which.to = to
  }
  return which
}

function typeNamed(word: string): Message['type'] {
  const types = Object.keys(MESSAGE_TYPES) as Message['type'][]
  const type = types.find((known) => known === word)
  if (type === undefined) {
    throw new ScriptError(`no message is of type ${word}; types are: ${types.join(', ')}`)
  }
  return type
}
