import type { NodeId } from '../../raft/types.ts'
import { CommandError } from './command.ts'
import { ComposeProject } from './project.ts'
import type { ComposeOptions, NodeContainer } from './project.ts'
import { CHAIN, restoreInput } from './rules.ts'

/** The service that keeps the disks and fills them, and where it has a node's: see docker/compose.chaos.yaml. */
const DISKS = 'disks'
const FILLER = '.chaos-fill'

/** A disk with more than this free is nobody's small one: filling it would fill the machine. In KiB. */
const LARGEST_FILL_KIB = 4 * 1024 * 1024

/** What one node hears of another is lost, in part or all of it. One way; the other way is another fault. */
export interface LinkFault {
  readonly from: NodeId
  readonly to: NodeId
  /** The part of packets that is lost, from 0 to 1. */
  readonly loss: number
}

/**
 * The nodes of a compose project as something to do harm to. Nodes are killed and paused by the engine; links are cut by
 * iptables in the network of the receiving container, so that clients still reach every node; disks are filled by the
 * service `disks`. Needs an engine on this machine, and root for the links.
 */
export class ComposeNodes {
  readonly #project: ComposeProject
  readonly #links = new Map<string, LinkFault>()
  readonly #full = new Set<NodeId>()
  /** The process in whose network our rules stand, by node: a start makes another network, without them. */
  readonly #ruled = new Map<NodeId, number>()

  constructor(options: ComposeOptions) {
    this.#project = new ComposeProject(options)
  }

  /** Every node as its container is now. Rejects with CommandError. */
  nodes(): Promise<NodeContainer[]> {
    return this.#project.nodes()
  }

  /** kill -9. The engine does not start it again by itself. */
  async kill(id: NodeId): Promise<void> {
    const { container, state } = await this.#find(id)
    if (state !== 'exited') await this.#project.docker('kill', '--signal', 'KILL', container)
  }

  /** SIGTERM, and time to end by itself. Resolves when it has. */
  async stop(id: NodeId): Promise<void> {
    const { container, state } = await this.#find(id)
    if (state === 'paused') await this.#project.docker('unpause', container)
    await this.#project.docker('stop', '--time', '20', container)
  }

  /** Holds every thread of it, as a machine that hangs would. Its connections stay open. */
  async pause(id: NodeId): Promise<void> {
    const { container, state } = await this.#find(id)
    if (state === 'running') await this.#project.docker('pause', container)
  }

  /** Starts it where it is down, lets it go on where it is paused. Faults of its links are there again. */
  async start(id: NodeId): Promise<void> {
    const { container, state } = await this.#find(id)
    if (state === 'paused') await this.#project.docker('unpause', container)
    // The engine waits longer after each start in vain, up to a minute: it is taken at its word.
    if (state === 'restarting') await this.#project.docker('stop', '--time', '0', container)
    if (state !== 'running' && state !== 'paused') await this.#project.docker('start', container)
    if (this.#links.size > 0) await this.#applyLinks()
  }

  /** Puts these faults on the links, over those that are there. Loss 0 takes one away. */
  async setLinks(faults: Iterable<LinkFault>): Promise<void> {
    for (const fault of faults) {
      const link = `${fault.from} ${fault.to}`
      if (fault.loss > 0) this.#links.set(link, fault)
      else this.#links.delete(link)
    }
    await this.#applyLinks()
  }

  /** Every link is whole again. */
  async clearLinks(): Promise<void> {
    this.#links.clear()
    await this.#applyLinks()
  }

  /**
   * Fills the node's disk to the last byte.
   * Rejects with CommandError where the project has no service `disks`, or the disk is not a small one.
   */
  async fillDisk(id: NodeId): Promise<void> {
    if (!(await this.#project.isRunning(DISKS))) {
      throw new CommandError(
        `the project has no service \`${DISKS}\`: add docker/compose.chaos.yaml to its files`,
      )
    }
    const size = await this.#onDisk(id, 'df --output=avail -k "$1" | tail -n 1')
    if (Number(size) > LARGEST_FILL_KIB) {
      throw new CommandError(`the disk of ${id} has ${Number(size)} KiB free: too many to fill`)
    }
    this.#full.add(id)
    // It ends with "no space left", and that is the point.
    await this.#onDisk(id, `cat /dev/zero 2>/dev/null >"$1/${FILLER}" || true`)
  }

  /** Gives the space back. A node that ended over it is started again by the engine or by `start`. */
  async freeDisk(id: NodeId): Promise<void> {
    await this.#onDisk(id, `rm -f "$1/${FILLER}"`)
    this.#full.delete(id)
  }

  /** Takes every fault back: space, links, and nodes that are paused or down. */
  async heal(): Promise<void> {
    for (const id of [...this.#full]) await this.freeDisk(id)
    for (const { id, state } of await this.nodes()) if (state !== 'running') await this.start(id)
    await this.clearLinks()
  }

  /** Runs a script of the shell that has the node's disk as its first argument. */
  #onDisk(id: NodeId, script: string): Promise<string> {
    return this.#project.compose('exec', '-T', DISKS, 'sh', '-c', script, 'sh', `/disks/${id}`)
  }

  async #find(id: NodeId): Promise<NodeContainer> {
    const node = (await this.nodes()).find((node) => node.id === id)
    if (!node) throw new CommandError(`the project has no node ${id}`)
    return node
  }

  /** Writes every running node's rules anew: processes, networks and addresses are others after a start. */
  async #applyLinks(): Promise<void> {
    const nodes = await this.nodes()
    const addresses = new Map(nodes.map(({ id, addresses }) => [id, addresses]))
    const applied = nodes
      .filter(({ pid }) => pid > 0)
      .map(async ({ id, pid }) => {
        const heard = [...this.#links.values()]
          .filter(({ to }) => to === id)
          .map(({ from, loss }) => ({ addresses: addresses.get(from) ?? [], loss }))
        // Where no rule ever was there is nothing to take back.
        if (heard.length === 0 && this.#ruled.get(id) !== pid) return
        await this.#project.inNetworkOf(pid, 'iptables-restore', ['--noflush', '--wait'], restoreInput(heard))
        if (this.#ruled.get(id) === pid) return
        await this.#project.inNetworkOf(pid, 'iptables', ['--wait', '-I', 'INPUT', '-j', CHAIN])
        this.#ruled.set(id, pid)
      })
    await Promise.all(applied)
  }
}
