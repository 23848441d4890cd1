import type { Command } from 'commander'
import type { CliClient, Invocation } from '../context.ts'
import { write } from '../context.ts'
import { globalOptions } from '../global-options.ts'
import type { GlobalOptions } from '../global-options.ts'

/** What the action of a command that talks to a cluster works with. */
export interface Call {
  readonly invocation: Invocation
  readonly client: CliClient
  readonly options: GlobalOptions
}

/** Runs an action with a client, closes the client whatever happens, and keeps the exit code. */
export async function withClient(
  command: Command,
  invocation: Invocation,
  action: (call: Call) => Promise<number>,
): Promise<void> {
  const options = globalOptions(command, invocation.context.env)
  const client = await invocation.context.connect({
    endpoints: options.endpoints,
    timeoutMs: options.timeoutMs,
  })
  try {
    invocation.exitCode = await action({ invocation, client, options })
  } finally {
    await client.close()
  }
}

/** Prints a result: `--json` as JSON on a line, else the words. */
export async function printResult(call: Call, result: unknown, words: string): Promise<void> {
  const text = call.options.json ? JSON.stringify(result) : words
  await write(call.invocation.context.stdout, `${text}\n`)
}

/** Says on standard error why the exit code is not 0, where `--json` does not say it on standard output. */
export async function printMiss(call: Call, words: string): Promise<void> {
  if (!call.options.json) await write(call.invocation.context.stderr, `balsa: ${words}\n`)
}
