import { type Command, Option } from 'commander'
import type { Entry } from '../../client/entry.ts'
import type { Invocation } from '../context.ts'
import { write } from '../context.ts'
import { ExitCode } from '../failure.ts'
import { callOptions } from '../global-options.ts'
import { addNotationOptions, decode, encode, jsonEntry, notationOf, parseRevision } from '../values.ts'
import type { Notation } from '../values.ts'
import { withClient } from './key-value.ts'

interface GetOptions {
  readonly raw?: boolean
  readonly hex?: boolean
  readonly base64?: boolean
  readonly revision?: number
}

/** `balsa get K [K …]`: prints the values, and exits with 1 where a key is missing. */
export function addGet(program: Command, invocation: Invocation): void {
  const command = program
    .command('get')
    .description('print the values of keys, a line each; exits with 1 if one is missing')
    .argument('<keys...>', 'one key or several, read at one moment')
    .option('--raw', 'no newline after a value')
    .addOption(
      new Option('--revision <r>', 'as they were at this revision of the store').argParser(parseRevision),
    )
  addNotationOptions(command).action(async (keys: string[], given: GetOptions) => {
    const notation = notationOf(given)
    const wanted = keys.map((key) => decode(key, notation))
    await withClient(command, invocation, async ({ client, options }) => {
      const { revision, entries } = await client.read(wanted, {
        ...callOptions(options),
        ...(given.revision !== undefined && { revision: given.revision }),
      })
      const { stdout } = invocation.context
      if (options.json) {
        const shown = entries.map((entry) => jsonEntry(entry, notation))
        await write(stdout, `${JSON.stringify({ revision, entries: shown })}\n`)
      } else {
        await write(stdout, valuesOf(entries, notation, given.raw ?? false))
      }
      return entries.includes(undefined) ? ExitCode.NotFound : ExitCode.Ok
    })
  })
}

function valuesOf(entries: readonly (Entry | undefined)[], notation: Notation, raw: boolean): Uint8Array {
  const newline = Buffer.from(raw ? '' : '\n')
  return Buffer.concat(
    entries.flatMap((entry) => {
      if (!entry) return []
      // A value that is not text goes out as the bytes that it is, so that it can be piped into a file.
      return [notation === 'utf8' ? entry.value : Buffer.from(encode(entry.value, notation)), newline]
    }),
  )
}
