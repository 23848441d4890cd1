import { createInterface } from 'node:readline'
import type { Interface } from 'node:readline'
import type { Command } from 'commander'
import { write } from '../context.ts'
import type { CliClient, CliContext, Invocation } from '../context.ts'
import { ExitCode, explain, formatFailure, UsageError } from '../failure.ts'
import { globalOptions } from '../global-options.ts'
import type { GlobalOptions } from '../global-options.ts'
import { run } from '../run.ts'
import { historyFile, loadHistory, saveHistory } from '../shell/history.ts'
import { splitWords } from '../shell/words.ts'
import { colours } from './status.ts'
import { STORE_COMMANDS } from './store.ts'

const HELP = `  put KEY VALUE [KEY VALUE ...]   set keys, all or none
  get KEY [KEY ...]               print values
  delete KEY                      delete a key
  cas KEY OLD NEW                 set a key if it has the value OLD
                                  (or: cas KEY --if-revision R NEW, cas KEY --absent NEW)
  compact REVISION                give up history before a revision
  status                          show all nodes
  help                            this text; "get --help" and so on tell more
  exit                            leave (also ctrl-D)
Quote what has spaces: put greeting "hello world"
`

/** `balsa shell`: a prompt over one client. An error is told and the next line is read. */
export function addShell(program: Command, invocation: Invocation): void {
  const command = program
    .command('shell')
    .description('a prompt with put, get, delete, cas, compact and status')
    .action(async () => {
      const options = globalOptions(command, invocation.context.env)
      const { endpoints, timeoutMs } = options
      const client = await invocation.context.connect({ endpoints, timeoutMs })
      try {
        invocation.exitCode = await shell(invocation.context, client, options)
      } finally {
        await client.close()
      }
    })
}

/**
 * Reads lines until `exit` or the end of input.
 * @returns at a terminal 0; else the last exit code that was not 0, so that a script notices
 */
async function shell(context: CliContext, client: CliClient, options: GlobalOptions): Promise<number> {
  const atTerminal = context.stdin.isTTY === true && context.stdout.isTTY === true
  const historyPath = historyFile(context.env)
  const lines = createInterface({
    input: context.stdin,
    ...(atTerminal ? { output: context.stdout, terminal: true, history: loadHistory(historyPath) } : {}),
    prompt: colours(context).strong('balsa> '),
    historySize: 1000,
    removeHistoryDuplicates: true,
  })
  if (atTerminal) {
    lines.on('history', (history: string[]) => saveHistory(historyPath, history))
    await write(
      context.stdout,
      `Balsa ${context.version}, ${options.endpoints.join(', ')}. Type help or exit.\n`,
    )
  }
  let failed: number = ExitCode.Ok
  const inner = lineContext(context, client)
  for await (const line of prompted(lines, atTerminal)) {
    const code = await runLine(line, inner, options)
    if (code === 'exit') break
    if (code !== ExitCode.Ok) failed = code
  }
  lines.close()
  if (atTerminal) await write(context.stdout, '\n')
  return atTerminal ? ExitCode.Ok : failed
}

/** Lines one by one, with the prompt before each at a terminal. Ctrl-C drops the line, as shells do. */
async function* prompted(lines: Interface, atTerminal: boolean): AsyncGenerator<string> {
  if (atTerminal) {
    lines.on('SIGINT', () => {
      lines.write(null, { ctrl: true, name: 'e' })
      lines.write(null, { ctrl: true, name: 'u' })
    })
    lines.prompt()
  }
  for await (const line of lines) {
    yield line
    if (atTerminal) lines.prompt()
  }
}

/** The world of one line: the client stays open, and standard input is the prompt's. */
function lineContext(context: CliContext, client: CliClient): CliContext {
  const shared: CliClient = {
    read: (keys, options) => client.read(keys, options),
    putMany: (pairs, options) => client.putMany(pairs, options),
    delete: (key, options) => client.delete(key, options),
    cas: (key, condition, newValue, options) => client.cas(key, condition, newValue, options),
    compact: (revision, options) => client.compact(revision, options),
    status: (options) => client.status(options),
    close: () => Promise.resolve(),
  }
  return { ...context, connect: () => Promise.resolve(shared) }
}

async function runLine(line: string, context: CliContext, options: GlobalOptions): Promise<number | 'exit'> {
  try {
    const words = splitWords(line)
    if (words.length === 0) return ExitCode.Ok
    if (words[0] === 'exit' || words[0] === 'quit') return 'exit'
    if (words[0] === 'help' && words.length === 1) {
      await write(context.stdout, HELP)
      return ExitCode.Ok
    }
    if ((words[0] === 'put' || words[0] === 'cas') && words.includes('-')) {
      throw new UsageError('"-" reads standard input, which is the prompt here; for a dash write --hex 2d')
    }
    return await run([...shellOptions(options), ...words], context, STORE_COMMANDS)
  } catch (error) {
    const failure = explain(error)
    await write(context.stderr, formatFailure(failure, options.json))
    return failure.exitCode
  }
}

/** What the shell itself was given holds for each line that does not say otherwise. */
function shellOptions({ json, timeoutMs, consistency }: GlobalOptions): string[] {
  return ['--time-out', `${timeoutMs}ms`, '--consistency', consistency, ...(json ? ['--json'] : [])]
}
