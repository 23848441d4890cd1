import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { parseAddress } from '../../server/settings.ts'
import { UsageError } from '../failure.ts'

/** A node as `DIR/cluster.json` tells scripts of it. */
export interface ClusterFileNode {
  readonly id: string
  /** Null: it could not be started. */
  readonly pid: number | null
  readonly clientAddress: string
  readonly peerAddress: string
  readonly dataDir: string
  readonly restartCommand: string
}

/** What `DIR/cluster.json` holds. */
export interface ClusterFile {
  /** Where it is not the default: of a cluster that was restored. */
  readonly clusterName: string | undefined
  /** Where its relay is told what to do, `host:port`, where it has one: see docs/chaos.md. */
  readonly control?: string | undefined
  readonly nodes: readonly ClusterFileNode[]
}

const fileOf = (dir: string) => join(dir, 'cluster.json')

/**
 * The nodes that were started in a directory last, or undefined where none ever were.
 * @throws UsageError where the file is not what `cluster start` writes
 */
export function readClusterFile(dir: string): ClusterFile | undefined {
  let text: string
  try {
    text = readFileSync(fileOf(dir), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new UsageError(`${fileOf(dir)} cannot be read: ${(error as Error).message}`)
  }
  try {
    const { nodes, clusterName } = JSON.parse(text) as { nodes?: unknown; clusterName?: unknown }
    if (Array.isArray(nodes) && nodes.length > 0 && nodes.every(isNode)) {
      return { nodes, clusterName: typeof clusterName === 'string' ? clusterName : undefined }
    }
  } catch {
    // Told below, with the way out.
  }
  throw new UsageError(
    `${fileOf(dir)} is not what \`balsa cluster start\` writes. The nodes' data does not depend on it: ` +
      'delete that file and start again with the same --nodes as before',
  )
}

function isNode(value: unknown): value is ClusterFileNode {
  const node = value as Partial<Record<keyof ClusterFileNode, unknown>> | null
  return (
    typeof node === 'object' &&
    node !== null &&
    typeof node.id === 'string' &&
    typeof node.clientAddress === 'string' &&
    (node.pid === null || typeof node.pid === 'number')
  )
}

/** Writes `DIR/cluster.json`, whole or not at all: a script may read it at any moment. */
export function writeClusterFile(dir: string, { clusterName, control, nodes }: ClusterFile): void {
  mkdirSync(dir, { recursive: true })
  const draft = `${fileOf(dir)}.new`
  writeFileSync(draft, `${JSON.stringify({ clusterName, control, nodes }, undefined, 2)}\n`)
  renameSync(draft, fileOf(dir))
}

/** Those of the nodes that still run: their process lives and somebody listens at their address. */
export async function runningNodes(nodes: readonly ClusterFileNode[]): Promise<ClusterFileNode[]> {
  const alive = await Promise.all(
    nodes.map(async ({ pid, clientAddress }) => pid !== null && lives(pid) && (await listens(clientAddress))),
  )
  return nodes.filter((_, index) => alive[index])
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function listens(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(parseAddress(address))
    const answer = (listening: boolean) => {
      socket.destroy()
      resolve(listening)
    }
    socket.setTimeout(1000, () => answer(false))
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
  })
}
