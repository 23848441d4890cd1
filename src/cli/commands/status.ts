import Table from 'cli-table3'
import type { Command } from 'commander'
import type { ClusterStatus, NodeStatus } from '../../client/status.ts'
import type { CliContext, Invocation } from '../context.ts'
import { ExitCode } from '../failure.ts'
import { printResult, withClient } from './key-value.ts'

/** A node that does not answer within this time counts as unreachable. */
const LONGEST_WAIT_MS = 2000

/** `balsa status`: a row for every node; exits with 3 where there is no leader. */
export function addStatus(program: Command, invocation: Invocation): void {
  const command = program
    .command('status')
    .description('show all nodes of the cluster; exits with 3 if there is no leader')
    .option('--disk', 'what the data of each node takes of its disk, and what is left')
  command.action(async (options: { disk?: boolean }) => {
    await withClient(command, invocation, async (call) => {
      const timeoutMs = Math.min(call.options.timeoutMs, LONGEST_WAIT_MS)
      const status = await call.client.status({ timeoutMs })
      const table = options.disk ? diskTable : statusTable
      const words = table(status, colours(invocation.context))
      await printResult(call, status, words)
      return status.leader ? ExitCode.Ok : ExitCode.Unavailable
    })
  })
}

/** Paints text, or leaves it as it is. */
export interface Colours {
  good(text: string): string
  bad(text: string): string
  strong(text: string): string
}

/** Colours only where a person reads them: a terminal, without NO_COLOR (https://no-color.org). */
export function colours(context: Pick<CliContext, 'stdout' | 'env'>): Colours {
  const wanted = context.stdout.isTTY === true && (context.env.NO_COLOR ?? '') === ''
  const paint = (code: number) => (text: string) => (wanted ? `\u001b[${code}m${text}\u001b[0m` : text)
  return { good: paint(32), bad: paint(31), strong: paint(1) }
}

const DISK_HEAD = [
  'node',
  'log entries',
  'log',
  'state',
  'checkpoint',
  'age',
  'compacted',
  'free',
  'of',
  'space',
]

/** What each node's data takes of its disk, as a table for people. */
export function diskTable(status: ClusterStatus, paint: Colours): string {
  const words = new Set(['node', 'space'])
  const table = new Table({
    head: DISK_HEAD.map((title) => paint.strong(title)),
    colAligns: DISK_HEAD.map((title) => (words.has(title) ? 'left' : 'right')),
    style: { head: [], border: [] },
  })
  for (const node of status.nodes) table.push(diskRow(node, paint))
  return `${table.toString()}\n${summary(status, paint)}`
}

function diskRow({ id, disk, ...node }: NodeStatus, paint: Colours): string[] {
  if (disk === null) {
    const state = node.reachable ? 'unknown' : 'unreachable'
    return [id || '?', ...DISK_HEAD.slice(2).map(() => '-'), paint.bad(state)]
  }
  return [
    id,
    `${node.firstIndex}–${node.lastIndex}`,
    bytes(disk.logBytes),
    bytes(disk.stateBytes),
    `${node.checkpointIndex}`,
    `${(disk.checkpointAgeMs / 1000).toFixed(1)} s`,
    `${node.compactedRevision}`,
    bytes(disk.freeBytes),
    bytes(disk.totalBytes),
    disk.lowOnSpace ? paint.bad('low: no writes') : paint.good('enough'),
  ]
}

/** With three digits, in the units of 1024. */
function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let value = count
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`
}

const HEAD = ['', 'node', 'role', 'term', 'commit', 'applied', 'last', 'revision', 'address', 'health']

/** A status as a table for people, with a line on the leader below. */
export function statusTable(status: ClusterStatus, paint: Colours): string {
  const numeric = new Set(['term', 'commit', 'applied', 'last', 'revision'])
  const table = new Table({
    head: HEAD.map((title) => paint.strong(title)),
    colAligns: HEAD.map((title) => (numeric.has(title) ? 'right' : 'left')),
    // The package's own colours do not ask whether a terminal reads them.
    style: { head: [], border: [] },
  })
  for (const node of status.nodes) table.push(row(node, status.leader, paint))
  return `${table.toString()}\n${summary(status, paint)}`
}

function row(node: NodeStatus, leader: string | null, paint: Colours): string[] {
  const leads = node.id !== '' && node.id === leader
  const number = (value: number | null) => (value === null ? '-' : String(value))
  // Why a node cannot be reached is the system's long story; the table says that it cannot, JSON says why.
  const health = node.reachable ? node.health : 'unreachable'
  return [
    leads ? paint.good('*') : '',
    node.id || '?',
    node.role ?? '-',
    number(node.term),
    number(node.commitIndex),
    number(node.lastApplied),
    number(node.lastIndex),
    number(node.revision),
    node.clientAddress || '-',
    health === 'serving' ? paint.good(health) : paint.bad(health),
  ]
}

function summary({ leader, term, nodes }: ClusterStatus, paint: Colours): string {
  const reachable = nodes.filter((node) => node.reachable).length
  const count = `${reachable} of ${nodes.length} nodes answer`
  if (leader) return `${leader} leads in term ${term}; ${count}.`
  return paint.bad(`There is no leader; ${count}. A majority of the nodes must run and reach each other.`)
}
