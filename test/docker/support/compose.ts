import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { BalsaClient } from '../../../src/index.ts'
import type { ClusterStatus } from '../../../src/index.ts'

const execute = promisify(execFile)

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** How long something may take that is bound to happen, such as an election, in milliseconds. */
const PATIENCE_MS = 60_000

/** Which cluster: the plain one of three if nothing is said. */
export interface ComposeClusterOptions {
  /** Compose files, from the project's root. */
  readonly files?: readonly string[]
  readonly count?: number
  /** Where the first node's client port is published; the others follow. */
  readonly basePort?: number
}

/** A cluster of real containers, from compose files of the project as they stand there. */
export class ComposeCluster {
  readonly ids: readonly string[]
  readonly endpoints: readonly string[]
  /** The compose files, as absolute paths. */
  readonly files: readonly string[]
  readonly #clients: BalsaClient[] = []

  private constructor({
    files = ['docker-compose.yaml'],
    count = 3,
    basePort = 7001,
  }: ComposeClusterOptions) {
    this.files = files.map((file) => join(ROOT, file))
    this.ids = Array.from({ length: count }, (_, i) => `n${i + 1}`)
    this.endpoints = this.ids.map((_, i) => `127.0.0.1:${basePort + i}`)
  }

  /** Builds the image where it is not up to date, and returns when every node is healthy: there is a leader. */
  static async up(options: ComposeClusterOptions = {}): Promise<ComposeCluster> {
    const cluster = new ComposeCluster(options)
    await cluster.compose('down', '--volumes', '--timeout', '1')
    await cluster.compose('up', '--detach', '--build', '--wait')
    return cluster
  }

  /** Ends it, and its volumes with it. */
  async down(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await this.compose('down', '--volumes', '--timeout', '1')
  }

  /** Runs `docker compose` on this project. Resolves with its standard output; rejects with what it said. */
  async compose(...args: string[]): Promise<string> {
    const options = { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 }
    const { stdout } = await execute(
      'docker',
      ['compose', ...this.files.flatMap((file) => ['--file', file]), ...args],
      options,
    )
    return stdout
  }

  /** Runs `balsa` inside a container. */
  balsa(id: string, ...args: string[]): Promise<string> {
    return this.compose('exec', '-T', id, 'balsa', ...args)
  }

  client(timeoutMs = 10_000): BalsaClient {
    const client = new BalsaClient({ endpoints: [...this.endpoints], timeoutMs })
    this.#clients.push(client)
    return client
  }

  /** kill -9 of the containers' processes. */
  async kill(...ids: string[]): Promise<void> {
    await this.compose('kill', ...ids)
  }

  /** Starts containers that were killed, and returns when they are healthy. */
  async start(...ids: string[]): Promise<void> {
    await this.compose('up', '--detach', '--wait', '--no-recreate', ...ids)
  }

  async status(): Promise<ClusterStatus> {
    const client = new BalsaClient({ endpoints: [...this.endpoints] })
    try {
      return await client.status({ timeoutMs: 2000 })
    } finally {
      await client.close()
    }
  }

  /** The node that leads. Waits until there is one other than those given. */
  async leader(...others: string[]): Promise<string> {
    const { leader } = await this.until(
      ({ leader }) => leader !== null && !others.includes(leader),
      'there is a leader',
    )
    return leader!
  }

  /** Resolves with the first status for which `holds`. */
  async until(holds: (status: ClusterStatus) => boolean, what: string): Promise<ClusterStatus> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const status = await this.status()
      if (holds(status)) return status
      if (performance.now() > deadline) throw new Error(`not so: ${what}; ${JSON.stringify(status)}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  /** Resolves when all nodes hold the same state, that of the same last entry. */
  async converged(): Promise<void> {
    await this.until(({ nodes }) => {
      const states = nodes.map(({ reachable, lastApplied, stateHash }) =>
        reachable ? `${lastApplied} ${stateHash}` : '',
      )
      return states.length === this.ids.length && states[0] !== '' && new Set(states).size === 1
    }, 'all nodes have the same state')
  }

  /** Runs `docker`. Resolves with its standard output; rejects with what it said. */
  async docker(...args: string[]): Promise<string> {
    return (await execute('docker', args)).stdout
  }

  /** Resolves with what a container has logged when there is a line that matches. */
  async logged(container: string, pattern: RegExp): Promise<string> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const said = await this.docker('logs', container)
      if (pattern.test(said)) return said
      if (performance.now() > deadline) throw new Error(`it never logged ${pattern}: ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}
