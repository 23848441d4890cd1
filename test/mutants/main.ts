import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import { line, medianSeeds, table } from './report.ts'
import { MUTANTS } from './table.ts'
import { Workshop } from './workshop.ts'

interface Options {
  readonly only: readonly string[]
  readonly third?: number
  readonly jobs: number
  readonly list?: boolean
}

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

await new Command('mutants')
  .description('Builds seeded bugs into copies of the source, and sees to it that each is caught.')
  .option('--only <name…>', 'only mutants whose name contains one of these', split, [])
  .option('--third <n>', 'the first, second or third third of the table: 1, 2 or 3', third)
  .option('--jobs <n>', 'how many at a time', wholeNumber, availableParallelism())
  .option('--list', 'say which mutants there are')
  .action(main)
  .parseAsync()

async function main(options: Options): Promise<void> {
  const mutants = MUTANTS.filter(
    ({ name }, position) =>
      (options.only.length === 0 || options.only.some((part) => name.includes(part))) &&
      (options.third === undefined || position % 3 === options.third - 1),
  )
  if (options.list) {
    for (const { name, mistake } of mutants) console.log(`${name}: ${mistake}`)
    return
  }
  const abort = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort())
  const began = performance.now()
  using workshop = new Workshop(ROOT, options.jobs, abort.signal)
  let tried = 0
  const verdicts = await workshop.tryAll(mutants, (verdict) => {
    console.log(`[${++tried}/${mutants.length}] ${line(verdict)}`)
  })
  if (abort.signal.aborted) {
    process.exitCode = 130
    return
  }
  console.log('the same tests and seeds on the unchanged source …')
  const problems: string[] = []
  await workshop.unchanged(verdicts, (problem) => {
    problems.push(problem)
    console.log(`✖ the unchanged source fails: ${problem}`)
  })
  const caught = verdicts.filter((verdict) => verdict.caught !== undefined)
  console.log(`\n${table(verdicts)}\n`)
  console.log(
    `unchanged source: ${problems.length === 0 ? 'everything passes' : `${problems.length} failures`}`,
  )
  console.log(`seeds until caught: median ${medianSeeds(verdicts) ?? 'none'}`)
  console.log(`${((performance.now() - began) / 1000).toFixed(0)} s with ${options.jobs} at a time`)
  console.log(`mutants: ${verdicts.length}, caught: ${caught.length}`)
  // In the words that .ci/run repeats at its very end.
  for (const problem of problems) console.log(`failed: the unchanged source: ${problem}`)
  for (const { mutant, caught } of verdicts)
    if (caught === undefined) console.log(`failed: not caught: ${mutant.name}`)
  if (verdicts.length === 0 || caught.length < verdicts.length || problems.length > 0) process.exitCode = 1
}

function split(list: string): string[] {
  return list.split(',')
}

function wholeNumber(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('A whole number from 1 on.')
  return number
}

function third(text: string): number {
  if (!['1', '2', '3'].includes(text)) throw new InvalidArgumentError('1, 2 or 3.')
  return Number(text)
}
