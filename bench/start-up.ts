import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BalsaClient } from '../src/index.ts'

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

/** How many puts are under way while the store is filled. */
const IN_FLIGHT = 1024

export interface StartUpOptions {
  readonly keys: number
  readonly valueBytes: number
}

/** How long a start took, from the process's begin. Seconds. */
export interface StartUp {
  /** After a clean stop, or after kill -9 in the middle of writes. */
  readonly after: string
  /** Until it takes part: what is on disk is read and verified, the log is replayed. */
  readonly up: number
  /** Until the first linearizable read is answered: with the election, after a time-out. */
  readonly serves: number
}

/** Fills a node of its own, and measures how long it takes to start again after a clean stop and after kill -9. */
export async function measureStartUp(
  options: StartUpOptions,
  say: (text: string) => void,
): Promise<StartUp[]> {
  const directory = await mkdtemp(join(tmpdir(), 'balsa-start-up-'))
  const node = new BenchNode(join(directory, 'n1'), await freePort())
  try {
    await node.start()
    await fill(node, options, say)
    await node.end('SIGTERM')
    say(`data directory: ${await megabytes(node.dataDir)} MB`)
    const results = [{ after: 'a clean stop', ...(await node.start()) }]
    await node.end('SIGTERM')
    results.push({ after: 'a clean stop', ...(await node.start()) })
    // Some seconds of writes, so that there is something to replay.
    await fill(node, { ...options, keys: Math.min(options.keys, 100_000) }, say)
    await node.end('SIGKILL')
    results.push({ after: 'kill -9', ...(await node.start()) })
    await node.end('SIGKILL')
    results.push({ after: 'kill -9, twice', ...(await node.start()) })
    return results
  } finally {
    await node.end('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  }
}

class BenchNode {
  readonly dataDir: string
  readonly endpoint: string
  #child: ChildProcess | undefined

  constructor(dataDir: string, port: number) {
    this.dataDir = dataDir
    this.endpoint = `127.0.0.1:${port}`
  }

  async start(): Promise<{ up: number; serves: number }> {
    const began = performance.now()
    const since = (): number => Math.round(performance.now() - began) / 1000
    const args = ['serve', '--data', this.dataDir, '--listen', this.endpoint, '--peer-listen', '127.0.0.1:0']
    const child = spawn(process.env.BALSA_NODE ?? process.execPath, [CLI, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    const up = await new Promise<number>((resolve, reject) => {
      let printed = ''
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk.toString()
        if (printed.includes('"the node is up"')) resolve(since())
      })
      child.once('exit', (code) => reject(new Error(`the node ended with code ${code}:\n${printed}`)))
    })
    await using client = new BalsaClient({ endpoints: [this.endpoint], timeoutMs: 60_000 })
    await client.get('key-0')
    return { up, serves: since() }
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }
}

async function fill(node: BenchNode, options: StartUpOptions, say: (text: string) => void): Promise<void> {
  await using client = new BalsaClient({ endpoints: [node.endpoint], timeoutMs: 60_000 })
  const began = performance.now()
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < options.keys) {
      const key = `key-${next++}`
      if (next % 100_000 === 0) say(`${next} of ${options.keys} keys`)
      await client.put(key, randomBytes(options.valueBytes))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller))
  say(`${options.keys} puts in ${((performance.now() - began) / 1000).toFixed(1)} s`)
}

async function megabytes(directory: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(directory, { recursive: true })) {
    bytes += (await stat(join(directory, name))).size
  }
  return Math.round(bytes / 1e6)
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
