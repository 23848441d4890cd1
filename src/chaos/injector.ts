import type { Clock } from '../clock.ts'
import { FaultsError } from './faults-error.ts'
import { type Action, describeStep, neededFor, type Who } from './steps.ts'
import type { ChaosTarget, FaultKind } from './target.ts'
import type { Watcher } from './watcher.ts'

/** How long a step waits for somebody to lead, where it is about the leader, in milliseconds. */
const LEADER_PATIENCE_MS = 10_000
const POLL_MS = 20

/** A fault in time, in milliseconds of the run. */
export interface FaultSpan {
  readonly kind: FaultKind
  readonly label: string
  /** To whom it was done. */
  readonly nodes: readonly string[]
  readonly fromMs: number
  readonly toMs: number
}

/** A name that a step gave, and the term of that moment. */
export interface Remembered {
  readonly node: string
  readonly term: number
}

interface OpenFault {
  readonly kind: FaultKind
  readonly label: string
  readonly nodes: readonly string[]
  readonly fromMs: number
}

/** Does steps to a target, and keeps account of what is done to whom. */
export class Injector {
  readonly #target: ChaosTarget
  readonly #watcher: Watcher
  readonly #clock: Clock
  readonly #began: number
  readonly #names = new Map<string, Remembered>()
  readonly #down = new Set<string>()
  readonly #paused = new Set<string>()
  /** Nodes whose disk was full once: they may have ended by themselves. */
  readonly #filled = new Set<string>()
  #open: OpenFault[] = []
  readonly #spans: FaultSpan[] = []

  constructor(target: ChaosTarget, watcher: Watcher, clock: Clock) {
    this.#target = target
    this.#watcher = watcher
    this.#clock = clock
    this.#began = clock.now()
  }

  /** The nodes that should run: nobody killed, stopped or paused them. */
  get running(): readonly string[] {
    return this.#target.nodes.filter((id) => !this.#down.has(id) && !this.#paused.has(id))
  }

  /** The faults that are in force, in words. */
  get current(): readonly string[] {
    return this.#open.map(({ label }) => label)
  }

  /** All faults; those in force end now. */
  spans(): readonly FaultSpan[] {
    return [...this.#spans, ...this.#open.map((open) => ({ ...open, toMs: this.#now() }))]
  }

  remembered(name: string): Remembered | undefined {
    return this.#names.get(name)
  }

  /**
   * Does it. What it is done to stands in the label of the fault.
   * @throws FaultsError where it cannot be done
   */
  async run(action: Action): Promise<void> {
    const needed = neededFor(action)
    if (needed !== undefined && !this.#target.supports.has(needed)) {
      throw new FaultsError(`this target cannot ${describeStep(action)} (it knows no "${needed}")`)
    }
    switch (action.do) {
      case 'kill':
      case 'stop':
      case 'start':
      case 'pause':
      case 'resume':
      case 'fillDisk': {
        const nodes = await this.nodesOf(action.node)
        if (action.as !== undefined) this.#remember(action.as, nodes[0]!)
        await Promise.all(nodes.map((id) => this.#single(action.do, id)))
        return
      }
      case 'cut': {
        const [[from = ''], [to = '']] = await Promise.all([
          this.nodesOf(action.from),
          this.nodesOf(action.to),
        ])
        return this.#cut(`${from} → ${to} cut`, [from], [[from, to]])
      }
      case 'isolate': {
        const [node = ''] = await this.nodesOf(action.node)
        if (action.as !== undefined) this.#remember(action.as, node)
        const { direction = 'both' } = action
        const others = this.#target.nodes.filter((id) => id !== node)
        const cuts = others.flatMap((other) => [
          ...(direction === 'in' ? [] : [[node, other] as const]),
          ...(direction === 'out' ? [] : [[other, node] as const]),
        ])
        const label = { both: 'cut off', in: 'hears nobody', out: 'is heard by nobody' }[direction]
        return this.#cut(`${node} ${label}`, [node], cuts)
      }
      case 'split': {
        const here = [
          ...new Set((await Promise.all(action.nodes.map((who) => this.nodesOf(who)))).flat()),
        ].sort()
        const there = this.#target.nodes.filter((id) => !here.includes(id))
        const cuts = here.flatMap((one) =>
          there.flatMap((other) => [[one, other] as const, [other, one] as const]),
        )
        return this.#cut(`${here.join(', ')} | ${there.join(', ')}`, here, cuts)
      }
      case 'slow': {
        const { delayMs, lossRate } = action
        for (const node of await this.nodesOf(action.node)) {
          await this.#target.slow(node, { delayMs, lossRate })
          this.#end(({ kind, nodes }) => kind === 'slow' && nodes[0] === node)
          const loss = lossRate > 0 ? `, ${Math.round(lossRate * 100)} % lost` : ''
          this.#begin('slow', `${node} slow (${delayMs} ms${loss})`, [node])
        }
        return
      }
      case 'heal':
        await this.#target.heal()
        return this.#end(({ kind }) => kind === 'cut' || kind === 'slow' || kind === 'disk')
      case 'remember':
        return this.#remember(action.as, (await this.nodesOf(action.node))[0]!)
    }
  }

  /** The nodes that nothing was done to that could have ended them, but what is in force or was taken back. */
  get expectedToLive(): readonly string[] {
    return this.running.filter((id) => !this.#filled.has(id))
  }

  /**
   * Which nodes are meant; at least one.
   * @throws FaultsError where nobody is
   */
  async nodesOf(who: Who): Promise<readonly string[]> {
    if (who === 'all') return this.#target.nodes
    if (who === 'leader') return [await this.#leader()]
    const leader = this.#watcher.leader()?.id
    const named = who === 'follower' ? this.running.find((id) => id !== leader) : this.#names.get(who)?.node
    const node = named ?? (this.#target.nodes.includes(who) ? who : undefined)
    if (node === undefined) {
      throw new FaultsError(
        who === 'follower'
          ? 'no follower runs'
          : `nobody is called "${who}": nodes are ${this.#target.nodes.join(', ')}, and no earlier step says "as": "${who}"`,
      )
    }
    return [node]
  }

  async #leader(): Promise<string> {
    const deadline = this.#clock.now() + LEADER_PATIENCE_MS
    while (this.#clock.now() < deadline) {
      const leader = this.#watcher.leader()?.id
      // The watcher's view may be older than a kill.
      if (leader !== undefined && this.running.includes(leader)) return leader
      await new Promise<void>((resolve) => this.#clock.after(POLL_MS, resolve))
    }
    throw new FaultsError(`nobody leads, after ${LEADER_PATIENCE_MS / 1000} s`)
  }

  async #single(
    what: 'kill' | 'stop' | 'start' | 'pause' | 'resume' | 'fillDisk',
    id: string,
  ): Promise<void> {
    // What ends a fault is over when it is done; what begins one is in force from the moment it is asked for.
    switch (what) {
      case 'kill':
      case 'stop':
        this.#down.add(id)
        if (this.#paused.delete(id)) this.#end(({ kind, nodes }) => kind === 'pause' && nodes[0] === id)
        this.#begin(what, `${id} ${what === 'kill' ? 'killed' : 'stopped'}`, [id])
        return what === 'kill' ? this.#target.kill(id) : this.#target.stop(id)
      case 'start':
        // One that ended by itself is not brought back in silence: that is for the verdict to see.
        if (!this.#down.has(id) && !this.#filled.has(id)) return
        await this.#target.start(id)
        this.#down.delete(id)
        return this.#end(({ kind, nodes }) => (kind === 'kill' || kind === 'stop') && nodes[0] === id)
      case 'pause':
        if (this.#down.has(id)) return
        this.#paused.add(id)
        this.#begin('pause', `${id} paused`, [id])
        return this.#target.pause(id)
      case 'resume':
        await this.#target.resume(id)
        this.#paused.delete(id)
        return this.#end(({ kind, nodes }) => kind === 'pause' && nodes[0] === id)
      case 'fillDisk':
        this.#filled.add(id)
        this.#begin('disk', `${id} disk full`, [id])
        return this.#target.fillDisk(id)
    }
  }

  async #cut(
    label: string,
    nodes: readonly string[],
    cuts: readonly (readonly [from: string, to: string])[],
  ): Promise<void> {
    this.#begin('cut', label, nodes)
    for (const [from, to] of cuts) await this.#target.cut(from, to)
  }

  #remember(name: string, node: string): void {
    this.#names.set(name, { node, term: Math.max(...this.#watcher.views.map(({ term }) => term)) })
  }

  #begin(kind: FaultKind, label: string, nodes: readonly string[]): void {
    if (this.#open.some((open) => open.label === label)) return
    this.#open.push({ kind, label, nodes, fromMs: this.#now() })
  }

  #end(isOver: (fault: OpenFault) => boolean): void {
    const toMs = this.#now()
    this.#spans.push(...this.#open.filter(isOver).map((fault) => ({ ...fault, toMs })))
    this.#open = this.#open.filter((fault) => !isOver(fault))
  }

  #now(): number {
    return this.#clock.now() - this.#began
  }
}
