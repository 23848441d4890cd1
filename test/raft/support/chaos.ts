import { Random } from '../../../src/raft/random.ts'
import { Cluster } from './cluster.ts'
import type { Transfer } from './cluster.ts'
import { command, textOf } from './entries.ts'
import type { NodeId } from '../../../src/raft/types.ts'
import type { ModelServer } from './server.ts'

/** What happened in a run, to tell that it was worth running. */
export interface ChaosCounts {
  steps: number
  committed: number
  acknowledged: number
  reads: number
  crashes: number
  terms: number
  fetches: number
  snapshots: number
  compactions: number
}

/**
 * A cluster to which random things happen, all from one seed: messages are delivered, lost, repeated and
 * reordered, servers tick, sleep, crash and restart, disks are slow and lose what was not persisted, clients
 * write and read. Every invariant is checked after every step.
 */
export class Chaos {
  readonly cluster: Cluster
  readonly counts: ChaosCounts
  readonly #random: Random
  /** Commands that clients wait for: where they were proposed. */
  readonly #waiting = new Map<string, NodeId>()
  #nextId = 1
  /** Snapshots on their way. */
  readonly #transfers: Transfer[] = []
  /** A server that does nothing for now and hears nothing, then goes on with what it believed before. */
  #asleep: NodeId | undefined
  /** How often the oldest message comes first, in percent. */
  readonly #inOrder: number
  /** How often time passes, compared with the rest, in thousandths above the least. */
  readonly #haste: number

  constructor(seed: number, size: number) {
    this.counts = {
      steps: 0,
      committed: 0,
      acknowledged: 0,
      reads: 0,
      crashes: 0,
      terms: 0,
      fetches: 0,
      snapshots: 0,
      compactions: 0,
    }
    this.#random = new Random(seed)
    this.#inOrder = 30 + this.#random.below(70)
    this.#haste = this.#random.below(60)
    const small = { electionTicks: 4, maxAppendBytes: 120, maxInFlightBytes: 300, maxInFlightEntries: 6 }
    this.cluster = new Cluster({
      size,
      raft: { ...small, maxTailBytes: 1500, maxApplyBytes: 150, seed },
      observer: {
        stepped: (server, _input, output) => {
          this.counts.reads += output.reads.length
          this.counts.fetches += output.fetches.length
          this.counts.terms = Math.max(this.counts.terms, server.view.term)
        },
        installed: () => void this.counts.snapshots++,
        applied: (server, entry) => {
          if (this.#waiting.get(textOf(entry)) !== server.id) return
          this.#waiting.delete(textOf(entry))
          this.counts.acknowledged++
          this.cluster.invariants.acknowledged(entry.index)
        },
      },
    })
    for (const server of this.cluster.servers.values()) {
      server.auto.persist = server.auto.apply = server.auto.fetch = false
    }
  }

  /** Lets `steps` random things happen. */
  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.#act()
    this.counts.steps = this.cluster.invariants.steps
    this.counts.committed = this.cluster.invariants.committed.length
  }

  /** Ends all trouble, and lets time pass until everything has come to rest. */
  recover(): void {
    this.cluster.heal()
    this.#asleep = undefined
    for (const server of this.cluster.servers.values()) {
      if (!server.up) this.cluster.restart(server.id)
      server.auto.persist = server.auto.apply = server.auto.fetch = true
      server.settle()
    }
    for (const transfer of this.#transfers.splice(0)) {
      this.cluster.bring(this.cluster.server(transfer.snapshot.from), transfer)
    }
    this.cluster.run()
    this.cluster.pass(200)
    this.counts.steps = this.cluster.invariants.steps
    this.counts.committed = this.cluster.invariants.committed.length
  }

  #act(): void {
    const { cluster } = this
    const dice = this.#random.below(1000)
    const server = this.#anyServer()
    this.#sleepOrWake()
    if (dice < 450) this.#deliver()
    else if (dice < 470) this.#removeAt(this.#anyMessage())
    else if (dice < 490) this.#deliver(true)
    else if (dice < 491) this.#breakAnyLink(server.id)
    else if (dice < 495) this.#partition()
    else if (dice < 500) cluster.heal()
    else if (!server.up) {
      if (this.#chance(10)) cluster.restart(server.id, this.#chance(50) ? this.#random.below(8) : undefined)
    } else if (server.id === this.#asleep) return
    else if (dice < 580 + this.#haste) server.tick()
    else if (dice < 760) this.#disk(server)
    else if (dice < 840) this.#machine(server)
    else if (dice < 880) server.answerFetch()
    else if (dice < 942) this.#write()
    else if (dice < 977) this.#read()
    else if (dice < 986) this.#checkpoint(server)
    else if (dice < 996) this.#bringSnapshot(server)
    else this.#crash(server)
  }

  /** And cuts the log, mostly all of it that may go. */
  #checkpoint(server: ModelServer): void {
    if (this.#chance(80)) server.checkpoint()
    const { firstIndex } = server.view
    const { applied } = server.disk.checkpoint
    if (this.#chance(70))
      server.compact(this.#chance(70) ? applied : Math.min(applied, firstIndex + this.#random.below(4)))
    if (server.view.firstIndex > firstIndex) this.counts.compactions++
  }

  /** Takes one out of a leader's hands, or brings one that was taken before: late, again, or to be lost. */
  #bringSnapshot(server: ModelServer): void {
    const taken = server.takeSnapshot()
    if (taken !== undefined) this.#transfers.push(taken)
    if (this.#transfers.length === 0) return
    const at = this.#random.below(this.#transfers.length)
    const transfer = this.#transfers[at]!
    const sender = this.cluster.server(transfer.snapshot.from)
    if (transfer.request.to === this.#asleep || sender.id === this.#asleep) return
    if (this.#chance(80)) this.#transfers.splice(at, 1)
    if (this.#chance(80)) this.cluster.bring(sender, transfer)
    else if (sender.up) sender.step({ type: 'snapshotSent', request: transfer.request, position: undefined })
  }

  #deliver(keep = false): void {
    const { pool } = this.cluster
    const at = this.#anyMessage()
    const message = pool[at]
    if (message === undefined) return
    if (!keep) this.#removeAt(at)
    this.cluster.hand(message)
  }

  /** For long enough that the others miss it; a leader more often than chance would. */
  #sleepOrWake(): void {
    const dice = this.#random.below(1500)
    if (this.#asleep !== undefined) {
      if (dice >= 3) return
      const woken = this.cluster.server(this.#asleep)
      this.#asleep = undefined
      this.#readAt(woken) // what a client asked meanwhile
    } else if (dice === 0) {
      this.#asleep = (this.#chance(70) ? this.#anyLeader() : undefined)?.id ?? this.#anyServer().id
    }
  }

  /** Where in the network the next message stands to which something happens. */
  #anyMessage(): number {
    const { pool } = this.cluster
    let at = this.#chance(this.#inOrder) ? 0 : this.#random.below(pool.length)
    while (at < pool.length && pool[at]!.to === this.#asleep) at++
    return at
  }

  #removeAt(at: number): void {
    this.cluster.pool.splice(at, 1)
  }

  #disk(server: ModelServer): void {
    server.persist(1 + this.#random.below(server.pendingWrites.length))
  }

  #machine(server: ModelServer): void {
    if (server.pendingInstall) server.install()
    server.apply(1 + this.#random.below(server.pendingApply.length))
  }

  #write(): void {
    const leader = this.#anyLeader()
    if (leader === undefined) return
    const text = `set k${this.#random.below(5)} v${this.#nextId++}`
    this.#waiting.set(text, leader.id)
    leader.propose(command(text))
  }

  /** At a leader (of several, any), or where nobody should be asked. */
  #read(): void {
    const server = this.#chance(90) ? this.#anyLeader() : this.#anyServer()
    if (server !== undefined && server.id !== this.#asleep) this.#readAt(server)
  }

  #readAt(server: ModelServer): void {
    if (server.up) server.step({ type: 'readIndex', id: this.#nextId++ })
  }

  #crash(server: ModelServer): void {
    this.counts.crashes++
    for (const [text, id] of this.#waiting) if (id === server.id) this.#waiting.delete(text)
    this.cluster.crash(server.id, this.#random.below(server.pendingWrites.length + 1))
    for (const id of this.cluster.ids) if (this.#chance(70)) this.#breakLink(server.id, id)
  }

  #breakAnyLink(id: NodeId): void {
    const other = this.#anyOther(id)
    if (other !== undefined) this.#breakLink(id, other)
  }

  /** What is under way on it may come all the same: on the one that takes its place. */
  #breakLink(a: NodeId, b: NodeId): void {
    for (const [id, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      const server = this.cluster.server(id)
      if (server.up && id !== peer && id !== this.#asleep) server.step({ type: 'linkLost', peer })
    }
  }

  #partition(): void {
    const away = this.#anyServer().id
    if (this.#chance(50)) return this.cluster.isolate(away)
    const other = this.#anyOther(away)
    if (other !== undefined) this.cluster.cut(away, other)
  }

  #anyServer(): ModelServer {
    return this.cluster.server(`n${1 + this.#random.below(this.cluster.servers.size)}`)
  }

  /** Undefined: it is alone. */
  #anyOther(id: NodeId): NodeId | undefined {
    const others = this.cluster.ids.filter((other) => other !== id)
    return others[this.#random.below(others.length)]
  }

  #anyLeader(): ModelServer | undefined {
    const leaders = this.cluster.leaders.filter(({ id }) => id !== this.#asleep)
    return leaders[this.#random.below(leaders.length)]
  }

  #chance(percent: number): boolean {
    return this.#random.below(100) < percent
  }
}
