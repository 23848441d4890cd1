import type { ChaosTarget, FaultKind, Slowness } from '../target.ts'
import { FaultsError } from '../faults-error.ts'
import { ComposeLinks } from './links.ts'
import { ComposeProject } from './project.ts'
import type { ComposeOptions, NodeContainer } from './project.ts'

/** The service that keeps the disks and fills them, each at `/disks/<node>`: see docker/compose.chaos.yaml. */
const DISKS = 'disks'
const FILLER = '.chaos-fill'

/** A disk with more than this free is nobody's small one: filling it would fill the machine. In KiB. */
const LARGEST_FILL_KIB = 4 * 1024 * 1024

/** A node that is stopped and has not ended after this is killed, in seconds. */
const STOP_GRACE_S = '20'

/** How often a container is told to pause until it does. */
const PAUSE_TRIES = 8

/**
 * Opens a compose project that runs. Nodes are killed and paused by the engine; links are cut by iptables in the network
 * of the receiving container, which takes root on the engine's own machine, and slowed down by its kernel's netem where
 * it has that; disks are filled by the service `disks`. What is not there is not in `supports`.
 * Rejects with FaultsError where no engine answers, or the project has no nodes or does not publish their ports.
 */
export async function openComposeTarget(options: ComposeOptions): Promise<ChaosTarget> {
  const project = await ComposeProject.open(options)
  const nodes = await project.nodes()
  const links = new ComposeLinks(project)
  const supports = new Set<FaultKind>(['kill', 'stop', 'pause'])
  const pids = nodes.map(({ pid }) => pid).filter((pid) => pid > 0)
  const probed = pids[0] === undefined ? { cut: false, slow: false } : await links.probe(pids[0])
  if (probed.cut) supports.add('cut')
  if (probed.slow) supports.add('slow')
  if (await project.isRunning(DISKS)) supports.add('disk')
  // What an earlier run left that did not end in order would count against this one.
  if (probed.cut) await links.clearLeftovers(pids)
  if (supports.has('disk')) await project.compose('exec', '-T', DISKS, 'sh', '-c', `rm -f /disks/*/${FILLER}`)
  return new ComposeTarget(project, links, nodes, supports)
}

class ComposeTarget implements ChaosTarget {
  readonly nodes: readonly string[]
  readonly endpoints: ReadonlyMap<string, string>
  readonly supports: ReadonlySet<FaultKind>
  readonly #project: ComposeProject
  readonly #links: ComposeLinks
  readonly #full = new Set<string>()

  constructor(
    project: ComposeProject,
    links: ComposeLinks,
    nodes: readonly NodeContainer[],
    supports: ReadonlySet<FaultKind>,
  ) {
    this.#project = project
    this.#links = links
    this.nodes = Object.freeze(nodes.map(({ id }) => id))
    this.endpoints = new Map(
      nodes.map(({ id, published }) => {
        if (published === undefined) throw new FaultsError(`the client port of ${id} is not published`)
        return [id, published]
      }),
    )
    this.supports = supports
  }

  async kill(id: string): Promise<void> {
    const { container, state } = await this.#find(id)
    if (state === 'exited') return
    // One that ended by itself has no process, but the engine is about to start another.
    if (state === 'restarting') await this.#project.docker('stop', '--time', '0', container)
    else await this.#project.docker('kill', '--signal', 'KILL', container)
  }

  async stop(id: string): Promise<void> {
    const { container, state } = await this.#find(id)
    if (state === 'paused') await this.#project.docker('unpause', container)
    await this.#project.docker('stop', '--time', STOP_GRACE_S, container)
  }

  async start(id: string): Promise<void> {
    const { container, state } = await this.#find(id)
    if (state === 'running' || state === 'paused') return
    // The engine waits longer after each start in vain, up to a minute: nobody has to wait for that.
    if (state === 'restarting') await this.#project.docker('stop', '--time', '0', container)
    await this.#project.docker('start', container)
    await this.#links.apply()
  }

  async pause(id: string): Promise<void> {
    const { container, state } = await this.#find(id)
    if (state === 'paused') return
    for (let left = PAUSE_TRIES; ; left--) {
      try {
        await this.#project.docker('pause', container)
        return
      } catch (error) {
        // On a busy machine the freezer may not catch every thread in time ("unable to freeze"); the next try does.
        if (left <= 1 || !/unable to freeze/.test(String(error))) throw error
      }
    }
  }

  async resume(id: string): Promise<void> {
    const { container, state } = await this.#find(id)
    if (state === 'paused') await this.#project.docker('unpause', container)
  }

  async cut(from: string, to: string): Promise<void> {
    this.#need('cut')
    await Promise.all([this.#find(from), this.#find(to)])
    await this.#links.cut(from, to)
  }

  async slow(id: string, how: Slowness): Promise<void> {
    // Loss is a matter of iptables; only a delay takes a kernel that has netem.
    this.#need(how.delayMs > 0 ? 'slow' : 'cut')
    await this.#find(id)
    await this.#links.slow(id, how)
  }

  async fillDisk(id: string): Promise<void> {
    this.#need('disk')
    const free = Number(await this.#onDisk(id, 'df --output=avail -k "$1" | tail -n 1'))
    if (!(free <= LARGEST_FILL_KIB)) throw new FaultsError(`${free} KiB are free for ${id}: too many to fill`)
    this.#full.add(id)
    // It ends with "no space left", and that is the point.
    await this.#onDisk(id, `cat /dev/zero 2>/dev/null >"$1/${FILLER}" || true`)
  }

  async log(id: string, sinceMs: number): Promise<string> {
    const { container } = await this.#find(id)
    return this.#project.docker('logs', '--since', new Date(sinceMs).toISOString(), container)
  }

  async heal(): Promise<void> {
    const freed = [...this.#full].map(async (id) => {
      await this.#onDisk(id, `rm -f "$1/${FILLER}"`)
      this.#full.delete(id)
    })
    await Promise.all([...freed, this.#links.clear()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.heal()
  }

  #need(kind: FaultKind): void {
    if (!this.supports.has(kind)) {
      throw new FaultsError(`${kind} cannot be done to this project here: docs/docker.md says what it takes`)
    }
  }

  /** Runs a script of the shell that has the node's disk as its first argument. */
  #onDisk(id: string, script: string): Promise<string> {
    return this.#project.compose('exec', '-T', DISKS, 'sh', '-c', script, 'sh', `/disks/${id}`)
  }

  async #find(id: string): Promise<NodeContainer> {
    const node = (await this.#project.nodes()).find((node) => node.id === id)
    if (!node) throw new FaultsError(`the project has no node ${id}`)
    return node
  }
}
