import type { Command } from 'commander'
import type { Invocation } from '../context.ts'
import { ExitCode, UsageError } from '../failure.ts'
import { callOptions } from '../global-options.ts'
import { addNotationOptions, decode, decodeValues, notationOf } from '../values.ts'
import { printResult, withClient } from './key-value.ts'

/** `balsa put K V [K V …]`: all pairs or none, under one revision. */
export function addPut(program: Command, invocation: Invocation): void {
  const command = program
    .command('put')
    .description('set a key, or several at once: all or none')
    .argument('<pairs...>', 'key value [key value …]; "-" as a value reads standard input as it is')
    .usage('[options] <key> <value> [<key> <value> ...]')
  addNotationOptions(command).action(
    async (words: string[], given: { readonly hex?: boolean; readonly base64?: boolean }) => {
      if (words.length % 2 !== 0) {
        throw new UsageError(
          `put takes pairs of key and value; "${words.at(-1)}" has no value ("" is the empty one)`,
        )
      }
      const notation = notationOf(given)
      const keys = words.filter((_, index) => index % 2 === 0).map((word) => decode(word, notation))
      const texts = words.filter((_, index) => index % 2 === 1)
      const values = await decodeValues(texts, notation, invocation.context)
      const pairs = keys.map((key, index) => [key, values[index]!] as const)
      await withClient(command, invocation, async (call) => {
        const { revision } = await call.client.putMany(pairs, callOptions(call.options))
        await printResult(call, { revision }, `OK (revision ${revision})`)
        return ExitCode.Ok
      })
    },
  )
}
