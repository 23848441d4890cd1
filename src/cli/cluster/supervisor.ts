import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type { NodeLayout } from './layout.ts'
import { lastError, logSize } from './log-tail.ts'

/** The end of a node that nobody asked for. */
export interface NodeDeath {
  readonly node: NodeLayout
  /** Such as `exited with code 4` or `was killed by SIGKILL`. */
  readonly how: string
  readonly exitCode: number | null
  /** What its log says about it. */
  readonly reason: string | undefined
}

export interface SupervisorOptions {
  readonly nodes: readonly NodeLayout[]
  /** The program that runs this CLI, and its first arguments. */
  readonly self: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string | undefined>>
  /** How long nodes may take to stop before they are killed, in milliseconds. */
  readonly graceMs: number
  readonly onDeath: (death: NodeDeath) => void
}

/**
 * Starts the nodes of a local cluster, a process each, tells of their deaths and stops them. It restarts none.
 *
 * The nodes are told to end with their parent (`--with-parent`): the channel between the two closes however the
 * parent ends, by kill -9 too. They are process groups of their own, so that ctrl-C in the terminal reaches the
 * supervisor alone, which then stops them in order.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #children = new Map<string, { child: ChildProcess; ended: Promise<void> }>()
  #stopping = false

  constructor(options: SupervisorOptions) {
    this.#options = Object.freeze({ ...options })
  }

  /** Starts all nodes. What goes wrong with one is reported as its death. */
  start(): void {
    for (const node of this.#options.nodes) this.#spawn(node)
  }

  /** Starts a node that is dead; one that lives is left alone. */
  restart(id: string): void {
    const node = this.#options.nodes.find((each) => each.id === id)
    if (node !== undefined && !this.#stopping && !this.#children.has(id)) this.#spawn(node)
  }

  /** The process of a node that this supervisor started and that lives; undefined where there is none. */
  pid(id: string): number | undefined {
    return this.#children.get(id)?.child.pid
  }

  /** How many of the started nodes live. */
  get alive(): number {
    return this.#children.size
  }

  /** Asks all nodes to stop, kills those that do not within the grace period, and waits for their end. */
  async stop(): Promise<void> {
    this.#stopping = true
    const children = [...this.#children.values()]
    for (const { child } of children) child.kill('SIGTERM')
    const timer = setTimeout(() => this.killAll(), this.#options.graceMs)
    await Promise.all(children.map(({ ended }) => ended))
    clearTimeout(timer)
  }

  /** Kills all nodes at once. Nothing acknowledged is lost by it. */
  killAll(): void {
    this.#stopping = true
    for (const { child } of this.#children.values()) child.kill('SIGKILL')
  }

  #spawn(node: NodeLayout): void {
    const { self, env, onDeath } = this.#options
    mkdirSync(dirname(node.logFile), { recursive: true })
    const from = logSize(node.logFile)
    const log = openSync(node.logFile, 'a')
    const [binary, ...first] = self
    const child = spawn(binary, [...first, ...node.args, '--with-parent'], {
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...env },
    })
    closeSync(log)
    const ended = new Promise<void>((resolve) => {
      const end = (how: string, exitCode: number | null) => {
        if (this.#children.get(node.id)?.child !== child) return
        this.#children.delete(node.id)
        resolve()
        if (!this.#stopping) onDeath({ node, how, exitCode, reason: lastError(node.logFile, from) })
      }
      child.once('exit', (code, signal) =>
        end(signal ? `was killed by ${signal}` : `exited with code ${code}`, code),
      )
      child.once('error', (error) => {
        // Also emitted where a signal could not be sent; only a process that never was ends by it.
        if (child.pid === undefined) end(`could not be started: ${error.message}`, null)
      })
    })
    this.#children.set(node.id, { child, ended })
  }
}
