import type { Slowness } from '../target.ts'
import type { ComposeProject, NodeContainer } from './project.ts'
import { CLEAR, delayInput, ENTER_CHAIN, lossInput, NO_DELAY, PROBE_DELAY, UNPROBE_DELAY } from './rules.ts'

/** What of a node's network is ours, as far as it was written. */
interface Written {
  /** The process in whose network it stands: a start makes another network, without it. */
  readonly pid: number
  readonly delayed: boolean
}

/** What is wrong with the links between nodes, and how it gets into the networks of their containers. */
export class ComposeLinks {
  readonly #project: ComposeProject
  readonly #cuts = new Map<string, Set<string>>()
  readonly #slow = new Map<string, Slowness>()
  readonly #written = new Map<string, Written>()
  #current: Promise<void> = Promise.resolve()
  #waiting: Promise<void> | undefined

  constructor(project: ComposeProject) {
    this.#project = project
  }

  /** Whether rules can be written in a node's network at all, and whether its kernel can delay packets. */
  async probe(pid: number): Promise<{ cut: boolean; slow: boolean }> {
    const works = async (program: string, args: readonly string[]) => {
      try {
        await this.#project.inNetworkOf(pid, program, args)
        return true
      } catch {
        return false
      }
    }
    const cut = await works('iptables', ['--wait', '-S', 'INPUT'])
    const slow = cut && (await works('tc', PROBE_DELAY)) && (await works('tc', UNPROBE_DELAY))
    return { cut, slow }
  }

  /** Takes away what an earlier run left that did not end in order. */
  async clearLeftovers(pids: readonly number[]): Promise<void> {
    await Promise.all(pids.map((pid) => this.#project.inNetworkOf(pid, 'sh', ['-c', CLEAR])))
  }

  /** What `from` sends to `to` is dropped. */
  cut(from: string, to: string): Promise<void> {
    const heard = this.#cuts.get(to) ?? new Set()
    this.#cuts.set(to, heard.add(from))
    return this.apply()
  }

  /** What goes to and from the node takes longer, or is lost now and then. */
  slow(id: string, how: Slowness): Promise<void> {
    this.#slow.set(id, how)
    return this.apply()
  }

  /** Every link is whole again. */
  clear(): Promise<void> {
    this.#cuts.clear()
    this.#slow.clear()
    return this.apply()
  }

  /**
   * Writes what is wrong into the networks of all nodes that run. Processes, networks and addresses are others after a
   * start, so it is called then as well. Calls that come while another is at work are done together after it.
   */
  apply(): Promise<void> {
    this.#waiting ??= this.#current.then(async () => {
      this.#waiting = undefined
      await this.#write()
    })
    this.#current = this.#waiting.catch(() => {})
    return this.#waiting
  }

  async #write(): Promise<void> {
    if (this.#cuts.size === 0 && this.#slow.size === 0 && this.#written.size === 0) return
    const nodes = await this.#project.nodes()
    await Promise.all(nodes.filter(({ pid }) => pid > 0).map((node) => this.#writeOne(node, nodes)))
  }

  async #writeOne({ id, pid }: NodeContainer, nodes: readonly NodeContainer[]): Promise<void> {
    const others = nodes.filter((other) => other.id !== id)
    const heard = others
      .map((other) => ({ addresses: other.addresses, loss: this.#loss(other.id, id) }))
      .filter(({ loss }) => loss > 0)
    const sent = others
      .map((other) => ({ addresses: other.addresses, delayMs: this.#delay(other.id, id) }))
      .filter(({ delayMs }) => delayMs > 0)
    const before = this.#written.get(id)
    const same = before?.pid === pid
    // Where nothing of ours ever stood there is nothing to take back.
    if (!same && heard.length === 0 && sent.length === 0) return void this.#written.delete(id)
    const inside = (program: string, args: readonly string[], input?: string) =>
      this.#project.inNetworkOf(pid, program, args, input)
    await inside('iptables-restore', ['--noflush', '--wait'], lossInput(heard))
    if (!same) await inside('sh', ['-c', ENTER_CHAIN])
    if (same && before.delayed) await inside('tc', NO_DELAY)
    this.#written.set(id, { pid, delayed: sent.length > 0 })
    if (sent.length > 0) await inside('tc', ['-batch', '-'], delayInput(sent))
  }

  #loss(from: string, to: string): number {
    if (this.#cuts.get(to)?.has(from)) return 1
    const arrives = [from, to].map((id) => 1 - (this.#slow.get(id)?.lossRate ?? 0))
    return 1 - arrives[0]! * arrives[1]!
  }

  #delay(from: string, to: string): number {
    return (this.#slow.get(from)?.delayMs ?? 0) + (this.#slow.get(to)?.delayMs ?? 0)
  }
}
