import { describe } from './workshop.ts'
import type { Verdict } from './workshop.ts'

/** What happened to a mutant, as one line. */
export function line({ mutant, caught, invalid, seconds }: Verdict): string {
  const time = `${seconds.toFixed(1)} s`
  if (invalid !== undefined) return `✖ ${mutant.name}: no mutant (${time}): ${invalid}`
  if (caught === undefined) return `✖ ${mutant.name}: survived ${describe(mutant.caughtBy)} (${time})`
  const seeds = caught.seeds === undefined ? '' : `, ${caught.seeds} ${caught.seeds === 1 ? 'seed' : 'seeds'}`
  return `✔ ${mutant.name} (${time}${seeds}): ${firstLine(caught.broke)}`
}

/** All verdicts as a Markdown table. */
export function table(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ mutant, caught, invalid, seconds }) => [
    `\`${mutant.name}\``,
    mutant.mistake,
    describe(mutant.caughtBy),
    invalid === undefined
      ? caught === undefined
        ? '**nothing**'
        : firstLine(caught.broke)
      : '**no mutant**',
    caught?.seeds === undefined ? '' : String(caught.seeds),
    seconds.toFixed(1),
  ])
  const head = ['mutant', 'mistake', 'caught by', 'what broke', 'seeds', 's']
  const escaped = [head, head.map(() => '---'), ...rows].map((row) =>
    row.map((cell) => cell.replaceAll('|', '\\|')),
  )
  return escaped.map((row) => `| ${row.join(' | ')} |`).join('\n')
}

/** The middle of the seeds that it took, over those that were caught by seeds; undefined: none was. */
export function medianSeeds(verdicts: readonly Verdict[]): number | undefined {
  const seeds = verdicts.flatMap(({ caught }) => caught?.seeds ?? []).sort((a, b) => a - b)
  return seeds[Math.floor(seeds.length / 2)]
}

const MAX_LENGTH = 160

function firstLine(text: string): string {
  const [first = ''] = text.trim().split('\n')
  return first.length > MAX_LENGTH ? `${first.slice(0, MAX_LENGTH)}…` : first
}
