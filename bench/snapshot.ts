import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BalsaClient } from '../src/index.ts'
import { closedLoop } from './load.ts'

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

export interface SnapshotOptions {
  readonly keys: number
  readonly valueBytes: number
  readonly seconds: number
}

/** What it took to bring a node back that was away while the log was cut. */
export interface SnapshotResult {
  readonly keys: number
  readonly megabytes: number
  /** From the follower's first word of it to its state being in force, with nothing else going on. */
  readonly idleSeconds: number
  readonly idleKeysPerSecond: number
  /** The same under a load of puts, 64 in flight. */
  readonly seconds: number
  readonly keysPerSecond: number
  /** The most memory that each process ever had, in MB: before and after the leader sent, and of the receiver. */
  readonly leaderBeforeMb: number
  readonly leaderAfterMb: number
  readonly receiverMb: number
  /** Of puts at 64 in flight, ms: without cuts; with; and while the snapshot is sent. */
  readonly p99WithoutCuts: number
  readonly p99WithCuts: number
  readonly p99WhileSending: number
  readonly putsWithoutCuts: number
  readonly putsWithCuts: number
  readonly putsWhileSending: number
}

const CUTS = ['--log-keep-bytes', '1MiB', '--checkpoint-interval-ms', '1000']
const NO_CUTS = ['--log-keep-bytes', '1024GiB', '--checkpoint-interval-ms', '1000']

/** Three nodes of its own: load with and without cuts, then one that is away, comes back and is brought the state. */
export async function measureSnapshot(
  options: SnapshotOptions,
  say: (text: string) => void,
): Promise<SnapshotResult> {
  const directory = await mkdtemp(join(tmpdir(), 'balsa-snapshot-'))
  const base = 31_000 + (process.pid % 1000) * 10
  const nodes = [0, 1, 2].map((i) => new SnapshotNode(directory, base, i))
  const load = async (endpoints: readonly string[], measureMs: number) => {
    await using client = new BalsaClient({ endpoints, timeoutMs: 60_000 })
    const run = () =>
      client.put(`key-${Math.floor(Math.random() * options.keys)}`, randomBytes(options.valueBytes))
    return await closedLoop({ op: 'put', inFlight: 64, warmUpMs: 2000, measureMs, run })
  }
  const all = nodes.map(({ endpoint }) => endpoint)
  try {
    for (const node of nodes) node.start(NO_CUTS)
    await fill(all, options, 0, 1)
    const without = await load(all, options.seconds * 1000)
    say(`without cuts: ${without.opsPerSecond} puts/s, p99 ${without.p99} ms`)
    for (const node of nodes) await node.end('SIGTERM')
    for (const node of nodes) node.start(CUTS)
    const withCuts = await load(all, options.seconds * 1000)
    say(`with cuts: ${withCuts.opsPerSecond} puts/s, p99 ${withCuts.p99} ms`)
    const away = nodes.find((node) => !node.leads)!
    const others = nodes.filter((node) => node !== away)
    const endpoints = others.map(({ endpoint }) => endpoint)
    /** Takes it away, writes more than the log keeps, brings it back, and says how long the snapshot took. */
    const bringBack = async (returns: () => void): Promise<number> => {
      await away.end('SIGTERM')
      await fill(endpoints, options, 0, options.keys)
      await new Promise((resolve) => setTimeout(resolve, 3000))
      away.start(CUTS)
      await away.said('receiving a snapshot')
      const began = performance.now()
      returns()
      await away.said('the state is that of a snapshot')
      return (performance.now() - began) / 1000
    }
    const idleSeconds = await bringBack(() => {})
    say(`${options.keys} keys, nothing else going on: ${idleSeconds.toFixed(1)} s`)
    const leader = others.find((node) => node.leads)!
    const leaderBeforeMb = await leader.peakMb()
    let sending: ReturnType<typeof load> | undefined
    const seconds = await bringBack(() => {
      sending = load(endpoints, 3000)
    })
    const meanwhile = await sending!
    const bytes = Number(/"bytes":(\d+)[^\n]*has the snapshot/.exec(leader.log)?.[1] ?? 0)
    return {
      keys: options.keys,
      megabytes: Math.round(bytes / 1e6),
      idleSeconds: Math.round(idleSeconds * 100) / 100,
      idleKeysPerSecond: Math.round(options.keys / idleSeconds),
      seconds: Math.round(seconds * 100) / 100,
      keysPerSecond: Math.round(options.keys / seconds),
      leaderBeforeMb,
      leaderAfterMb: await leader.peakMb(),
      receiverMb: await away.peakMb(),
      p99WithoutCuts: without.p99,
      p99WithCuts: withCuts.p99,
      p99WhileSending: meanwhile.p99,
      putsWithoutCuts: without.opsPerSecond,
      putsWithCuts: withCuts.opsPerSecond,
      putsWhileSending: meanwhile.opsPerSecond,
    }
  } finally {
    for (const node of nodes) await node.end('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  }
}

class SnapshotNode {
  readonly endpoint: string
  log = ''
  readonly #args: readonly string[]
  #child: ChildProcess | undefined

  constructor(directory: string, base: number, number: number) {
    const peers = [0, 1, 2].map((i) => `n${i + 1}=127.0.0.1:${base + 5 + i}`).join(',')
    const id = `n${number + 1}`
    this.endpoint = `127.0.0.1:${base + number}`
    const listen = ['--listen', this.endpoint, '--peer-listen', `127.0.0.1:${base + 5 + number}`]
    this.#args = ['serve', '--id', id, '--data', join(directory, id), '--peers', peers, ...listen]
  }

  /** Whether the last that it said of its role is that it leads. */
  get leads(): boolean {
    return this.log.lastIndexOf('"this node leads"') > this.log.lastIndexOf('"following ')
  }

  start(more: readonly string[]): void {
    this.log = ''
    const child = spawn(process.env.BALSA_NODE ?? process.execPath, [CLI, ...this.#args, ...more], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child.stdout.on('data', (chunk: Buffer) => (this.log += chunk.toString()))
    this.#child = child
  }

  async said(words: string): Promise<void> {
    while (!this.log.includes(words)) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  /** The most memory that its process ever had, in MB; 0 where the system does not say. */
  async peakMb(): Promise<number> {
    const status = await readFile(`/proc/${this.#child!.pid}/status`, 'utf8').catch(() => '')
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1000)
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }
}

/** Puts keys, many to a request. */
async function fill(
  endpoints: readonly string[],
  options: SnapshotOptions,
  from: number,
  count: number,
): Promise<void> {
  await using client = new BalsaClient({ endpoints, timeoutMs: 60_000 })
  let next = from
  const caller = async (): Promise<void> => {
    while (next < from + count) {
      const first = next
      next = Math.min(next + 200, from + count)
      const pairs = Array.from({ length: next - first }, (_, i): [string, Uint8Array] => [
        `key-${first + i}`,
        randomBytes(options.valueBytes),
      ])
      await client.putMany(pairs)
    }
  }
  await Promise.all(Array.from({ length: 8 }, caller))
}
