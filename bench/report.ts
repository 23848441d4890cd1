import type { Availability } from './availability.ts'
import { escapeHtml, linePlot } from './plot.ts'
import type { Line, PlotOptions } from './plot.ts'
import type { Row } from './measure.ts'
import { readable } from './statistics.ts'
import { nameOf } from './table.ts'

const STYLE =
  'body{font:15px/1.4 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}' +
  'svg{max-width:100%;height:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}' +
  'td,th{padding:.2em .7em;text-align:right;border-bottom:1px solid #ddd}td:first-child{text-align:left}'

/** One HTML file that needs nothing else: the plots as SVG, and the figures as a table. */
export function htmlReport(about: string, rows: readonly Row[], availability?: Availability): string {
  const parts = [`<h1>Balsa: load on one machine</h1><p>${escapeHtml(about)}</p>`]
  if (rows.length > 0) {
    const plot = (title: string, y: string, pick: (row: Row) => number | undefined): void => {
      const options: PlotOptions = { title, x: 'operations in flight', y, logarithmicX: true }
      const lines = linesOf(rows, pick)
      if (lines.length > 0) parts.push(linePlot(lines, options))
    }
    plot('Throughput', 'operations a second', ({ opsPerSecond }) => opsPerSecond)
    plot('Median latency', 'p50, ms', ({ p50 }) => p50)
    plot('Tail latency', 'p99, ms', ({ p99 }) => p99)
    plot('Processor time of the leader', 'µs an operation', leaderOf('cpuUsPerOp'))
    parts.push(tableOfRows(rows))
  }
  if (availability) parts.push(availabilityOf(availability))
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>Balsa: load</title><style>${STYLE}</style>` +
    `<body>${parts.join('\n')}</body></html>\n`
  )
}

function leaderOf(field: 'cpuUsPerOp'): (row: Row) => number | undefined {
  return ({ processes }) => processes.find(({ role }) => role === 'leader')?.[field]
}

/** One line for each operation and size of values. */
function linesOf(rows: readonly Row[], pick: (row: Row) => number | undefined): Line[] {
  const lines = new Map<string, { name: string; points: [number, number][] }>()
  for (const row of rows) {
    const y = pick(row)
    if (y === undefined) continue
    const name = `${nameOf(row)}, ${row.valueBytes} B`
    const line = lines.get(name) ?? { name, points: [] }
    line.points.push([row.inFlight, y])
    lines.set(name, line)
  }
  return [...lines.values()]
}

function tableOfRows(rows: readonly Row[]): string {
  const head = ['operation', 'bytes', 'in flight', 'ops/s', 'p50', 'p95', 'p99', 'p99.9 ms', 'errors']
  const cells = (row: Row): (string | number)[] => [
    ...[nameOf(row), row.valueBytes, row.inFlight, row.opsPerSecond.toLocaleString('en-US')],
    ...[row.p50, row.p95, row.p99, row.p999].map(readable),
    row.errors,
  ]
  const lines = rows.map(
    (row) =>
      `<tr>${cells(row)
        .map((cell) => `<td>${escapeHtml(`${cell}`)}</td>`)
        .join('')}</tr>`,
  )
  return `<table><tr>${head.map((name) => `<th>${name}</th>`).join('')}</tr>${lines.join('')}</table>`
}

function availabilityOf({ seconds, inFlight, withoutServiceMs }: Availability): string {
  const line = (name: string, pick: 'acknowledged' | 'errors'): Line => ({
    name,
    points: seconds.map((second) => [second.second, second[pick]]),
  })
  const plot = linePlot([line('acknowledged', 'acknowledged'), line('errors', 'errors')], {
    title: `Puts while the leader is killed and comes back, ${inFlight} in flight`,
    x: 'seconds',
    y: 'puts in the second',
    marks: seconds.flatMap(({ second, event }) => (event === undefined ? [] : [{ x: second, text: event }])),
  })
  return `${plot}<p>Without service: ${withoutServiceMs} ms.</p>`
}
