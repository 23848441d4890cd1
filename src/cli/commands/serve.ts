import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { Option } from 'commander'
import { pino } from 'pino'
import { ConfigurationError } from '../../errors.ts'
import { resolveConfig } from '../../server/config.ts'
import type { ConfigFile } from '../../server/config.ts'
import { environmentName, SETTING_KEYS, SETTINGS } from '../../server/settings.ts'
import type { RunningNode } from '../../server/node.ts'
import type { CliContext, Invocation } from '../context.ts'
import { stopSignal } from '../signals.ts'

/** How long a node may take to stop before its process ends all the same. */
const STOP_GRACE_MS = 10_000

type ServeOptions = { readonly config?: string; readonly withParent?: boolean } & Readonly<
  Record<string, string[]>
>

/** `balsa serve`: one node, in this process, until a signal or an error ends it. */
export function addServe(program: Command, invocation: Invocation): void {
  const command = program
    .command('serve')
    .description('run one node; each option can also be set as BALSA_<NAME> or in the file of --config')
    .configureHelp({ showGlobalOptions: false })
    .addOption(new Option('--config <file>', 'a JSON file of settings (or BALSA_CONFIG)'))
    .addOption(new Option('--with-parent', 'end when the parent process does').hideHelp())
  for (const key of SETTING_KEYS) {
    const { flag, placeholder, description, defaultText } = SETTINGS[key]
    const help = `${description} Default: ${defaultText.replaceAll('`', '')}. (${environmentName(flag)})`
    command.addOption(
      // All that was given is kept, so that a setting given twice is told instead of silently overridden.
      new Option(`--${flag} <${placeholder}>`, help).argParser((text, before: string[] = []) => [
        ...before,
        text,
      ]),
    )
  }
  command.action(async (options: ServeOptions) => {
    invocation.exitCode = await serve(options, invocation.context)
  })
}

/**
 * Runs a node until it stops.
 * @returns 0 where a signal asked for it
 * @throws StopError where it could not start or stopped by itself
 */
async function serve(
  { config: path, withParent, ...flags }: ServeOptions,
  context: CliContext,
): Promise<number> {
  // Listens for signals from the start: one that comes while the node starts counts too.
  using stop = stopSignal(context.signals, { withParent: withParent ?? false })
  const file = await readConfigFile(path ?? (context.env.BALSA_CONFIG || undefined))
  const { env, heapBytes } = context
  const { config, warnings } = resolveConfig({ flags, env, file, heapBytes })
  // Through the stream and not the descriptor: what is written there is out before the process ends.
  const logger = pino({ level: config.logLevel, base: { node: config.id } }, context.stdout)
  for (const warning of warnings) logger.warn(warning)
  let node: RunningNode | string
  try {
    const started = context.startNode(config, { logger, version: context.version })
    started.catch(() => {}) // told below, unless the process ends first
    // It may take minutes to check large files, and so far it has promised nothing.
    node = await Promise.race([started, stop.asked])
  } catch (error) {
    logger.fatal({ err: error }, 'the node could not start')
    throw error
  }
  if (typeof node === 'string') {
    logger.info({ reason: node }, 'the node is not started')
    return 0
  }
  const { clientAddress, peerAddress } = node
  logger.info({ clientAddress, peerAddress, dataDir: config.dataDir, pid: process.pid }, 'the node is up')
  const reason = await Promise.race([node.stopped.then((error) => error ?? 'stopped'), stop.asked])
  if (typeof reason !== 'string') {
    logger.fatal({ err: reason }, 'the node stopped')
    throw reason
  }
  logger.info({ reason }, 'the node stops')
  await bounded(node.stop(), STOP_GRACE_MS)
  const late = await bounded(node.stopped, STOP_GRACE_MS)
  if (late) throw late
  logger.info('the node has stopped')
  return 0
}

/** What a promise resolves to, or undefined where it takes longer than it may. */
async function bounded<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}

async function readConfigFile(path: string | undefined): Promise<ConfigFile | undefined> {
  if (path === undefined) return undefined
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { message } = error as Error
    throw new ConfigurationError(`The configuration file cannot be read: ${message}. Check --config.`, {
      cause: error,
    })
  }
  try {
    return { path, content: JSON.parse(text) as unknown }
  } catch (error) {
    throw new ConfigurationError(`${path} is not JSON: ${(error as Error).message}`, { cause: error })
  }
}
