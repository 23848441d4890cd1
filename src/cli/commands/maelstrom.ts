import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { pino } from 'pino'
import { systemClock } from '../../clock.ts'
import { READS } from '../../maelstrom/key-value.ts'
import type { MaelstromSettings } from '../../maelstrom/node.ts'
import type { CliContext, Invocation } from '../context.ts'
import { UsageError } from '../failure.ts'

/**
 * `balsa maelstrom`: a node of Maelstrom's network, on standard input and output, until the input ends.
 */
export function addMaelstrom(program: Command, invocation: Invocation): void {
  program
    .command('maelstrom')
    .description(
      'run one node as Maelstrom wants it: messages on standard input and output, all data in memory',
    )
    .configureHelp({ showGlobalOptions: false })
    .addOption(
      new Option('--reads <how>', 'confirmed by a majority, through the log, or (not linearizable) local')
        .choices(READS)
        .default('index'),
    )
    .addOption(milliseconds('--heartbeat-ms', 'how often the leader says that it lives').default(50))
    .addOption(
      milliseconds('--election-ms', 'how long a follower waits for it, up to twice this').default(500),
    )
    .action(async (settings: MaelstromSettings) => {
      await maelstrom(settings, invocation.context)
    })
}

async function maelstrom(settings: MaelstromSettings, { stdin, stdout, stderr }: CliContext): Promise<void> {
  const { heartbeatMs, electionMs } = settings
  if (electionMs < 3 * heartbeatMs) {
    throw new UsageError(`--election-ms ${electionMs} is less than three heartbeats of ${heartbeatMs} ms`)
  }
  // Loaded when it is needed: the other commands shall not wait for the server.
  const { runMaelstromNode } = await import('../../maelstrom/run.ts')
  const logger = pino({ base: {} }, stderr)
  const clock = systemClock({ keepAlive: true })
  await runMaelstromNode({ input: stdin, output: stdout, settings, clock, logger })
}

function milliseconds(flag: string, description: string): Option {
  return new Option(`${flag} <ms>`, description).argParser((text) => {
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (!(number >= 1 && number <= 3_600_000)) {
      throw new InvalidArgumentError('Give milliseconds: a whole number from 1.')
    }
    return number
  })
}
