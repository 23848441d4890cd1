import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BalsaClient } from '../../../src/index.ts'
import type { NodeStatus } from '../../../src/index.ts'
import { reservePorts } from '../../support/ports.ts'

const CLI = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

export interface ClusterOptions {
  readonly nodes?: number
  readonly heartbeatMs?: number
  readonly electionMs?: number
  /** More flags of `serve`, for all nodes, with their values. */
  readonly flags?: Flags
}

/** Flags of `serve` with their values, such as `{ '--election-ms': '500' }`. */
export type Flags = Readonly<Record<string, string>>

/** What a node's process runs under. */
export interface Surroundings {
  /** A program with its arguments that runs the node in its place, such as a tracer. */
  readonly under?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** How a node's process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A node as a real process, in a directory and on ports that stay its own when it is started again. */
export class TestNode {
  readonly id: string
  readonly dataDir: string
  readonly clientAddress: string
  readonly peerAddress: string
  readonly #flags: Flags
  #process: ChildProcess | undefined
  #ended: Promise<Ended> | undefined
  #log = ''

  constructor(id: string, dataDir: string, clientAddress: string, peerAddress: string, flags: Flags) {
    this.id = id
    this.dataDir = dataDir
    this.clientAddress = clientAddress
    this.peerAddress = peerAddress
    this.#flags = flags
  }

  /** Everything that it has logged, over all its starts. */
  get log(): string {
    return this.#log
  }

  get running(): boolean {
    return this.#process !== undefined
  }

  /** Starts its process, which ends with the test's, however that ends. `flags` go before its own. */
  start(flags: Flags = {}, { under = [], env = {} }: Surroundings = {}): void {
    assert.equal(this.#process, undefined, `${this.id} runs already`)
    const own = {
      '--id': this.id,
      '--data': this.dataDir,
      '--listen': this.clientAddress,
      '--peer-listen': this.peerAddress,
    }
    const args = Object.entries({ ...own, ...this.#flags, ...flags }).flat()
    const node = process.env.BALSA_NODE ?? process.execPath
    const [program, ...rest] = [...under, node, CLI, 'serve', '--with-parent', ...args]
    const child = spawn(program!, rest, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...env },
    })
    const read = (chunk: Buffer): void => {
      this.#log += chunk.toString()
    }
    child.stdout!.on('data', read)
    child.stderr!.on('data', read)
    this.#process = child
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#process = undefined
        resolve({ code, signal })
      })
    })
  }

  /** Sends a signal to its process: SIGSTOP, SIGCONT, … */
  signal(name: NodeJS.Signals): void {
    assert.ok(this.#process, `${this.id} does not run`)
    this.#process.kill(name)
  }

  /** kill -9, and its end. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#ended
  }

  /** Asks it to stop. */
  async stop(): Promise<Ended> {
    this.signal('SIGTERM')
    return this.#ended!
  }

  /** How its process ended or will end. */
  get ended(): Promise<Ended> {
    assert.ok(this.#ended, `${this.id} was never started`)
    return this.#ended
  }
}

/** A cluster of real processes: real gRPC, real LevelDB, real signals. Kills only what it started. */
export class TestCluster implements AsyncDisposable {
  readonly nodes: readonly TestNode[]
  readonly electionMs: number
  readonly #directory: string
  readonly #clients: BalsaClient[] = []

  private constructor(directory: string, nodes: readonly TestNode[], electionMs: number) {
    this.#directory = directory
    this.nodes = nodes
    this.electionMs = electionMs
  }

  /** A cluster whose nodes are not started yet. */
  static async create(options: ClusterOptions = {}): Promise<TestCluster> {
    const { nodes: count = 3, heartbeatMs = 50, electionMs = 500, flags = {} } = options
    const directory = await mkdtemp(join(tmpdir(), 'balsa-cluster-'))
    const ports = await reservePorts(count * 2)
    const ids = Array.from({ length: count }, (_, i) => `n${i + 1}`)
    const peers = ids.map((id, i) => `${id}=127.0.0.1:${ports[count + i]!}`).join(',')
    const times = { '--heartbeat-ms': `${heartbeatMs}`, '--election-ms': `${electionMs}` }
    const common = { '--peers': peers, '--cluster-name': 'test', ...times, ...flags }
    const nodes = ids.map((id, i) => {
      const [clientAddress, peerAddress] = [`127.0.0.1:${ports[i]!}`, `127.0.0.1:${ports[count + i]!}`]
      return new TestNode(id, join(directory, id), clientAddress, peerAddress, common)
    })
    return new TestCluster(directory, nodes, electionMs)
  }

  /** A cluster that has a leader, which all nodes follow: a majority elects one before the last node is up. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = await TestCluster.create(options)
    for (const node of cluster.nodes) node.start()
    await cluster.leader()
    await cluster.converged()
    return cluster
  }

  node(id: string): TestNode {
    const node = this.nodes.find((each) => each.id === id)
    assert.ok(node, `there is no node ${id}`)
    return node
  }

  /** All nodes but one. */
  othersThan(id: string): readonly TestNode[] {
    return this.nodes.filter((node) => node.id !== id)
  }

  /** A client of its own, closed with the cluster. By default it knows all nodes. */
  client(options: { nodes?: readonly TestNode[]; timeoutMs?: number } = {}): BalsaClient {
    const endpoints = (options.nodes ?? this.nodes).map(({ clientAddress }) => clientAddress)
    const client = new BalsaClient({ endpoints, timeoutMs: options.timeoutMs ?? 10_000 })
    this.#clients.push(client)
    return client
  }

  /** What each node says of itself; those that do not answer are left out. */
  async statuses(): Promise<NodeStatus[]> {
    const client = new BalsaClient({ endpoints: this.nodes.map(({ clientAddress }) => clientAddress) })
    const { nodes } = await client.status()
    await client.close()
    return nodes.filter(({ reachable }) => reachable)
  }

  /**
   * The node that leads and that a majority follows, in a term above `afterTerm`: the newest, where an old
   * leader still thinks that it leads.
   */
  async leader(afterTerm = 0): Promise<TestNode> {
    return this.until('a leader', async () => {
      const statuses = await this.statuses()
      const term = Math.max(...statuses.map((status) => status.term ?? 0))
      const current = statuses.filter((status) => status.term === term && term > afterTerm)
      const leader = current.find(({ role }) => role === 'leader')
      const enough = current.length > this.nodes.length / 2
      return leader !== undefined && enough ? this.node(leader.id) : undefined
    })
  }

  /** The highest term that any node knows. */
  async term(): Promise<number> {
    return Math.max(...(await this.statuses()).map((status) => status.term ?? 0))
  }

  /** All nodes that run have applied the same, and all of it. Resolves to the common state hash. */
  async converged(): Promise<string | null> {
    return this.until('all nodes to agree', async () => {
      const running = this.nodes.filter((node) => node.running).length
      const statuses = await this.statuses()
      const [first] = statuses
      if (statuses.length < running || first === undefined) return undefined
      const same = statuses.every(
        (status) =>
          status.lastApplied === first.lastIndex &&
          status.lastIndex === first.lastIndex &&
          status.lastApplied === first.lastApplied,
      )
      if (!same) return undefined
      const hashes = new Set(statuses.map(({ stateHash }) => stateHash))
      assert.equal(hashes.size, 1, `equal logs, but different states: ${JSON.stringify(statuses)}`)
      return first.stateHash
    })
  }

  /** Asks again until there is an answer. Fails with the nodes' logs when that takes longer than anything here should. */
  async until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
    const deadline = performance.now() + 30_000
    for (;;) {
      const answer = await ask()
      if (answer !== undefined) return answer
      if (performance.now() > deadline) {
        const logs = this.nodes.map(({ id, log }) => `--- ${id}\n${log.slice(-4000)}`).join('\n')
        assert.fail(`waited in vain for ${what}\n${logs}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    for (const node of this.nodes) {
      if (!node.running) continue
      node.signal('SIGKILL')
      await node.ended
    }
    await rm(this.#directory, { recursive: true, force: true })
  }
}
