import { Command, InvalidArgumentError } from 'commander'
import { runCampaign } from './campaign.ts'
import type { Outcome } from './campaign.ts'
import { lastLine, table } from './report.ts'

interface Flags {
  readonly count: number
  readonly seed: number
  readonly only?: number
  readonly verbose?: boolean
}

function whole(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0)
    throw new InvalidArgumentError('It must be a whole number.')
  return number
}

const program = new Command('npm run damage --')
  .description(
    'Damages files of a data directory at random, and holds what a node makes of it to what was there.',
  )
  .option('--count <count>', 'how many corruptions', whole, 630)
  .option('--seed <seed>', 'replays the corruptions of a run', whole, 1)
  .option('--only <number>', 'only this corruption of them', whole)
  .option('--verbose', 'tell every outcome')
const { count, seed, only, verbose } = program.parse().opts<Flags>()

function tell({ number, fileClass, file, what, verdict, detail }: Outcome): void {
  if (verdict !== 'missed' && !verbose && only === undefined) return
  console.log(`${number} ${verdict}: ${fileClass}, ${file} ${what}\n    ${detail}`)
}

console.log(`seed ${seed}; replay one with \`npm run damage -- --seed ${seed} --only NUMBER\``)
const outcomes = await runCampaign({ seed, count, only, onOutcome: tell })
console.log(table(outcomes))
console.log(lastLine(outcomes))
process.exitCode = outcomes.some(({ verdict }) => verdict === 'missed') ? 1 : 0
