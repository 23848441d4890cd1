import type { Command } from 'commander'
import { checkHealth, HealthService } from '../../client/health.ts'
import type { HealthState } from '../../client/health.ts'
import { write } from '../context.ts'
import type { Invocation } from '../context.ts'
import { ExitCode } from '../failure.ts'
import { globalOptions } from '../global-options.ts'

interface NodeHealth {
  readonly endpoint: string
  readonly state: HealthState | 'UNREACHABLE'
  readonly why?: string
}

/** `balsa health`: for probes and scripts. Exits with 0 if every node of `--endpoints` serves, else with 3. */
export function addHealth(program: Command, invocation: Invocation): void {
  const command = program
    .command('health')
    .description('ask the nodes of --endpoints whether they serve; exits with 3 if one does not')
    .option('--live', 'only whether the process lives and its disk works, leader or not')
  command.action(async ({ live }: { live?: true }) => {
    const { endpoints, json, timeoutMs } = globalOptions(command, invocation.context.env)
    const service = live ? HealthService.Node : HealthService.Kv
    const answers = await Promise.all(endpoints.map((endpoint) => ask(endpoint, service, timeoutMs)))
    const words = answers.map(({ endpoint, state, why }) =>
      why === undefined ? `${endpoint} ${state}` : `${endpoint} ${state} (${why})`,
    )
    const text = json ? JSON.stringify({ service, nodes: answers }) : words.join('\n')
    await write(invocation.context.stdout, `${text}\n`)
    const serving = answers.every(({ state }) => state === 'SERVING')
    invocation.exitCode = serving ? ExitCode.Ok : ExitCode.Unavailable
  })
}

async function ask(endpoint: string, service: string, timeoutMs: number): Promise<NodeHealth> {
  try {
    return { endpoint, state: await checkHealth(endpoint, service, timeoutMs) }
  } catch (error) {
    return { endpoint, state: 'UNREACHABLE', why: (error as Error).message }
  }
}
