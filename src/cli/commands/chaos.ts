import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import type { ChaosResult } from '../../chaos/result.ts'
import type { Scenario } from '../../chaos/scenario.ts'
import type { Step } from '../../chaos/steps.ts'
import { type ChaosTarget, FAULT_KINDS, type FaultKind } from '../../chaos/target.ts'
import { LiveView } from '../chaos/live-view.ts'
import { OutputFiles } from '../chaos/output-files.ts'
import { formatResult } from '../chaos/result-text.ts'
import { write } from '../context.ts'
import type { CliContext, Invocation } from '../context.ts'
import { ExitCode, UsageError } from '../failure.ts'
import { globalOptions } from '../global-options.ts'
import { stopSignal } from '../signals.ts'
import { colours } from './status.ts'

interface ChaosFlags {
  readonly dir: string
  readonly compose?: readonly string[]
  readonly project?: string
  readonly faults?: readonly FaultKind[]
  readonly minutes: number
  readonly seed?: number
  readonly scenario?: string
  readonly clients: number
  readonly report?: string
  readonly history?: string
}

const LARGEST_SEED = 2 ** 32 - 1

/** `balsa chaos`: faults for one's own cluster, and a verdict. Exits with 1 where something is violated. */
export function addChaos(program: Command, invocation: Invocation): void {
  const command = program
    .command('chaos')
    .description(
      'do faults to your own test cluster, under load, and judge what it did; exits with 1 on a violation',
    )
    .option('--dir <dir>', 'of a cluster that `balsa cluster start --relay` runs', '.balsa')
    .addOption(
      new Option('--compose <file...>', 'the compose files of a project that runs, instead').conflicts('dir'),
    )
    .option('--project <name>', 'the name of that project, where it is not the one in the files')
    .addOption(
      new Option(
        '--faults <a,b,…>',
        `which of ${FAULT_KINDS.join(', ')} (default: all that can be done there)`,
      ).argParser(parseKinds),
    )
    .addOption(
      new Option('--minutes <m>', 'for how long').default(1).argParser((text) => number(text, 0.05, 24 * 60)),
    )
    .addOption(
      new Option(
        '--seed <n>',
        'of the schedule and the load (default: one of its own, which it tells)',
      ).argParser((text) => number(text, 0, LARGEST_SEED, true)),
    )
    .addOption(
      new Option(
        '--scenario <file>',
        'the steps of a file instead of random ones: see docs/chaos.md',
      ).conflicts(['faults', 'minutes']),
    )
    .addOption(
      new Option('--clients <n>', 'how many clients make the load')
        .default(4)
        .argParser((text) => number(text, 1, 64, true)),
    )
    .option('--report <file>', 'write a page with the timeline and the verdict')
    .option('--history <file>', 'write what the clients saw, as `balsa check` reads it')
  command.action(async (flags: ChaosFlags) => {
    const { json } = globalOptions(command, invocation.context.env)
    invocation.exitCode = await chaos(flags, json, invocation.context)
  })
}

/** Loaded when needed: no other command shall wait for it. */
const loadChaos = () => import('../../chaos/index.ts')

async function chaos(flags: ChaosFlags, json: boolean, context: CliContext): Promise<number> {
  const { ChaosRun, FaultsError, parseScenario, renderChaosReport } = await loadChaos()
  await using files = await OutputFiles.make([flags.report, flags.history])
  try {
    const { scenario: path } = flags
    const scenario = path === undefined ? undefined : await readScenario(path, parseScenario)
    await using target = await openTarget(flags)
    const seed = flags.seed ?? Math.floor(Math.random() * LARGEST_SEED)
    const schedule = await scheduleOf(scenario, flags, seed, target)
    using stop = stopSignal(context.signals)
    const ended = new AbortController()
    void stop.asked.then(() => ended.abort())
    const paint = colours({ stdout: context.stderr, env: context.env })
    const views: LiveView[] = []
    const run = new ChaosRun({
      ...{ target, seed, clients: flags.clients, signal: ended.signal, ...schedule },
      onEvent: (event) => views.forEach((view) => view.event(event)),
    })
    using view = new LiveView(context.stderr, paint, () => run.snapshot())
    views.push(view)
    const { result, historyText, check } = await run.run()
    view[Symbol.dispose]()
    await files.write(flags.history, () => historyText)
    await files.write(flags.report, () => renderChaosReport(result, { check }))
    await write(
      context.stdout,
      json ? `${JSON.stringify(result)}\n` : formatResult(result, colours(context), again(flags, result)),
    )
    return result.verdict === 'ok' ? ExitCode.Ok : ExitCode.NotFound
  } catch (error) {
    if (error instanceof FaultsError) throw new UsageError(error.message)
    throw error
  }
}

/** Whom the faults are done to. Another kind of target is chosen here, by a flag of its own. */
async function openTarget({ dir, compose: files, project }: ChaosFlags): Promise<ChaosTarget> {
  const { LocalTarget, openComposeTarget } = await loadChaos()
  if (files !== undefined) return openComposeTarget({ files, ...(project === undefined ? {} : { project }) })
  if (project !== undefined)
    throw new UsageError('--project goes with --compose: say which files it is made of')
  return LocalTarget.open(dir)
}

async function scheduleOf(
  scenario: Scenario | undefined,
  { faults, minutes, compose }: ChaosFlags,
  seed: number,
  { nodes, supports }: ChaosTarget,
): Promise<{ name: string; steps: readonly Step[]; strict: boolean }> {
  if (scenario !== undefined) {
    if (nodes.length < scenario.nodes) {
      throw new UsageError(
        `"${scenario.name}" takes ${scenario.nodes} nodes; the cluster has ${nodes.length}`,
      )
    }
    return { name: scenario.name, steps: scenario.steps, strict: true }
  }
  const kinds = faults ?? [...supports]
  const foreign = kinds.find((kind) => !supports.has(kind))
  if (foreign !== undefined) {
    const way =
      supports.has('cut') || compose !== undefined
        ? ''
        : '. Start the cluster with `balsa cluster start --relay` for cut and slow'
    throw new UsageError(`"${foreign}" cannot be done there; it can do ${[...supports].join(', ')}${way}`)
  }
  const { randomSchedule } = await loadChaos()
  const steps = randomSchedule({ seed, nodes, kinds, durationMs: minutes * 60_000 })
  return { name: `random faults: ${kinds.join(', ')}`, steps, strict: false }
}

/** How to have the same schedule again, where it was a random one. */
function again({ scenario, faults, minutes }: ChaosFlags, { seed }: ChaosResult): string {
  if (scenario !== undefined) return ''
  const kinds = faults === undefined ? '' : ` --faults ${faults.join(',')}`
  return `The same schedule again: --seed ${seed} --minutes ${minutes}${kinds}`
}

async function readScenario(path: string, parse: (text: string) => Scenario): Promise<Scenario> {
  const text = await usable(path, () => readFile(path, 'utf8'))
  try {
    return parse(text)
  } catch (error) {
    throw new UsageError(`${basename(path)}: ${(error as Error).message}`)
  }
}

async function usable<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`)
  }
}

function parseKinds(text: string): FaultKind[] {
  const kinds = [...new Set(text.split(',').map((part) => part.trim()))]
  const foreign = kinds.find((kind) => !FAULT_KINDS.some((known) => known === kind))
  if (foreign !== undefined)
    throw new InvalidArgumentError(`There is no "${foreign}"; give some of ${FAULT_KINDS.join(', ')}.`)
  return kinds as FaultKind[]
}

function number(text: string, lowest: number, highest: number, isWhole = false): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= lowest && value <= highest) || (isWhole && !Number.isInteger(value))) {
    throw new InvalidArgumentError(`Give a ${isWhole ? 'whole ' : ''}number from ${lowest} to ${highest}.`)
  }
  return value
}
