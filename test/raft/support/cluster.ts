import { ModelServer } from './server.ts'
import { Invariants } from './invariants.ts'
import { command, entriesOfTerms } from './entries.ts'
import { sealEntries } from '../../../src/wire/entry.ts'
import type { RaftOptions } from '../../../src/raft/state.ts'
import type { Message, NodeId, Output, Term } from '../../../src/raft/types.ts'
import type { ServerObserver } from './server.ts'

/** Options that suit tests: an election time-out of 10 ticks, a heartbeat every tick. */
export function raftOptions(
  id: NodeId,
  voters: readonly NodeId[],
  options: Partial<RaftOptions> = {},
): RaftOptions {
  return {
    id,
    membership: { voters, outgoing: [], learners: [] },
    electionTicks: 10,
    heartbeatTicks: 1,
    maxAppendBytes: 1 << 20,
    maxInFlightBytes: 1 << 20,
    maxInFlightEntries: 256,
    maxTailBytes: 1 << 20,
    maxApplyBytes: 1 << 20,
    seal: sealEntries,
    ...options,
    seed: (options.seed ?? 1) * 1000 + voters.indexOf(id),
  }
}

/** What a server has on disk before it starts: a log, written as the terms of its entries, and hard state. */
export interface Found {
  readonly log?: readonly Term[]
  readonly term?: Term
  readonly votedFor?: NodeId
}

export interface ClusterOptions {
  /** How many servers, n1 to nN. */
  readonly size?: number
  readonly raft?: Partial<RaftOptions>
  readonly found?: Readonly<Record<NodeId, Found>>
  /** Told of everything, before the invariants are checked. */
  readonly observer?: Partial<ServerObserver>
}

/** A snapshot on its way, and for what request. */
export type Transfer = NonNullable<ReturnType<ModelServer['takeSnapshot']>>

/** Which messages: of a type, from one server, to another. What is absent does not matter. */
export interface Which {
  readonly type?: Message['type']
  readonly from?: NodeId
  readonly to?: NodeId
}

/**
 * A small network of model servers: messages wait in `pool`, in the order in which they were sent, until the
 * test delivers, drops or duplicates them. All invariants are checked after every step.
 */
export class Cluster {
  readonly servers: ReadonlyMap<NodeId, ModelServer>
  readonly invariants: Invariants
  pool: Message[] = []
  readonly #cuts = new Set<string>()

  constructor({ size = 3, raft, found = {}, observer = {} }: ClusterOptions = {}) {
    const ids = Array.from({ length: size }, (_, i) => `n${i + 1}`)
    const servers = new Map<NodeId, ModelServer>()
    this.servers = servers
    this.invariants = new Invariants(servers)
    const observed: ServerObserver = {
      send: (message) => {
        observer.send?.(message)
        this.invariants.sent(this.server(message.from), message)
        if (!this.isCut(message.from, message.to)) this.pool.push(message)
      },
      stepped: (server, input, output) => {
        observer.stepped?.(server, input, output)
        this.invariants.stepped(server, input, output)
      },
      persisted: (server, writes) => observer.persisted?.(server, writes),
      installed: (server) => {
        observer.installed?.(server)
        this.invariants.installed(server)
      },
      applied: (server, entry) => observer.applied?.(server, entry),
    }
    for (const id of ids) {
      const server = new ModelServer(raftOptions(id, ids, raft), observed)
      const { log, term, votedFor }: Found = found[id] ?? {}
      server.disk.hardState = { currentTerm: term ?? log?.at(-1) ?? 0, votedFor }
      server.disk.entries = entriesOfTerms(log ?? [])
      servers.set(id, server)
      this.invariants.started(server.start())
    }
  }

  get ids(): NodeId[] {
    return [...this.servers.keys()]
  }

  server(id: NodeId): ModelServer {
    const server = this.servers.get(id)
    if (server === undefined) throw new Error(`there is no server ${id}`)
    return server
  }

  /** The servers that run and lead, of the highest term first. */
  get leaders(): ModelServer[] {
    const leaders = [...this.servers.values()].filter((server) => server.up && server.view.role === 'leader')
    return leaders.sort((a, b) => b.view.term - a.view.term)
  }

  // ---- messages ----

  /** Delivers the messages that wait now (those of `which`), in order; what they give rise to waits. */
  deliver(which: Which = {}): Message[] {
    const messages = this.take(which)
    for (const message of messages) this.hand(message)
    return messages
  }

  /** Delivers until no message waits. */
  run(which: Which = {}): void {
    for (let rounds = 0; this.deliver(which).length > 0; rounds++) {
      if (rounds > 1000) throw new Error('the messages never end')
    }
  }

  /** Brings every follower the snapshot that its leader wants it to have. False: none waits. */
  bringSnapshots(): boolean {
    let brought = false
    for (const server of this.servers.values()) {
      for (let taken = server.takeSnapshot(); taken !== undefined; taken = server.takeSnapshot()) {
        brought = true
        this.bring(server, taken)
      }
    }
    return brought
  }

  /** Brings a follower one snapshot, and tells the leader so. */
  bring(sender: ModelServer, { request, snapshot }: Transfer): void {
    const receiver = this.server(request.to)
    const arrives = receiver.up && !this.isCut(sender.id, receiver.id)
    if (arrives) receiver.receiveSnapshot(snapshot)
    if (!sender.up) return
    sender.step({ type: 'snapshotSent', request, position: arrives ? snapshot.position : undefined })
  }

  /** Takes messages out of the network: dropped, unless the test hands them over later. */
  take(which: Which = {}): Message[] {
    const taken = this.pool.filter((message) => matches(message, which))
    this.pool = this.pool.filter((message) => !taken.includes(message))
    return taken
  }

  /** Delivers one message, which need not wait in the network: a duplicate, a late one, one made by hand. */
  hand(message: Message): Output | undefined {
    const server = this.server(message.to)
    return server.up && !this.isCut(message.from, message.to) ? server.receive(message) : undefined
  }

  /** Cuts the link between two servers, in both directions. */
  cut(a: NodeId, b: NodeId): void {
    this.#cuts.add(`${a}-${b}`).add(`${b}-${a}`)
  }

  /** Cuts a server off from all others. */
  isolate(id: NodeId): void {
    for (const other of this.ids) if (other !== id) this.cut(id, other)
  }

  heal(): void {
    this.#cuts.clear()
  }

  // ---- servers ----

  crash(id: NodeId, reachedDisk = 0): void {
    this.server(id).crash(reachedDisk)
  }

  restart(id: NodeId, tail?: number): ModelServer {
    const server = this.server(id).start(tail)
    this.invariants.started(server)
    return server
  }

  /** Ticks a server until it campaigns. */
  timeout(id: NodeId): void {
    const server = this.server(id)
    const { electionTicks } = server.options
    for (let ticks = 0; ticks < 3 * electionTicks; ticks++) {
      server.tick()
      if (server.view.role !== 'follower') return
    }
    throw new Error(`${id} does not campaign`)
  }

  /**
   * Makes a server the leader: the other followers' leader counts as silent, it campaigns, all messages run.
   * A leader that still runs and is connected must be stopped first.
   */
  elect(id: NodeId): ModelServer {
    for (const other of this.servers.values()) {
      if (other.id === id || !other.up || other.view.leader === undefined) continue
      if (other.view.role === 'follower') other.tick(other.options.electionTicks)
      this.take({ from: other.id }) // it may have begun to campaign itself
    }
    this.timeout(id)
    this.run()
    const server = this.server(id)
    if (server.view.role !== 'leader') throw new Error(`${id} was not elected`)
    return server
  }

  /** Ticks all servers that run, delivering everything after each tick. */
  pass(ticks: number): void {
    for (let i = 0; i < ticks; i++) {
      for (const server of this.servers.values()) if (server.up) server.tick()
      this.run()
      while (this.bringSnapshots()) this.run()
    }
  }

  /** Proposes a command and lets the messages run, and a heartbeat after them, so that all servers apply it. */
  write(id: NodeId, text: string): void {
    this.server(id).propose(command(text))
    this.run()
    this.server(id).tick()
    this.run()
  }

  /** Whether messages between these two get lost. */
  isCut(a: NodeId, b: NodeId): boolean {
    return this.#cuts.has(`${a}-${b}`)
  }
}

function matches(message: Message, { type, from, to }: Which): boolean {
  return (
    (type === undefined || message.type === type) &&
    (from === undefined || message.from === from) &&
    (to === undefined || message.to === to)
  )
}
