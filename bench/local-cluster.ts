import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

/** A cluster of real processes on this machine, in a directory that goes with it. */
export interface LocalCluster extends AsyncDisposable {
  readonly endpoints: readonly string[]
}

/**
 * Starts `nodes` nodes as `balsa cluster start` does, as shipped, on free ports.
 *
 * @param existing a directory that holds such a cluster already
 */
export async function startLocalCluster(nodes: number, existing?: string): Promise<LocalCluster> {
  const parent = await mkdtemp(join(tmpdir(), 'balsa-bench-'))
  const dir = existing ?? join(parent, 'cluster')
  const basePort = await freeBasePort(nodes)
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
  const file = JSON.parse(await readFile(join(dir, 'cluster.json'), 'utf8')) as {
    nodes: { clientAddress: string }[]
  }
  return {
    endpoints: file.nodes.map(({ clientAddress }) => clientAddress),
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
      await rm(parent, { recursive: true, force: true })
    },
  }
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

/** The lowest of a run of client ports that is free, and its peer ports 1000 above. */
async function freeBasePort(nodes: number): Promise<number> {
  for (let base = 21_001; base < 30_000; base += 100) {
    const ports = Array.from({ length: nodes }, (_, i) => [base + i, base + 1000 + i]).flat()
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base
  }
  throw new Error('no free ports between 21001 and 31000')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
