import { writeFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { defaultJobs, runAll } from './jobs.ts'
import { sequenceDiagram } from './mermaid.ts'
import { ALL_FAULTS, DEFAULT_PLAN, planOf } from './plan.ts'
import type { PlanOptions } from './plan.ts'
import { lastLine, progressLine, summary } from './report.ts'
import { run } from './run.ts'
import { shrink } from './shrink.ts'
import { Totals } from './totals.ts'
import type { TraceLine } from './trace.ts'
import type { Breach } from './world.ts'

interface Flags {
  readonly seeds: number
  readonly from: number
  readonly minutes?: number
  readonly jobs: number
  readonly nodes: number[]
  readonly faults: string[]
  readonly seconds?: number
  readonly rate?: number
  readonly only?: number[]
  readonly replay?: number
  readonly shrink?: number
  readonly trace?: boolean
  readonly mermaid?: string
  readonly window?: [number, number]
}

const PROGRESS_MS = 5000

function whole(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0)
    throw new InvalidArgumentError('It must be a whole number.')
  return number
}

function positive(text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new InvalidArgumentError('It must be a number above 0.')
  return number
}

function wholes(text: string): number[] {
  return text === '' ? [] : text.split(',').map(whole)
}

function sizes(text: string): number[] {
  const found = wholes(text)
  if (found.length === 0 || found.includes(0)) throw new InvalidArgumentError('It must be numbers from 1.')
  return found
}

function faultNames(text: string): string[] {
  if (text === 'none') return []
  const names = text.split(',')
  const unknown = names.find((name) => !ALL_FAULTS.includes(name))
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`There is no fault ${unknown}. There are: ${ALL_FAULTS.join(', ')}.`)
  }
  return names
}

function window(text: string): [number, number] {
  const [from, to] = text.split('-').map(Number)
  if (from === undefined || to === undefined || !(from < to))
    throw new InvalidArgumentError('Such as 12.5-14.')
  return [from * 1000, to * 1000]
}

const program = new Command('npm run sim --')
  .description(
    'Runs whole clusters on simulated machines, with everything going wrong, and checks every step.',
  )
  .option('--seeds <count>', 'how many runs', whole, 100)
  .option('--from <seed>', 'the first seed', whole, 1)
  .option('--minutes <minutes>', 'as many runs as fit in this time instead', positive)
  .option('--nodes <sizes>', 'sizes of clusters to choose from', sizes, [...DEFAULT_PLAN.nodes])
  .option('--faults <names>', 'faults to choose from, or `none`', faultNames, [...ALL_FAULTS])
  .option('--jobs <count>', 'processes at a time', whole, defaultJobs())
  .option('--seconds <seconds>', 'for how long things go wrong in each run', positive)
  .option('--rate <operations>', 'how many client operations come up in a simulated second', positive)
  .option('--only <numbers>', 'only these of the faults that the seed plans', wholes)
  .option('--replay <seed>', 'run this one seed again, exactly', whole)
  .option('--trace', 'with --replay: tell everything that happens')
  .option('--mermaid <file>', 'with --replay: write a sequence diagram')
  .option('--window <from-to>', 'seconds for the trace and the diagram; the diagram shows the last one')
  .option('--shrink <seed>', 'look for less that goes wrong and still breaks the rule', whole)
program.options.find(({ long }) => long === '--window')!.argParser(window)

const flags = program.parse().opts<Flags>()
const options: PlanOptions = {
  nodes: flags.nodes,
  faults: flags.faults,
  troubleMs: flags.seconds === undefined ? undefined : flags.seconds * 1000,
  only: flags.only,
  rate: flags.rate,
}

if (flags.replay !== undefined) await replay(flags.replay)
else if (flags.shrink !== undefined) await makeSmaller(flags.shrink)
else await runMany()

async function runMany(): Promise<void> {
  const totals = new Totals()
  const began = performance.now()
  const elapsed = (): number => performance.now() - began
  let seed = flags.from
  const next = () => {
    const over =
      flags.minutes === undefined ? seed >= flags.from + flags.seeds : elapsed() > flags.minutes * 60_000
    return over ? undefined : { ...options, seed: seed++ }
  }
  const failures: [seed: number, rule: string][] = []
  const fail = (failing: number, breach: Breach): void => {
    failures.push([failing, breach.rule])
    tell(failing, breach, options)
  }
  const progress = setInterval(() => console.log(progressLine(totals, elapsed())), PROGRESS_MS)
  try {
    await runAll(
      flags.jobs,
      next,
      (result) => {
        totals.add(result)
        if (result.breach !== undefined) fail(result.seed, result.breach)
      },
      ({ seed: lost }, why) => {
        totals.addLost()
        fail(lost, { rule: 'the run ends', what: why, at: 0 })
      },
    )
  } finally {
    clearInterval(progress)
  }
  console.log(summary(totals, elapsed()))
  // Once more, where they can be found after a long run.
  for (const [failing, rule] of failures) console.log(`${rule}: ${replayCommand(failing, options)}`)
  console.log(lastLine(totals))
  process.exitCode = totals.violations > 0 ? 1 : 0
}

async function replay(seed: number): Promise<void> {
  const lines: TraceLine[] = []
  const [from, to] = flags.window ?? [0, Infinity]
  const isWanted = flags.trace === true || flags.mermaid !== undefined
  const write = (line: TraceLine): void => {
    if (line.at < from || line.at > to) return
    if (flags.trace) console.log(inWords(line))
    if (flags.mermaid !== undefined) lines.push(line)
  }
  const plan = planOf(seed, options)
  const result = await run(plan, isWanted ? write : undefined)
  if (flags.mermaid !== undefined) {
    const shown = flags.window ? lines : lines.filter(({ at }) => at >= result.simulatedMs - 1000)
    const ids = Array.from({ length: plan.nodes }, (_, i) => `n${i + 1}`)
    writeFileSync(flags.mermaid, sequenceDiagram(shown, ids))
  }
  const totals = new Totals()
  totals.add(result)
  console.log(summary(totals, result.realMs))
  console.log(`trace hash: ${result.traceHash}`)
  if (result.breach !== undefined) tell(seed, result.breach, options)
  console.log(lastLine(totals))
  process.exitCode = result.breach === undefined ? 0 : 1
}

async function makeSmaller(seed: number): Promise<void> {
  const shrunk = await shrink(seed, options, (how) => console.log(how))
  if (shrunk === undefined) {
    console.log(`seed ${seed} breaks no rule`)
    return
  }
  console.log(`after ${shrunk.runs} runs these faults are left:`)
  for (const { at, fault, lastsMs } of shrunk.faults) {
    console.log(`  at ${(at / 1000).toFixed(3)} s ${fault.name}, for ${Math.round(lastsMs)} ms`)
  }
  tell(seed, shrunk.breach, shrunk.options)
  process.exitCode = 1
}

/** A rule was broken: which, how, and the one command that does it again. */
function tell(seed: number, { rule, what, at }: Breach, failing: PlanOptions): void {
  console.log(`\nseed ${seed}: ${rule} broken at ${(at / 1000).toFixed(3)} s: ${what}`)
  console.log(`  ${replayCommand(seed, failing)}\n`)
}

function replayCommand(seed: number, failing: PlanOptions): string {
  return `npm run sim -- --replay ${seed}${flagsOf(failing)}`
}

function flagsOf({ nodes, faults, troubleMs, only, rate }: PlanOptions): string {
  const parts = []
  if (String(nodes) !== String(DEFAULT_PLAN.nodes)) parts.push(` --nodes ${nodes.join(',')}`)
  if (String(faults) !== String(ALL_FAULTS)) parts.push(` --faults ${faults.join(',') || 'none'}`)
  if (troubleMs !== undefined) parts.push(` --seconds ${troubleMs / 1000}`)
  if (rate !== undefined) parts.push(` --rate ${rate}`)
  if (only !== undefined) parts.push(` --only ${only.join(',')}`)
  return parts.join('')
}

function inWords({ at, who, to, what }: TraceLine): string {
  return `${(at / 1000).toFixed(4).padStart(8)} ${who}${to === undefined ? '' : ` → ${to}`} ${what}`
}
