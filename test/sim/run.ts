import type { NodeId } from '../../src/raft/types.ts'
import { Dice } from './engine/dice.ts'
import type { Ending } from './faults/fault.ts'
import { outsidePromises, runMicrotasks } from './engine/microtasks.ts'
import type { Plan } from './plan.ts'
import { problemOf } from './verdict.ts'
import type { TraceLine } from './trace.ts'
import { World } from './world.ts'
import type { Breach } from './world.ts'
import type { Recorded } from './workload/client.ts'

/** What a run came to. */
export interface RunResult {
  readonly seed: number
  readonly breach: Breach | undefined
  /** Of everything that happened: the same for every run of the seed. */
  readonly traceHash: string
  readonly events: number
  readonly simulatedMs: number
  readonly realMs: number
  readonly nodes: number
  readonly faults: Readonly<Record<string, number>>
  /** How many operations ended in which way. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Role changes, such as `follower → preCandidate`. */
  readonly transitions: Readonly<Record<string, number>>
  readonly leaders: number
  readonly committed: number
  readonly checks: number
  readonly history: readonly Recorded[]
}

/** A run goes on until so many operations were answered. */
const LEAST_ANSWERS = 200

/** When all is well again: how long it may take until there is a leader, in election time-outs, and all agree. */
const ELECTIONS = 20
const RECOVERY_MS = 6000

/** How long a run may take at the most, in milliseconds of virtual time. */
const LONGEST_MS = 240_000

/** Runs a plan from its beginning to its end, or to the first rule that is broken. */
export function run(plan: Plan, write?: (line: TraceLine) => void): Promise<RunResult> {
  return outsidePromises(() => new Run(new World(plan, write)).toItsEnd())
}

class Run {
  readonly #world: World
  readonly #endings = new Set<Ending>()
  #troubled = true

  constructor(world: World) {
    this.#world = world
  }

  toItsEnd(): RunResult {
    const began = performance.now()
    const world = this.#world
    for (const node of world.nodes) node.start()
    runMicrotasks()
    for (const client of world.clients) client.begin()
    runMicrotasks()
    this.#schedule()
    this.#until(world.plan.troubleMs)
    this.#heal()
    this.#expectLeader()
    this.#expectService()
    this.#expectAgreement()
    this.#expectLinearizable()
    return this.#result(performance.now() - began)
  }

  #schedule(): void {
    const { events, plan, faults, trace } = this.#world
    for (const { fault, at, lastsMs, seed } of plan.faults) {
      events.schedule(at, () => {
        if (!this.#troubled) return
        trace.note('!', () => `${fault.name}, for ${Math.round(lastsMs)} ms`)
        faults.set(fault.name, (faults.get(fault.name) ?? 0) + 1)
        const ending = fault.apply(this.#world, new Dice(seed))
        if (ending === undefined) return
        this.#endings.add(ending)
        events.after(lastsMs, () => this.#end(ending))
      })
    }
  }

  #end(ending: Ending): void {
    if (this.#endings.delete(ending)) ending()
  }

  #until(end: number, done: () => boolean = () => false): boolean {
    const world = this.#world
    try {
      while (world.breach === undefined && !done()) {
        if (!world.events.next(end)) return done()
      }
    } catch (error) {
      world.broken('nothing is thrown', error instanceof Error ? (error.stack ?? error.message) : 'no error')
    }
    return world.breach === undefined
  }

  /** Everything that went wrong is put right: from here on the cluster has to serve. */
  #heal(): void {
    const { trace, nodes, clients } = this.#world
    trace.note('!', () => 'all is well again')
    this.#troubled = false
    for (const ending of this.#endings) this.#end(ending)
    for (const node of nodes) node.heal()
    for (const client of clients) client.heal()
    runMicrotasks()
  }

  #expectLeader(): void {
    const { events, plan } = this.#world
    const limit = ELECTIONS * plan.electionMs + RECOVERY_MS
    const found = this.#until(events.now + limit, () => this.#allFollow() !== undefined)
    if (!found) this.#world.broken('liveness', `no leader within ${limit} ms after all was well`)
  }

  /** Whom all nodes follow. */
  #allFollow(): NodeId | undefined {
    const { leader, invariants } = this.#world
    if (leader === undefined) return undefined
    for (const node of invariants.shadows.values()) {
      if (!node.up || node.leader !== leader) return undefined
    }
    return leader
  }

  /** The workload has its operations, all of them end, and every client is served. */
  #expectService(): void {
    const { events, plan, clients, history } = this.#world
    if (!this.#until(LONGEST_MS, () => this.#world.answers >= LEAST_ANSWERS)) {
      this.#world.broken('liveness', `only ${history.length} operations in ${LONGEST_MS} ms`)
    }
    for (const client of clients) client.end()
    const limit = plan.timeoutMs + 2000
    if (!this.#until(events.now + limit, () => clients.every(({ idle }) => idle))) {
      this.#world.broken('operations end', 'an operation is still under way, after its deadline')
    }
    const unserved = new Map(clients.map((client) => [client, 'no answer']))
    for (const client of clients) {
      const probe = async (): Promise<void> => {
        const outcome = await client.probe({ type: 'put', key: 'probe', value: client.name })
        if (outcome.type === 'ok') unserved.delete(client)
        else {
          unserved.set(client, outcome.message)
          await probe()
        }
      }
      void probe()
    }
    runMicrotasks()
    if (!this.#until(events.now + RECOVERY_MS, () => unserved.size === 0)) {
      const [[client, why] = []] = unserved
      this.#world.broken('liveness', `no put of ${client?.name} is served when all is well: ${why}`)
    }
  }

  /** With nothing under way, all nodes come to the same state. */
  #expectAgreement(): void {
    const { events, invariants, nodes } = this.#world
    const agree = (): boolean =>
      nodes.every(({ id }) => invariants.shadows.get(id)!.machineIndex === invariants.committedIndex)
    if (!this.#until(events.now + RECOVERY_MS, agree)) {
      this.#world.broken('liveness', 'the nodes do not come to the same state when all is well')
      return
    }
    const hashes = new Set(nodes.map((node) => node.replica?.view().stateHash))
    if (hashes.size > 1) this.#world.broken('equal state', `the nodes end with ${[...hashes].join(', ')}`)
  }

  #expectLinearizable(): void {
    if (this.#world.breach !== undefined) return
    const problem = problemOf(this.#world.history)
    if (problem !== undefined) this.#world.broken('linearizability', problem)
  }

  #result(realMs: number): RunResult {
    const { plan, breach, trace, events, faults, history, invariants } = this.#world
    const outcomes: Record<string, number> = {}
    for (const { outcome } of history) {
      const name = outcome.type === 'ok' ? 'ok' : `${outcome.type} ${outcome.code}`
      outcomes[name] = (outcomes[name] ?? 0) + 1
    }
    return {
      seed: plan.seed,
      breach,
      traceHash: trace.hash,
      events: events.count,
      simulatedMs: events.now,
      realMs,
      nodes: plan.nodes,
      faults: Object.fromEntries(faults),
      outcomes,
      transitions: Object.fromEntries(invariants.transitions),
      leaders: invariants.leaders.size,
      committed: invariants.committedIndex,
      checks: invariants.steps,
      history,
    }
  }
}
