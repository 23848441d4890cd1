import type { Totals } from './totals.ts'

/** How it goes, in a line. `elapsedMs`: since it began. */
export function progressLine(totals: Totals, elapsedMs: number): string {
  const { seeds, simulatedMs, violations, operations, faults } = totals
  const faultCount = [...faults.values()].reduce((sum, count) => sum + count, 0)
  return [
    `${seeds} seeds`,
    `${(seeds / (elapsedMs / 1000)).toFixed(1)}/s`,
    `${Math.round(simulatedMs / 1000)} s simulated (${Math.round(simulatedMs / elapsedMs)} times real time)`,
    `${faultCount} faults of ${faults.size} kinds`,
    `${operations} operations, ${totals.outcomes.get('ok') ?? 0} ok`,
    `${violations} violations`,
  ].join(' · ')
}

/** All that was counted. */
export function summary(totals: Totals, elapsedMs: number): string {
  const { events, realMs, simulatedMs, checks, operations, committed } = totals
  const eventsAMinute = Math.round((events / realMs) * 60_000)
  const lines = [
    section('clusters by size', totals.nodes),
    section('faults', totals.faults),
    section('operations', totals.outcomes),
    section('role transitions', totals.transitions),
    `time: ${(elapsedMs / 1000).toFixed(1)} s real, ${(simulatedMs / 1000).toFixed(0)} s simulated: ` +
      `${(simulatedMs / elapsedMs).toFixed(1)} times real time, ` +
      `${(simulatedMs / realMs).toFixed(1)} times a process's own`,
    `events: ${events}, ${eventsAMinute} a minute and process, invariants checked after ${checks} steps`,
    `entries committed: ${committed}, elections won: ${totals.leaders}, ` +
      `seeds with a change of leader: ${totals.leaderChanges}, ` +
      `operations a simulated second: ${(operations / (simulatedMs / 1000)).toFixed(1)}`,
  ]
  return lines.join('\n')
}

/** The line that ends every report. */
export function lastLine({ seeds, histories, violations }: Totals): string {
  return `seeds: ${seeds}, histories: ${histories}, violations: ${violations}`
}

function section(title: string, counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
  return `${title}: ${sorted.map(([name, count]) => `${name} ${count}`).join(', ') || 'none'}`
}
