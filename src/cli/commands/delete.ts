import type { Command } from 'commander'
import type { Invocation } from '../context.ts'
import { ExitCode } from '../failure.ts'
import { callOptions } from '../global-options.ts'
import { addNotationOptions, decode, display, notationOf } from '../values.ts'
import { printMiss, printResult, withClient } from './key-value.ts'

/** `balsa delete K`: exits with 1 where there is no such key. */
export function addDelete(program: Command, invocation: Invocation): void {
  const command = program
    .command('delete')
    .description('delete a key; exits with 1 if it is missing')
    .argument('<key>')
  addNotationOptions(command).action(
    async (word: string, given: { readonly hex?: boolean; readonly base64?: boolean }) => {
      const notation = notationOf(given)
      const key = decode(word, notation)
      await withClient(command, invocation, async (call) => {
        const { deleted, revision } = await call.client.delete(key, callOptions(call.options))
        if (deleted || call.options.json) {
          await printResult(call, { deleted, revision }, `deleted (revision ${revision})`)
        } else {
          await printMiss(call, `there is no key ${display(key, notation)}`)
        }
        return deleted ? ExitCode.Ok : ExitCode.NotFound
      })
    },
  )
}
