import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import type { Consistency, ReadOptions } from '../client/arguments.ts'
import { SettingProblem } from '../server/setting-kinds.ts'
import { parseAddress } from '../server/settings.ts'
import { UsageError } from './failure.ts'

export const DEFAULT_ENDPOINTS = '127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003'
const DEFAULT_TIMEOUT = '5s'
const CONSISTENCIES = ['linearizable', 'stale', 'lease'] as const
const UNITS = { ms: 1, s: 1000, m: 60_000 } as const
const LONGEST_MS = 86_400_000

/** The options that every command takes, before or after its name. */
export interface GlobalOptions {
  readonly endpoints: readonly string[]
  readonly json: boolean
  readonly timeoutMs: number
  readonly consistency: Consistency
}

/** Adds the global options to the program. */
export function addGlobalOptions(program: Command): void {
  program
    .addOption(
      new Option(
        '--endpoints <a,b,c>',
        `client addresses of the nodes (or BALSA_ENDPOINTS; default ${DEFAULT_ENDPOINTS})`,
      ).argParser((text) => checked(() => parseEndpoints(text))),
    )
    .addOption(new Option('--json', 'print JSON, errors too'))
    .addOption(
      new Option('--time-out <duration>', 'how long to try, such as 500ms, 5s or 1m')
        .default(parseDuration(DEFAULT_TIMEOUT), DEFAULT_TIMEOUT)
        .argParser((text) => checked(() => parseDuration(text))),
    )
    .addOption(
      new Option(
        '--consistency <how>',
        'how reads are confirmed (lease: as linearizable, until there are leases)',
      )
        .choices(CONSISTENCIES)
        .default('linearizable' satisfies Consistency),
    )
}

/**
 * The global options as given to a command.
 * @throws UsageError where BALSA_ENDPOINTS is wrong
 */
export function globalOptions(
  command: Command,
  env: Readonly<Record<string, string | undefined>>,
): GlobalOptions {
  const given = command.optsWithGlobals<{
    endpoints?: string[]
    json?: boolean
    timeOut: number
    consistency: Consistency
  }>()
  return {
    endpoints: given.endpoints ?? endpointsOf(env),
    json: given.json ?? false,
    timeoutMs: given.timeOut,
    consistency: given.consistency,
  }
}

/** What the global options mean for a read; a write takes no notice of the consistency. */
export function callOptions({ timeoutMs, consistency }: GlobalOptions): ReadOptions {
  return { timeoutMs, consistency }
}

function endpointsOf(env: Readonly<Record<string, string | undefined>>): string[] {
  const text = env.BALSA_ENDPOINTS
  try {
    return parseEndpoints(text === undefined || text === '' ? DEFAULT_ENDPOINTS : text)
  } catch (error) {
    if (error instanceof SettingProblem) throw new UsageError(`BALSA_ENDPOINTS: ${error.message}`)
    throw error
  }
}

/** Reads a comma-separated list of `host:port`. Throws a SettingProblem. */
export function parseEndpoints(text: string): string[] {
  const endpoints = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  if (endpoints.length === 0) throw new SettingProblem('it is empty; give host:port, or several with commas')
  for (const endpoint of endpoints) parseAddress(endpoint)
  return [...new Set(endpoints)]
}

/** Reads a duration with its unit, such as `500ms`, `5s` or `1m`, into milliseconds. Throws a SettingProblem. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text.trim())
  if (!match) throw new SettingProblem('Give a number with its unit: 500ms, 5s or 1m.')
  const value = Math.round(Number(match[1]) * UNITS[match[2] as keyof typeof UNITS])
  if (value < 1 || value > LONGEST_MS) throw new SettingProblem('Give 1ms to 1440m.')
  return value
}

/** Turns a problem with an option's value into commander's own, which names the option. */
function checked<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof SettingProblem) throw new InvalidArgumentError(error.message)
    throw error
  }
}
