import Table from 'cli-table3'
import type { ProcessCost, Row } from './measure.ts'
import { readable } from './statistics.ts'

/** The rows as a table for a terminal. */
export function tableOf(rows: readonly Row[]): string {
  const table = new Table({
    head: [
      ...['operation', 'bytes', 'in flight', 'ops/s', 'p50 ms', 'p95 ms', 'p99 ms', 'p99.9 ms', 'errors'],
      ...['leader µs/op', 'follower µs/op', 'client µs/op', 'leader MB'],
    ],
    colAligns: ['left', ...Array.from({ length: 12 }, () => 'right' as const)],
    style: { head: [], border: [] },
  })
  for (const row of rows) {
    table.push([
      ...[nameOf(row), row.valueBytes, row.inFlight, row.opsPerSecond.toLocaleString('en-US')],
      ...[row.p50, row.p95, row.p99, row.p999].map(readable),
      row.errors,
      ...(['leader', 'follower', 'client'] as const).map((role) => cpuOf(row.processes, role)),
      memoryOf(row.processes),
    ])
  }
  return table.toString()
}

/** The operation, with the percentage where it has one. */
export function nameOf(row: Pick<Row, 'op' | 'percent'>): string {
  return row.percent === undefined ? row.op : `${row.op} ${row.percent} %`
}

/** The mean over the processes of a role; empty where it is not known. */
function cpuOf(processes: readonly ProcessCost[], role: ProcessCost['role']): string {
  const costs = processes.filter((process) => process.role === role)
  if (costs.length === 0) return ''
  return readable(costs.reduce((sum, { cpuUsPerOp }) => sum + cpuUsPerOp, 0) / costs.length)
}

function memoryOf(processes: readonly ProcessCost[]): string {
  const leader = processes.find(({ role }) => role === 'leader')
  return leader === undefined ? '' : readable(leader.rssBytes / 1e6)
}
