import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Connector } from '../../client/connector.ts'
import { systemRuntime } from '../../client/grpc-connector.ts'
import { type Clock, systemClock } from '../../clock.ts'
import { FaultsError } from '../faults-error.ts'
import { type LinkFaults, NO_LINK_FAULTS } from '../relay/link-faults.ts'
import type { ChaosTarget, FaultKind, Slowness } from '../target.ts'
import { type LocalNode, readLocalCluster } from './cluster-file.ts'

/** How long a process may take to end or a node to come into being, in milliseconds. */
const PATIENCE_MS = 20_000
const POLL_MS = 5
/** How long a node may take to say who it is, in milliseconds. */
const STATUS_MS = 2000

/**
 * The processes of `balsa cluster start`. Links can be cut and made slow where it runs with `--relay`; a node that
 * died is then started again by the cluster, whose child it is. Without a relay it is started here by its
 * `restartCommand`, and goes on by itself when the cluster ends. Disks cannot be filled.
 */
export class LocalTarget implements ChaosTarget {
  readonly nodes: readonly string[]
  readonly endpoints: ReadonlyMap<string, string>
  readonly supports: ReadonlySet<FaultKind>
  readonly #dir: string
  readonly #control: string | undefined
  readonly #clock: Clock
  /** The processes that were started here. */
  readonly #own = new Map<string, number>()
  readonly #paused = new Set<string>()
  /** What the relay has been told, and the last change that it is being told. */
  #faults = NO_LINK_FAULTS
  #changing: Promise<unknown> = Promise.resolve()

  private constructor(dir: string, clock: Clock) {
    this.#dir = resolve(dir)
    this.#clock = clock
    const { nodes, control } = readLocalCluster(this.#dir)
    const sorted = [...nodes].sort((one, other) => (one.id < other.id ? -1 : 1))
    this.#control = control
    this.nodes = Object.freeze(sorted.map(({ id }) => id))
    this.endpoints = new Map(sorted.map(({ id, clientAddress }) => [id, clientAddress]))
    const links: FaultKind[] = control === undefined ? [] : ['cut', 'slow']
    this.supports = new Set<FaultKind>(['kill', 'stop', 'pause', ...links])
  }

  /**
   * The cluster that runs from a directory.
   * @param status how a node is asked who it is
   * @throws FaultsError where none does, or a process is not the node that the file says it is
   */
  static async open(
    dir: string,
    status: Connector['status'] = (...asked) => systemRuntime().connector.status(...asked),
    clock: Clock = systemClock({ keepAlive: true }),
  ): Promise<LocalTarget> {
    const target = new LocalTarget(dir, clock)
    const running = target.nodes.filter((id) => target.#alive(id) !== undefined)
    if (running.length === 0) {
      throw new FaultsError(
        `no node of the cluster in ${dir} runs: start it with \`balsa cluster start --relay\``,
      )
    }
    await Promise.all(running.map((id) => target.#recognize(id, status)))
    if (target.#control !== undefined) await target.#put('/faults', NO_LINK_FAULTS)
    return target
  }

  /** The file may be left over from a cluster that is gone, and its process ids be somebody else's by now. */
  async #recognize(id: string, status: Connector['status']): Promise<void> {
    const pid = this.#alive(id)
    const answer = await status(this.#node(id).clientAddress, STATUS_MS).catch(() => undefined)
    if (answer?.id === id && answer.pid === pid) return
    throw new FaultsError(
      `process ${pid} does not answer as ${id}, so nothing is done to it: ` +
        `if the cluster in ${this.#dir} is gone, start it again; if the node is paused or hangs, end it first`,
    )
  }

  async kill(id: string): Promise<void> {
    await this.#end(id, 'SIGKILL')
  }

  async stop(id: string): Promise<void> {
    await this.resume(id)
    await this.#end(id, 'SIGTERM')
  }

  async start(id: string): Promise<void> {
    if (this.#alive(id) !== undefined) return
    if (this.#control !== undefined) await this.#put(`/nodes/${id}/start`, {})
    else await this.#startByHand(this.#node(id))
    await this.#until(`${id} to start`, () => this.#alive(id) !== undefined)
  }

  pause(id: string): Promise<void> {
    return this.#attempt(() => {
      const pid = this.#alive(id)
      if (pid === undefined) return
      process.kill(pid, 'SIGSTOP')
      this.#paused.add(id)
    })
  }

  resume(id: string): Promise<void> {
    return this.#attempt(() => {
      const pid = this.#alive(id)
      if (pid !== undefined && this.#paused.delete(id)) process.kill(pid, 'SIGCONT')
    })
  }

  async cut(from: string, to: string): Promise<void> {
    await this.#change(({ cuts, ...rest }) => {
      const others = cuts.filter(([sender, receiver]) => sender !== from || receiver !== to)
      return { ...rest, cuts: [...others, [from, to]] }
    })
  }

  async slow(id: string, how: Slowness): Promise<void> {
    await this.#change((faults) => ({ ...faults, slow: { ...faults.slow, [id]: how } }))
  }

  fillDisk(): Promise<void> {
    return Promise.reject(new FaultsError('the disk of a process on this machine cannot be filled alone'))
  }

  async log(id: string): Promise<string> {
    const file = logFile(this.#node(id))
    try {
      return await readFile(file, 'utf8')
    } catch (error) {
      throw new FaultsError(`the log of ${id} cannot be read: ${(error as Error).message}`)
    }
  }

  async heal(): Promise<void> {
    if (this.#control !== undefined) await this.#change(() => NO_LINK_FAULTS)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A cluster that is gone has no links either.
    await this.heal().catch(() => {})
  }

  #node(id: string): LocalNode {
    const node = readLocalCluster(this.#dir).nodes.find((each) => each.id === id)
    if (node === undefined)
      throw new FaultsError(`there is no node ${id}: there are ${this.nodes.join(', ')}`)
    return node
  }

  /** The node's process, where it lives. The file is read anew: its owner may have started another. */
  #alive(id: string): number | undefined {
    const { pid } = this.#node(id)
    return [this.#own.get(id), pid].find((each) => typeof each === 'number' && lives(each)) ?? undefined
  }

  async #end(id: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const pid = this.#alive(id)
    if (pid === undefined) return
    await this.#attempt(() => void process.kill(pid, signal))
    this.#paused.delete(id)
    await this.#until(`${id} to end`, () => !lives(pid))
  }

  async #startByHand(node: LocalNode): Promise<void> {
    const { id, restartCommand } = node
    const log = openSync(logFile(node), 'a')
    try {
      // `exec`: the process is the node and not a shell around it.
      const child = spawn('sh', ['-c', `exec ${restartCommand}`], {
        detached: true,
        stdio: ['ignore', log, log],
      })
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve)
        child.once('error', reject)
      })
      child.unref()
      this.#own.set(id, child.pid!)
    } finally {
      closeSync(log)
    }
  }

  /** One change after the other: the relay is told all of its faults at a time, so each builds on the last. */
  #change(next: (faults: LinkFaults) => LinkFaults): Promise<void> {
    if (this.#control === undefined) {
      return Promise.reject(
        new FaultsError('its links cannot be touched: start the cluster with `balsa cluster start --relay`'),
      )
    }
    const changed = this.#changing.then(async () => {
      const faults = next(this.#faults)
      await this.#put('/faults', faults)
      this.#faults = faults
    })
    this.#changing = changed.catch(() => {})
    return changed
  }

  async #put(path: string, body: unknown): Promise<void> {
    const request = { method: 'PUT', body: JSON.stringify(body) }
    const response = await fetch(`http://${this.#control}${path}`, request).catch((error: Error) => {
      const why = error.cause instanceof Error ? error.cause.message : error.message
      throw new FaultsError(
        `the relay at ${this.#control} does not answer: does the cluster still run? ${why}`,
      )
    })
    if (!response.ok) throw new FaultsError(`the relay refused ${path}: ${await response.text()}`)
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const deadline = this.#clock.now() + PATIENCE_MS
    while (!holds()) {
      if (this.#clock.now() > deadline) throw new FaultsError(`waited in vain for ${what}`)
      await new Promise<void>((resolve) => this.#clock.after(POLL_MS, resolve))
    }
  }

  /** A process may end between a look and a signal: then there is nobody left to do anything to. */
  async #attempt(run: () => void): Promise<void> {
    try {
      run()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** Where `balsa cluster start` has a node write what it logs. */
function logFile({ id, dataDir }: LocalNode): string {
  return join(dirname(dataDir), `${id}.log`)
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
