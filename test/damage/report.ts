import type { Outcome, Verdict } from './campaign.ts'
import { FILE_CLASSES } from './corruption.ts'

/** What a campaign found, by class of file. */
export function table(outcomes: readonly Outcome[]): string {
  const rows = Object.keys(FILE_CLASSES).map((fileClass) => {
    const of = outcomes.filter((outcome) => outcome.fileClass === fileClass)
    return [fileClass, of.length, count(of, 'detected'), count(of, 'harmless'), count(of, 'missed')]
  })
  return [['class of file', 'corruptions', 'detected', 'harmless', 'missed'], ...rows]
    .map(
      ([name, ...numbers]) => String(name).padEnd(14) + numbers.map((n) => String(n).padStart(12)).join(''),
    )
    .join('\n')
}

/** For whoever counts. */
export function lastLine(outcomes: readonly Outcome[]): string {
  const [detected, harmless, missed] = [
    count(outcomes, 'detected'),
    count(outcomes, 'harmless'),
    count(outcomes, 'missed'),
  ]
  return `corruptions: ${outcomes.length}, detected: ${detected}, harmless: ${harmless}, missed: ${missed}`
}

function count(outcomes: readonly Outcome[], wanted: Verdict): number {
  return outcomes.filter(({ verdict }) => verdict === wanted).length
}
