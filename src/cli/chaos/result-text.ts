import type { ChaosResult } from '../../chaos/result.ts'
import type { Colours } from '../commands/status.ts'

/** How many of the longest gaps are told of. */
const MOST_GAPS = 5

/** What came of a run, in words. The verdict is the last line. */
export function formatResult(result: ChaosResult, paint: Colours, again: string): string {
  const { operations, unique, checked, faults, expectations, problems, terms, skipped } = result
  const errors = Object.entries(operations.errors).map(([code, count]) => `${code} ${count}`)
  const byKind = [...new Set(faults.map(({ kind }) => kind))].map(
    (kind) => `${kind} ${faults.filter((fault) => fault.kind === kind).length}`,
  )
  const longest = [...result.gaps].sort((a, b) => b.toMs - b.fromMs - (a.toMs - a.fromMs)).slice(0, MOST_GAPS)
  const met = expectations.filter(({ wrong }) => wrong === undefined).length
  const lines = [
    `${result.name}: ${seconds(result.durationMs)}, seed ${result.seed}`,
    `  faults      ${byKind.join(', ') || 'none'}${skipped > 0 ? ` (${skipped} steps left out)` : ''}`,
    `  operations  ${operations.ok} ok, ${operations.failed} failed, ${operations.unknown} unknown` +
      (errors.length > 0 ? ` (${errors.join(', ')})` : ''),
    `  no success  ${longest.map(({ fromMs, toMs }) => `${seconds(toMs - fromMs)} at ${seconds(fromMs)}`).join(', ') || 'never for long'}`,
    `  history     ${checked.verdict}: ${checked.operations} operations on ${checked.keys} keys`,
    `  unique      ${unique.acknowledged} acknowledged, ${unique.unknown} unknown, ${unique.failed} failed`,
    `  leaders     of ${terms} terms, of ${result.loggedTerms} by the logs`,
    ...(expectations.length > 0 ? [`  expected    ${met} of ${expectations.length} were so`] : []),
    ...(again === '' ? [] : [`  ${again}`]),
    ...problems.map(({ kind, text }) => paint.bad(`PROBLEM (${kind}): ${text}`)),
    result.verdict === 'ok'
      ? paint.good('ok: nothing that was promised was broken')
      : paint.bad(`violation: ${problems.length} problem${problems.length === 1 ? '' : 's'}`),
  ]
  return `${lines.join('\n')}\n`
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}
