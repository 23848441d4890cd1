import { Command, CommanderError } from 'commander'
import { write } from './context.ts'
import type { CliContext, Invocation } from './context.ts'
import { ExitCode, explain, formatFailure } from './failure.ts'
import { addGlobalOptions } from './global-options.ts'

/** Adds a command to the program. */
export type AddCommand = (program: Command, invocation: Invocation) => void

const EXAMPLES = `
Examples:
  balsa cluster start                 three nodes on this machine
  balsa put greeting hello            balsa get greeting
  balsa cas greeting hello goodbye    balsa delete greeting
  echo hello | balsa put greeting -   balsa status

Exit codes: 0 done, 1 not found or condition not met, 2 wrong usage, 3 unavailable, timed out or unknown
(docs/errors.md has the others).`

/**
 * Runs the program on its arguments, without the names of Node and script.
 * @param commands the commands that it knows
 * @returns the exit code. It never throws: what goes wrong is told on standard error.
 */
export async function run(
  args: readonly string[],
  context: CliContext,
  commands: readonly AddCommand[],
): Promise<number> {
  const invocation: Invocation = { context, exitCode: ExitCode.Ok }
  try {
    await build(invocation, commands).parseAsync(args, { from: 'user' })
    return invocation.exitCode
  } catch (error) {
    if (error instanceof CommanderError && isHelp(error)) return error.exitCode === 0 ? 0 : ExitCode.Usage
    const failure = explain(error)
    await write(context.stderr, formatFailure(failure, wantsJson(args)))
    return failure.exitCode
  }
}

function build(invocation: Invocation, commands: readonly AddCommand[]): Command {
  const { stdout, stderr, version } = invocation.context
  const program = new Command('balsa')
    .description('A small, trustworthy key-value store replicated by Raft.')
    .version(version)
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      // An error is thrown as well, and told where that is caught: once, and as JSON where asked for.
      outputError: () => {},
    })
  addGlobalOptions(program)
  for (const add of commands) add(program, invocation)
  return program
}

function isHelp({ code }: CommanderError): boolean {
  return code === 'commander.help' || code === 'commander.helpDisplayed' || code === 'commander.version'
}

/** Whether errors are to be JSON, asked before (and whether or not) the arguments can be parsed. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return (end < 0 ? args : args.slice(0, end)).includes('--json')
}
