import type { Command } from 'commander'
import { Option } from 'commander'
import type { CasCondition } from '../../client/arguments.ts'
import type { Entry } from '../../client/entry.ts'
import type { CliContext, Invocation } from '../context.ts'
import { ExitCode, UsageError } from '../failure.ts'
import { callOptions } from '../global-options.ts'
import {
  addNotationOptions,
  decode,
  decodeValues,
  display,
  jsonEntry,
  notationOf,
  parseRevision,
} from '../values.ts'
import type { Notation } from '../values.ts'
import { printMiss, printResult, withClient } from './key-value.ts'

interface CasOptions {
  readonly ifRevision?: number
  readonly absent?: boolean
  readonly hex?: boolean
  readonly base64?: boolean
}

/** `balsa cas K OLD NEW`, `cas K --if-revision R NEW`, `cas K --absent NEW`: exits with 1 where it does not hold. */
export function addCas(program: Command, invocation: Invocation): void {
  const command = program
    .command('cas')
    .description('set a key to a new value only if a condition holds; exits with 1 if it does not')
    .usage('[options] <key> (<old> <new> | --if-revision <r> <new> | --absent <new>)')
    .argument('<key>')
    .argument('<values...>', 'the value that must be there, then the new one; "-" reads standard input')
    .addOption(
      new Option('--if-revision <r>', 'if the key was last changed at this revision').argParser(
        parseRevision,
      ),
    )
    .addOption(new Option('--absent', 'if there is no such key').conflicts('ifRevision'))
  addNotationOptions(command).action(async (word: string, texts: string[], given: CasOptions) => {
    const notation = notationOf(given)
    const key = decode(word, notation)
    const { condition, newValue } = await read(texts, given, notation, invocation.context)
    await withClient(command, invocation, async (call) => {
      const options = callOptions(call.options)
      const { succeeded, revision, current } = await call.client.cas(key, condition, newValue, options)
      if (succeeded) {
        await printResult(call, { succeeded, revision }, `OK (revision ${revision})`)
        return ExitCode.Ok
      }
      if (call.options.json) {
        await printResult(call, { succeeded, revision, current: jsonEntry(current, notation) }, '')
      }
      await printMiss(call, `not changed: ${describe(current, notation)}`)
      return ExitCode.NotFound
    })
  })
}

async function read(
  texts: readonly string[],
  given: CasOptions,
  notation: Notation,
  context: CliContext,
): Promise<{ condition: CasCondition; newValue: Uint8Array }> {
  const needed = given.absent || given.ifRevision !== undefined ? 1 : 2
  if (texts.length !== needed) {
    throw new UsageError(
      needed === 1
        ? 'with --if-revision or --absent, cas takes a key and the new value'
        : 'cas takes a key, the value that must be there and the new value ' +
            '(or --if-revision or --absent instead of the second)',
    )
  }
  const values = await decodeValues(texts, notation, context)
  const newValue = values.at(-1)!
  if (given.absent) return { condition: { absent: true }, newValue }
  if (given.ifRevision !== undefined) return { condition: { modRevision: given.ifRevision }, newValue }
  return { condition: { value: values[0]! }, newValue }
}

function describe(current: Entry | undefined, notation: Notation): string {
  if (!current) return 'there is no such key'
  return `the key was last changed at revision ${current.modRevision} and has the value ${display(current.value, notation)}`
}
