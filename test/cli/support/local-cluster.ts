import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClusterFileNode } from '../../../src/cli/cluster/cluster-file.ts'
import type { ClusterStatus, NodeStatus } from '../../../src/client/status.ts'
import { fakeWorld } from './fake-context.ts'
import type { FakeWorld } from './fake-context.ts'

/** The program that stands in for the nodes'. */
export const FAKE_NODE: readonly [string, string] = [
  process.execPath,
  fileURLToPath(new URL('fake-node.mjs', import.meta.url)),
]

export function clusterFile(dir: string): ClusterFileNode[] {
  return (JSON.parse(readFileSync(join(dir, 'cluster.json'), 'utf8')) as { nodes: ClusterFileNode[] }).nodes
}

/** A connection to a node that stands; its `close` event tells of the end of the node. */
export async function connected(address: string): Promise<Socket> {
  const [host, port] = address.split(':') as [string, string]
  for (;;) {
    const socket = connect({ host, port: Number(port) })
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.on('error', () => {})
    if (up) return socket
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Resolves when the other side is gone. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve()).resume()
  })
}

const UNKNOWN: NodeStatus = {
  id: '',
  clientAddress: '',
  peerAddress: '',
  reachable: true,
  role: null,
  term: null,
  commitIndex: null,
  lastApplied: null,
  firstIndex: null,
  lastIndex: null,
  revision: null,
  health: 'serving',
  stateHash: null,
  pid: null,
  version: null,
  dataDir: null,
  compactedRevision: null,
  checkpointIndex: null,
  disk: null,
}

/** What the fake nodes' status is to be. */
export function statusOf(
  leader: string | null,
  pids: Record<string, number | null>,
  term = 1,
): ClusterStatus {
  const nodes = Object.entries(pids).map(([id, pid]) => ({ ...UNKNOWN, id, pid, reachable: pid !== null }))
  return { leader, term, nodes }
}

export interface LocalWorld {
  readonly dir: string
  /** A run of `cluster start` in `dir` on free ports. Stops at the end of the test if it has not. */
  start(args?: readonly string[], env?: Record<string, string>): { world: FakeWorld; exit: Promise<number> }
  /** What every client's status says from now on. */
  status: ClusterStatus
}

/** Gives a test a directory of its own and fake nodes, and takes both away afterwards. */
export async function withLocalWorld(test: (local: LocalWorld) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'balsa-cluster-'))
  const runs: { world: FakeWorld; exit: Promise<number> }[] = []
  const local: LocalWorld = {
    dir,
    status: statusOf('n1', {}),
    start(args = [], env = {}) {
      const methods = { status: () => Promise.resolve(local.status) }
      const world = fakeWorld({ methods, self: FAKE_NODE, env: { PATH: process.env.PATH, ...env } })
      const port = args.includes('--base-port') ? [] : ['--base-port', '0']
      const run = { world, exit: world.run('cluster', 'start', '--dir', dir, ...port, ...args) }
      runs.push(run)
      return run
    },
  }
  try {
    await test(local)
  } finally {
    for (const { world, exit } of runs) {
      world.signals.emit('SIGTERM')
      await exit
    }
    await rm(dir, { recursive: true, force: true })
  }
}
