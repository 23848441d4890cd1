import type { Command } from 'commander'
import type { Invocation } from '../context.ts'
import { ExitCode } from '../failure.ts'
import { callOptions } from '../global-options.ts'
import { parseRevision } from '../values.ts'
import { printResult, withClient } from './key-value.ts'

/** `balsa compact R`: history before revision R is given up. */
export function addCompact(program: Command, invocation: Invocation): void {
  const command = program
    .command('compact')
    .description('give up history: what was before a revision cannot be read any more')
    .argument('<revision>', 'the oldest revision that can be read from then on', parseRevision)
    .action(async (oldest: number) => {
      await withClient(command, invocation, async (call) => {
        const { revision } = await call.client.compact(oldest, callOptions(call.options))
        const words = `history before revision ${oldest} is given up (the store is at ${revision})`
        await printResult(call, { revision }, words)
        return ExitCode.Ok
      })
    })
}
