import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freeBasePort } from './ports.ts'

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

/** Where ports are looked for unless the caller says otherwise. */
const BASE_PORT = 21_001
const PEER_PORT_OFFSET = 1000

/** One node, as cluster.json has it. */
export interface LocalNode {
  readonly id: string
  readonly pid: number
  readonly clientAddress: string
  readonly dataDir: string
  /** A shell's command line. */
  readonly restartCommand: string
}

/** A cluster of real processes on this machine, in a directory that goes with it. */
export interface LocalCluster extends AsyncDisposable {
  readonly endpoints: readonly string[]
  readonly nodes: readonly LocalNode[]
}

export interface LocalClusterOptions {
  /** A directory that holds such a cluster already, or shall; a new one by default, which goes at the end. */
  readonly dir?: string | undefined
  /** The lowest client port to try. */
  readonly basePort?: number | undefined
}

/** Starts `nodes` nodes as `balsa cluster start` does, as shipped, on free ports, on the Node that BALSA_NODE names. */
export async function startLocalCluster(
  nodes: number,
  options: LocalClusterOptions = {},
): Promise<LocalCluster> {
  const parent = await mkdtemp(join(tmpdir(), 'balsa-bench-'))
  const dir = options.dir ?? join(parent, 'cluster')
  const basePort = await freeBasePort(options.basePort ?? BASE_PORT, nodes, PEER_PORT_OFFSET)
  const args = ['cluster', 'start', '--nodes', `${nodes}`, '--dir', dir, '--base-port', `${basePort}`]
  const child = spawn(process.env.BALSA_NODE ?? process.execPath, [CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  try {
    await ready(child)
  } catch (error) {
    await rm(parent, { recursive: true, force: true })
    throw error
  }
  const file = JSON.parse(await readFile(join(dir, 'cluster.json'), 'utf8')) as { nodes: LocalNode[] }
  return {
    endpoints: file.nodes.map(({ clientAddress }) => clientAddress),
    nodes: file.nodes,
    async [Symbol.asyncDispose]() {
      await endProcess(child, 'SIGTERM')
      await rm(parent, { recursive: true, force: true })
    },
  }
}

/** Sends a signal to a process unless it has ended, and waits for its end. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await ended
}

/** Resolves at the line that says so; rejects with all that was printed where the process ends before. */
function ready(child: ChildProcess): Promise<void> {
  let printed = ''
  return new Promise((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      printed += chunk.toString()
      if (printed.includes('ready')) resolve()
    }
    child.stdout!.on('data', read)
    child.stderr!.on('data', read)
    child.once('exit', (code) => reject(new Error(`the cluster ended with code ${code}:\n${printed}`)))
  })
}
