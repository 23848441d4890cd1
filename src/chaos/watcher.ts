import type { Connector } from '../client/connector.ts'
import type { Clock } from '../clock.ts'

/** How often each node is asked for its status, and how long it may take, in milliseconds. */
const PAUSE_MS = 100
const PATIENCE_MS = 700

/** What a node said of itself last. */
export interface NodeView {
  readonly id: string
  /** `leader`, `follower`, `candidate`, `preCandidate`; `unreachable` where it did not answer. */
  readonly role: string
  /** 0: it did not answer. */
  readonly term: number
  /** Whom it takes for the leader; empty: nobody. */
  readonly leader: string
  readonly lastApplied: number
  readonly lastIndex: number
  readonly stateHash: string
}

/** A node was in a role from one moment to another, in milliseconds of the run. */
export interface RoleSpan {
  readonly id: string
  readonly role: string
  readonly term: number
  readonly fromMs: number
  readonly toMs: number
}

export interface WatcherOptions {
  /** id → client address. */
  readonly endpoints: ReadonlyMap<string, string>
  readonly connector: Pick<Connector, 'status'>
  readonly clock: Clock
}

/**
 * Asks every node for its status the whole run long, each by itself, so that one that does not answer delays no
 * other. It writes down every leader that it sees of every term.
 */
export class Watcher {
  readonly #options: WatcherOptions
  readonly #began: number
  readonly #views = new Map<string, NodeView>()
  readonly #leaders = new Map<number, Set<string>>()
  readonly #spans: RoleSpan[] = []
  readonly #since = new Map<string, number>()
  readonly #loops: Promise<void>[]
  #stopping = false

  /** Begins at once. */
  constructor(options: WatcherOptions) {
    this.#options = options
    this.#began = options.clock.now()
    for (const id of options.endpoints.keys()) this.#heard(unreachable(id))
    this.#loops = [...options.endpoints].map(([id, endpoint]) => this.#watch(id, endpoint))
  }

  /** In the order of the nodes. */
  get views(): readonly NodeView[] {
    return [...this.#views.values()]
  }

  view(id: string): NodeView {
    return this.#views.get(id) ?? unreachable(id)
  }

  /** Who was seen to lead each term. */
  get leaders(): ReadonlyMap<number, ReadonlySet<string>> {
    return this.#leaders
  }

  /** Who leads the newest term, where a majority says so; undefined where nobody does. */
  leader(): NodeView | undefined {
    const term = Math.max(...this.views.map((view) => view.term))
    const leader = this.views.find((view) => view.role === 'leader' && view.term === term)
    const followers = this.views.filter((view) => view.term === term && view.leader === leader?.id)
    return leader !== undefined && followers.length > this.views.length / 2 ? leader : undefined
  }

  /** The roles of all nodes until now, in the order in which they ended. */
  spans(): RoleSpan[] {
    const toMs = this.#now()
    const open = this.views.map(({ id, role, term }) => {
      return { id, role, term, fromMs: this.#since.get(id) ?? 0, toMs }
    })
    return [...this.#spans, ...open]
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#loops)
  }

  #now(): number {
    return this.#options.clock.now() - this.#began
  }

  async #watch(id: string, endpoint: string): Promise<void> {
    const { connector, clock } = this.#options
    while (!this.#stopping) {
      const answer = await connector.status(endpoint, PATIENCE_MS).catch(() => undefined)
      if (answer === undefined || answer.id !== id) this.#heard(unreachable(id))
      else {
        const { role, term, leader, lastApplied, lastIndex, stateHash } = answer
        this.#heard({ id, role, term, leader, lastApplied, lastIndex, stateHash })
      }
      await new Promise<void>((resolve) => clock.after(PAUSE_MS, resolve))
    }
  }

  #heard(view: NodeView): void {
    const { id, role, term } = view
    const before = this.#views.get(id)
    this.#views.set(id, view)
    if (role === 'leader') this.#leaders.set(term, (this.#leaders.get(term) ?? new Set()).add(id))
    if (before?.role === role && before.term === term) return
    const now = this.#now()
    if (before) {
      const fromMs = this.#since.get(id) ?? 0
      this.#spans.push({ id, role: before.role, term: before.term, fromMs, toMs: now })
    }
    this.#since.set(id, now)
  }
}

function unreachable(id: string): NodeView {
  return { id, role: 'unreachable', term: 0, leader: '', lastApplied: 0, lastIndex: 0, stateHash: '' }
}
