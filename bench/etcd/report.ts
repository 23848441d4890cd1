import Table from 'cli-table3'
import { linePlot } from '../plot.ts'
import { percentileOf, readable, spreadOf } from '../statistics.ts'
import type { Spread } from '../statistics.ts'
import type { Run } from './pairs.ts'

/** Balsa's throughput in etcd's, over the pairs. */
export interface Ratio extends Spread {
  readonly load: Run['load']
  readonly op: string
  readonly inFlight: number
}

/** The times without service of each system, in milliseconds, in the order they were measured. */
export type Silences = Readonly<Record<string, readonly number[]>>

/**
 * Unary: each pair's run of Balsa in the run of etcd beside it. Library: each run of Balsa in the best that etcd did
 * unary at the same number in flight in any pair.
 */
export function ratiosOf(runs: readonly Run[]): Ratio[] {
  const ratios: Ratio[] = []
  for (const load of ['library', 'unary'] as const) {
    for (const [op, inFlight] of kindsOf(runs)) {
      const same = runs.filter((run) => run.op === op && run.inFlight === inFlight)
      const ours = same.filter((run) => run.system === 'balsa' && run.load === load)
      const theirs = same.filter((run) => run.system === 'etcd')
      if (ours.length === 0 || theirs.length === 0) continue
      const best = Math.max(...theirs.map(({ opsPerSecond }) => opsPerSecond))
      const figures = ours.map((run) => {
        const beside = theirs.find(({ pair }) => pair === run.pair)
        return run.opsPerSecond / (load === 'library' ? best : beside!.opsPerSecond)
      })
      ratios.push({ load, op, inFlight, ...spreadOf(figures) })
    }
  }
  return ratios
}

/** Each combination of operation and number in flight once, in the order they were measured. */
function kindsOf(runs: readonly Run[]): [string, number][] {
  const kinds = new Map<string, [string, number]>()
  for (const { op, inFlight } of runs) kinds.set(`${op} ${inFlight}`, [op, inFlight])
  return [...kinds.values()]
}

/** The ratios, one row each: what the comparison is about. */
export function ratioTable(ratios: readonly Ratio[]): string {
  const table = newTable([
    'load on balsa',
    'operation',
    'in flight',
    'balsa ÷ etcd',
    'least',
    'most',
    'pairs',
  ])
  for (const { load, op, inFlight, median, min, max, count } of ratios) {
    table.push([load, op, inFlight, readable(median), readable(min), readable(max), count])
  }
  return table.toString()
}

/** Medians over the pairs, one row for each system, load, operation and number in flight. */
export function runTable(runs: readonly Run[]): string {
  const table = newTable(
    ['system', 'load', 'operation', 'in flight', 'ops/s', 'p50 ms', 'p99 ms', 'errors'].concat(
      'leader CPU µs/op',
      'leader MB',
    ),
  )
  const groups = new Map<string, Run[]>()
  for (const run of runs) {
    const name = [run.op, run.inFlight, run.load, run.system].join(' ')
    groups.set(name, [...(groups.get(name) ?? []), run])
  }
  for (const group of groups.values()) {
    const { system, load, op, inFlight } = group[0]!
    const median = (pick: (run: Run) => number | undefined): string => {
      const figures = group.map(pick).filter((figure) => figure !== undefined)
      return figures.length === 0 ? '?' : readable(spreadOf(figures).median)
    }
    table.push([
      ...[system, load, op, inFlight, median((run) => Math.round(run.opsPerSecond))],
      ...[median(({ p50 }) => p50), median(({ p99 }) => p99)],
      group.reduce((sum, { errors }) => sum + errors, 0),
      ...[median(({ leaderCpuUs }) => leaderCpuUs), median(({ leaderRssBytes: b }) => b && b / 1e6)],
    ])
  }
  return table.toString()
}

const PLOT_HEIGHT = 360

/** Throughput over the number in flight, medians of the pairs, as one SVG: a plot for each operation, one below another. */
export function throughputPlot(runs: readonly Run[]): string {
  const ops = [...new Set(runs.map(({ op }) => op))]
  const plots = ops.map((op, i) => {
    const same = runs.filter((run) => run.op === op)
    const names = [...new Set(same.map(nameOf))]
    const lines = names.map((name) => {
      const ours = same.filter((run) => nameOf(run) === name)
      const points = kindsOf(ours).map(([, inFlight]): [number, number] => {
        const figures = ours
          .filter((run) => run.inFlight === inFlight)
          .map(({ opsPerSecond }) => opsPerSecond)
        return [inFlight, spreadOf(figures).median]
      })
      return { name, points }
    })
    const axes = { x: 'in flight', y: 'a second', logarithmicX: true }
    return `<g transform="translate(0 ${i * PLOT_HEIGHT})">${linePlot(lines, { title: `${op}s a second`, ...axes })}</g>`
  })
  const size = `viewBox="0 0 720 ${ops.length * PLOT_HEIGHT}" width="720" height="${ops.length * PLOT_HEIGHT}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100%" height="100%" fill="white"/>${plots.join('')}</svg>\n`
}

function nameOf({ system, load }: Run): string {
  return `${system}, ${load}`
}

/** Time without service, one row for each system. */
export function silenceTable(silences: Silences): string {
  const table = newTable(['without service after kill -9', 'p50 ms', 'p99 ms', 'least', 'most', 'kills'])
  for (const [system, figures] of Object.entries(silences)) {
    if (figures.length === 0) continue
    const { median, min, max, count } = spreadOf(figures)
    const p99 = percentileOf(
      figures.toSorted((a, b) => a - b),
      99,
    )
    table.push([system, readable(median), readable(p99), readable(min), readable(max), count])
  }
  return table.toString()
}

function newTable(head: string[]): Table.Table {
  return new Table({
    head,
    colAligns: head.map((_, i) => (i === 0 ? 'left' : 'right')),
    style: { head: [], border: [] },
  })
}
