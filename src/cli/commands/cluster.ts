import type { Command } from 'commander'
import { Option, InvalidArgumentError } from 'commander'
import type { Invocation } from '../context.ts'
import { startCluster } from '../cluster/start.ts'

/** A machine's ports end here; the peer ports lie this far above the client ports. */
const HIGHEST_PORT = 65_535

/** `balsa cluster start`: a cluster of processes on this machine, for trying it out and for development. */
export function addCluster(program: Command, invocation: Invocation): void {
  const cluster = program
    .command('cluster')
    .description('run a whole cluster on this machine')
    .configureHelp({ showGlobalOptions: false })
  cluster
    .command('start')
    .description('start the nodes, a process each, and watch them until ctrl-C')
    .addOption(
      new Option('--nodes <n>', 'how many nodes, 1 to 9 (default: as the directory has, or 3)').argParser(
        (text) => wholeNumber(text, 1, 9),
      ),
    )
    .option('--dir <dir>', 'where the nodes keep their data and logs', '.balsa')
    .addOption(
      new Option(
        '--base-port <port>',
        'client ports from here on, peer ports 1000 above; 0: any that are free',
      )
        .default(7001)
        .argParser((text) => wholeNumber(text, 0, HIGHEST_PORT - 1008)),
    )
    .option('--relay', 'the nodes reach each other through a relay: for faults of links by `balsa chaos`')
    .action(async (options: { nodes?: number; dir: string; basePort: number; relay?: boolean }) => {
      invocation.exitCode = await startCluster(options, invocation.context)
    })
}

function wholeNumber(text: string, lowest: number, highest: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= lowest && value <= highest)) {
    throw new InvalidArgumentError(`Give a whole number from ${lowest} to ${highest}.`)
  }
  return value
}
