import type { NodeId } from '../../src/raft/types.ts'
import { Dice } from './engine/dice.ts'
import { Events } from './engine/events.ts'
import { Network } from './engine/network.ts'
import { Invariants } from './invariants.ts'
import { Ledger } from './ledger.ts'
import type { LedgerPosition } from './ledger.ts'
import { SimulatedNode } from './node.ts'
import type { Plan } from './plan.ts'
import { Trace } from './trace.ts'
import type { TraceLine } from './trace.ts'
import { SimulatedClient } from './workload/client.ts'
import type { Recorded } from './workload/client.ts'

/** A rule that was broken, and how. */
export interface Breach {
  readonly rule: string
  readonly what: string
  readonly at: number
}

/** A whole cluster with its clients, network and disks, and everybody who watches it. */
export class World {
  readonly plan: Plan
  readonly events = new Events()
  readonly trace: Trace
  readonly network: Network
  readonly invariants: Invariants
  readonly ledger: Ledger
  readonly ids: readonly NodeId[]
  readonly clientNames: readonly string[]
  readonly nodes: readonly SimulatedNode[]
  readonly clients: readonly SimulatedClient[]
  readonly history: Recorded[] = []
  /** How many of these were answered. */
  answers = 0
  /** How often each kind of fault was applied. */
  readonly faults = new Map<string, number>()
  /** The first rule that was broken. */
  breach: Breach | undefined

  constructor(plan: Plan, write?: (line: TraceLine) => void) {
    this.plan = plan
    this.trace = new Trace(this.events, write)
    this.ids = Array.from({ length: plan.nodes }, (_, i) => `n${i + 1}`)
    this.clientNames = Array.from({ length: plan.clients }, (_, i) => `c${i + 1}`)
    const broken = (rule: string, what: string): void => this.broken(rule, what)
    this.invariants = new Invariants(this.ids, broken)
    this.ledger = new Ledger(broken)
    this.network = new Network(this.events, Dice.of(plan.seed, 'network'), plan.latencyMs, {
      delivered: (from, to, frame) => this.trace.frame(from, to, frame),
      lost: (from, to, frame) => this.trace.lost(from, to, frame),
    })
    this.nodes = this.ids.map((id) => new SimulatedNode(this, id))
    this.clients = this.clientNames.map((name) => new SimulatedClient(this, name))
  }

  node(id: NodeId): SimulatedNode {
    return this.nodes[this.ids.indexOf(id)]!
  }

  anyNode(dice: Dice): NodeId {
    return dice.pick(this.ids)
  }

  /** The leader of the newest term, if one is up. */
  get leader(): NodeId | undefined {
    let found: NodeId | undefined
    let newest = -1
    for (const { id, role, term, up } of this.invariants.shadows.values()) {
      if (!up || role !== 'leader' || term <= newest) continue
      found = id
      newest = term
    }
    return found
  }

  /** Faults hit the leader more often than chance would. */
  leaderOrAny(dice: Dice): NodeId {
    const leader = this.leader
    return leader !== undefined && dice.chance(0.6) ? leader : this.anyNode(dice)
  }

  /** A session that exists, or existed. */
  anySession(dice: Dice): number | undefined {
    return this.ledger.sessions.length === 0 ? undefined : dice.pick(this.ledger.sessions)
  }

  /** Only the first breach counts: what follows may follow from it. */
  broken(rule: string, what: string): void {
    if (this.breach !== undefined) return
    this.trace.note('!', () => `${rule}: ${what}`)
    this.breach = { rule, what, at: this.events.now }
  }

  /** An operation has ended. `before`: where the ledger stood when it began. */
  ended(recorded: Recorded, before: LedgerPosition): void {
    const { asked, outcome } = recorded
    this.history.push(recorded)
    this.trace.ended(recorded)
    if (outcome.type === 'ok') {
      this.answers++
      this.ledger.answered(asked, outcome.answer, before)
    } else if (outcome.type === 'failed') this.ledger.refused(asked, outcome.code)
  }
}
