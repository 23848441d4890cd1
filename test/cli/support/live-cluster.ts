import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pino } from 'pino'
import { openBackup } from '../../../src/client/backup.ts'
import { BalsaClient } from '../../../src/client/client.ts'
import type { CliContext } from '../../../src/cli/context.ts'
import { COMMANDS } from '../../../src/cli/program.ts'
import { run } from '../../../src/cli/run.ts'
import { resolveConfig } from '../../../src/server/config.ts'
import { startNode } from '../../../src/server/node.ts'
import type { RunningNode } from '../../../src/server/node.ts'
import { reservePorts } from '../../support/ports.ts'
import { fakeWorld } from './fake-context.ts'

/** Where a node of this process is to run. */
export interface NodePlace {
  readonly id: string
  readonly dir: string
  /** Of all members. */
  readonly peers: string
  readonly clusterName: string
}

/** Starts a node in this process: real gRPC, real LevelDB. */
export function liveNode({ id, dir, peers, clusterName }: NodePlace): Promise<RunningNode> {
  const peerListen = peers
    .split(',')
    .find((peer) => peer.startsWith(`${id}=`))!
    .slice(id.length + 1)
  const times = { heartbeatMs: '50', electionMs: '300', minFreeBytes: '0' }
  const flags = { id, data: dir, listen: '127.0.0.1:0', peerListen, peers, clusterName, ...times }
  const { config } = resolveConfig({ flags, env: {} })
  return startNode(config, { logger: pino({ level: 'silent' }), version: '1.2.3' })
}

/** `n1=127.0.0.1:PORT,…` with ports on which nobody listens. */
export async function peersOf(count: number): Promise<string> {
  const ports = await reservePorts(count)
  return ports.map((port, i) => `n${i + 1}=127.0.0.1:${port}`).join(',')
}

/** A cluster in this process, over directories `DIR/n1`, … that may hold something already. */
export class LiveCluster implements AsyncDisposable {
  readonly nodes: readonly RunningNode[]
  readonly client: BalsaClient

  private constructor(nodes: readonly RunningNode[]) {
    this.nodes = nodes
    this.client = new BalsaClient({ endpoints: this.addresses, timeoutMs: 20_000 })
  }

  static async start(dir: string, count: number, clusterName: string): Promise<LiveCluster> {
    const peers = await peersOf(count)
    const ids = Array.from({ length: count }, (_, i) => `n${i + 1}`)
    const start = (id: string) => liveNode({ id, dir: join(dir, id), peers, clusterName })
    const cluster = new LiveCluster(await Promise.all(ids.map(start)))
    await cluster.#serving()
    return cluster
  }

  /** Every node knows the leader: a majority elects one before the last node is up. */
  async #serving(): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      const { nodes } = await this.client.status()
      if (nodes.length === this.nodes.length && nodes.every(({ health }) => health === 'serving')) return
      await setTimeout(20)
    }
    throw new Error('not all nodes serve')
  }

  get addresses(): string[] {
    return this.nodes.map(({ clientAddress }) => clientAddress)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close()
    await Promise.all(this.nodes.map((node) => node.stop()))
  }
}

/** Runs a command in this process, with real clients. */
export async function balsa(...args: string[]) {
  const world = fakeWorld({})
  const connect: CliContext['connect'] = (options) => Promise.resolve(new BalsaClient(options))
  const exitCode = await run(args, { ...world.context, connect, openBackup }, COMMANDS)
  return { exitCode, bytes: world.stdout.bytes, text: world.stdout.text, errors: world.stderr.text }
}

/** A directory of its own for a test, removed afterwards. */
export async function withDirectory(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'balsa-backup-'))
  try {
    await test(dir)
  } finally {
    await rm(dir, { recursive: true })
  }
}
