import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterStatus } from '../../client/status.ts'
import type { CliClient } from '../context.ts'
import { ExitCode } from '../failure.ts'
import type { StopSignal } from '../signals.ts'
import { writeClusterFile } from './cluster-file.ts'
import type { NodeLayout } from './layout.ts'
import { startProgress } from './log-tail.ts'
import { Supervisor } from './supervisor.ts'
import type { NodeDeath } from './supervisor.ts'

/** How long nodes may take to stop before they are killed. */
const GRACE_MS = 8000
/** How often the cluster is asked for its leader: at the start, and while something is amiss. */
const START_POLL_MS = 100
const POLL_MS = 500
/** After this long without a leader the user is told where to look. */
const PATIENCE_MS = 20_000
/** A second signal within this time is the same ctrl-C, delivered twice (by the terminal and by npm). */
const SAME_SIGNAL_MS = 1000

export interface LocalClusterOptions {
  readonly layout: readonly NodeLayout[]
  readonly dir: string
  readonly clusterName: string | undefined
  readonly self: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly say: (text: string) => void
  /** Lines to type in another terminal. */
  readonly usage: readonly string[]
  readonly connect: () => Promise<CliClient>
  /** Where its relay is told what to do, where it has one. */
  readonly control?: string | undefined
}

/** A cluster of processes on this machine, and what its user is told about it. */
export class LocalCluster {
  readonly #options: LocalClusterOptions
  readonly #supervisor: Supervisor
  /** The processes by node: those that were started here, or by hand after a death. */
  readonly #pids = new Map<string, number>()
  /** Nodes that died and have not come back. */
  readonly #dead = new Map<string, NodeDeath>()
  readonly #byHand = new Set<string>()
  /** What was told last of each node's start. */
  readonly #progress = new Map<string, string>()
  readonly #ended = new AbortController()
  #leader: string | undefined
  #ready = false
  #failure: number | undefined

  constructor(options: LocalClusterOptions) {
    this.#options = Object.freeze({ ...options })
    const { layout: nodes, self, env } = options
    this.#supervisor = new Supervisor({
      nodes,
      self,
      env,
      graceMs: GRACE_MS,
      onDeath: (death) => this.#died(death),
    })
  }

  /**
   * Starts the nodes, watches them until the signal and stops them.
   * @returns 0, or the exit code of a node where no majority came up at all
   */
  async run(stop: StopSignal): Promise<number> {
    const { layout, say, connect } = this.#options
    this.#supervisor.start()
    for (const { id } of layout) {
      const pid = this.#supervisor.pid(id)
      if (pid !== undefined) this.#pids.set(id, pid)
    }
    this.#writeFile()
    for (const { id, clientAddress } of layout) {
      say(`  ${id}  ${clientAddress}  pid ${this.#pids.get(id) ?? '-'}`)
    }
    const client = await connect()
    const watching = this.#watch(client)
    void stop.asked.then(() => this.#ended.abort())
    await watching
    const since = performance.now()
    stop.onRepeat(() => {
      if (performance.now() - since > SAME_SIGNAL_MS) this.#supervisor.killAll()
    })
    say('Stopping …')
    await Promise.all([this.#supervisor.stop(), client.close()])
    for (const id of this.#byHand) say(`${id} was started by hand and goes on (pid ${this.#pids.get(id)}).`)
    say('Stopped.')
    return this.#failure ?? ExitCode.Ok
  }

  /** Starts a node that died, as a child of this process, where somebody asks for it: fault injection does. */
  restart(id: string): void {
    this.#supervisor.restart(id)
    const pid = this.#supervisor.pid(id)
    if (pid === undefined || pid === this.#pids.get(id)) return
    this.#dead.delete(id)
    this.#byHand.delete(id)
    this.#pids.set(id, pid)
    this.#writeFile()
    this.#options.say(`${id} is started again (pid ${pid}), as it was asked for.`)
  }

  /** Asks the cluster who leads, at the start and whenever that is not known or a node is missing. */
  async #watch(client: CliClient): Promise<void> {
    const { signal } = this.#ended
    const started = performance.now()
    let warned = false
    while (!signal.aborted) {
      if (this.#leader === undefined || this.#dead.size > 0) {
        const status = await client.status({ timeoutMs: 2000 }).catch(() => undefined)
        if (signal.aborted) return
        if (status) this.#heard(status)
      }
      if (!this.#ready) this.#tellProgress()
      if (!this.#ready && !warned && performance.now() - started > PATIENCE_MS) {
        warned = true
        this.#options.say(`There is no leader yet. The logs may say why: ${this.#options.dir}/*.log`)
      }
      await sleep(this.#ready ? POLL_MS : START_POLL_MS, undefined, { signal }).catch(() => {})
    }
  }

  /** A node with much to read says in its log how far it has come. */
  #tellProgress(): void {
    for (const { id, logFile } of this.#options.layout) {
      const pid = this.#supervisor.pid(id)
      const text = pid === undefined ? undefined : startProgress(logFile, pid)
      if (text === undefined || text === this.#progress.get(id)) continue
      this.#progress.set(id, text)
      this.#options.say(`  ${id} starts: ${text}`)
    }
  }

  #heard({ leader, term, nodes }: ClusterStatus): void {
    const { say, usage } = this.#options
    for (const { id, reachable, pid } of nodes) {
      // The answer may be older than the death: only another process is a return.
      if (!this.#dead.has(id) || !reachable || !pid || pid === this.#pids.get(id)) continue
      this.#dead.delete(id)
      this.#byHand.add(id)
      this.#pids.set(id, pid)
      this.#writeFile()
      say(`${id} is back (pid ${pid}, started by hand).`)
    }
    if (!leader || this.#dead.has(leader) || leader === this.#leader) return
    this.#leader = leader
    if (this.#ready) {
      say(`${leader} leads now (term ${term}).`)
      return
    }
    this.#ready = true
    say(`The cluster is ready: ${leader} leads (term ${term}).`)
    say(`\nIn another terminal:\n${usage.join('\n')}\n\nCtrl-C stops all nodes.`)
  }

  #died(death: NodeDeath): void {
    const { node, how, reason, exitCode } = death
    const { layout, say } = this.#options
    this.#dead.set(node.id, death)
    if (this.#leader === node.id) this.#leader = undefined
    const left = layout.length - this.#dead.size
    const majority = Math.floor(layout.length / 2) + 1
    const lines = [`${node.id} (pid ${this.#pids.get(node.id) ?? '-'}) ${how}.`]
    if (reason) lines.push(...reason.split('\n').map((line) => `  ${line}`))
    if (left < majority) this.#leader = undefined
    if (!this.#ready && left < majority) {
      lines.push(`No majority of the nodes came up. Log: ${node.logFile}`)
      this.#failure = exitCode || ExitCode.NotFound
      this.#ended.abort()
    } else {
      lines.push(
        left >= majority
          ? `The cluster goes on with ${left} of ${layout.length} nodes.`
          : `The cluster is down to ${left} of ${layout.length} nodes: reads and writes fail until ${majority} run.`,
        `Log: ${node.logFile}. To start it again, in another terminal:`,
        `  ${node.restartCommand}`,
      )
    }
    say(lines.join('\n'))
  }

  #writeFile(): void {
    const { layout, dir, clusterName, control } = this.#options
    const nodes = layout.map(({ id, clientAddress, peerAddress, dataDir, restartCommand }) => {
      const pid = this.#pids.get(id) ?? null
      return { id, pid, clientAddress, peerAddress, dataDir, restartCommand }
    })
    writeClusterFile(dir, { clusterName, control, nodes })
  }
}
