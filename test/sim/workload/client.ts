import { BalsaClient } from '../../../src/client/client.ts'
import { clientAddress, SimulatedConnector } from '../engine/client-link.ts'
import { Dice } from '../engine/dice.ts'
import { Process } from '../engine/process.ts'
import type { World } from '../world.ts'
import { Arrivals } from './arrivals.ts'
import { ask } from './operation.ts'
import type { Asked, Condition, Outcome } from './operation.ts'

/** An operation as a client saw it. Times in milliseconds of virtual time. */
export interface Recorded {
  /** Who asked. After an operation whose end it does not know, a worker is somebody else. */
  readonly process: string
  readonly asked: Asked
  readonly outcome: Outcome
  readonly began: number
  readonly ended: number
}

/** How much longer than its deadline an operation may take: the timers of the library are coarse. */
const DEADLINE_SLACK_MS = 250

/** A client of the cluster: the real library, used by a few workers that each ask one thing at a time. */
export class SimulatedClient {
  readonly name: string
  readonly #world: World
  readonly #process: Process
  readonly #client: BalsaClient
  /** What each key was seen to hold last, and since which revision: for conditions that have a chance. */
  readonly #known = new Map<string, { value: string; revision: number }>()
  readonly #arrivals: Arrivals | undefined
  #resting = false
  #pausedMs = 0
  #pausedAt = 0
  #working = 0
  #over = false

  constructor(world: World, name: string) {
    const { plan, network } = world
    const dice = Dice.of(plan.seed, `client ${name}`)
    this.name = name
    this.#world = world
    this.#process = new Process(name, world.events)
    const known = dice.chance(0.7)
      ? world.ids
      : dice.shuffled(world.ids).slice(0, 1 + dice.below(world.ids.length))
    this.#client = new BalsaClient(
      { endpoints: known.map(clientAddress), timeoutMs: plan.timeoutMs },
      {
        connector: new SimulatedConnector(network, this.#process),
        clock: this.#process.clock,
        random: () => dice.unit(),
      },
    )
    if (plan.arrivals !== undefined) {
      const gaps = Dice.of(plan.seed, `arrivals ${name}`)
      this.#arrivals = new Arrivals(this.#process.clock, plan.arrivals, gaps)
    }
  }

  begin(): void {
    for (let i = 0; i < this.#world.plan.workers; i++) void this.#work(`${this.name}.${i}`)
  }

  /** Asks nothing more. What is under way ends. */
  end(): void {
    this.#over = true
  }

  /** Whether nothing is under way. */
  get idle(): boolean {
    return this.#working === 0
  }

  rest(): void {
    this.#resting = true
  }

  goOn(): void {
    this.#resting = false
  }

  pause(): void {
    if (this.#process.paused) return
    this.#process.pause()
    this.#pausedAt = this.#world.events.now
  }

  resume(): void {
    if (!this.#process.paused) return
    this.#pausedMs += this.#world.events.now - this.#pausedAt
    this.#process.resume()
  }

  heal(): void {
    this.resume()
    this.goOn()
  }

  /** One operation, outside of the workload. */
  probe(asked: Asked): Promise<Outcome> {
    return ask(this.#client, asked)
  }

  async #work(name: string): Promise<void> {
    const { plan, events } = this.#world
    const dice = Dice.of(plan.seed, `worker ${name}`)
    let life = 0
    for (let number = 1; ; number++) {
      await (this.#arrivals?.next() ?? this.#sleep(dice.exponential(plan.thinkMs)))
      while (this.#resting && !this.#over) await this.#sleep(100)
      if (this.#over) return
      const asked = this.#choose(dice, `${name}-${number}`)
      const began = events.now
      const pausedBefore = this.#pausedMs
      const before = this.#world.ledger.now
      this.#working++
      const outcome = await ask(this.#client, asked)
      this.#working--
      const ended = events.now
      const took = ended - began - (this.#pausedMs - pausedBefore)
      this.#world.ended({ process: `${name}/${life}`, asked, outcome, began, ended }, before)
      if (took > plan.timeoutMs + DEADLINE_SLACK_MS) {
        this.#world.broken('operations end', `${name}: ${asked.type} took ${Math.round(took)} ms`)
      }
      if (outcome.type === 'unknown') life++
      if (outcome.type === 'ok') this.#learn(asked, outcome.answer)
    }
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#process.clock.after(milliseconds, resolve))
  }

  #choose(dice: Dice, value: string): Asked {
    const key = this.#key(dice)
    const roll = dice.below(100)
    if (roll < 30) return { type: 'put', key, value }
    if (roll < 36) {
      const other = this.#key(dice)
      if (other === key) return { type: 'putMany', puts: [[key, value]] }
      return {
        type: 'putMany',
        puts: [
          [key, value],
          [other, `${value}b`],
        ],
      }
    }
    if (roll < 44) return { type: 'delete', key }
    if (roll < 64) return { type: 'cas', key, expected: this.#condition(dice, key), value }
    const { revision } = this.#world.ledger.now
    if (roll >= 98 && revision > 0) return { type: 'compact', revision: earlier(dice, revision, 40) }
    const keys = dice.chance(0.8) ? [key] : [...new Set([key, this.#key(dice)])]
    if (roll >= 84 && roll < 92 && revision > 0)
      return { type: 'get', keys, stale: roll >= 90, revision: earlier(dice, revision, 60) }
    return { type: 'get', keys, stale: roll >= 92 }
  }

  #key(dice: Dice): string {
    return `k${dice.below(this.#world.plan.keys)}`
  }

  #condition(dice: Dice, key: string): Condition {
    const known = this.#known.get(key)
    const roll = dice.below(10)
    if (known === undefined || roll < 2) return { absent: true }
    return roll < 6 ? { value: known.value } : { modRevision: known.revision }
  }

  #learn(asked: Asked, answer: Extract<Outcome, { type: 'ok' }>['answer']): void {
    const learn = (key: string, value: string | undefined, revision: number | undefined): void => {
      if (value === undefined || revision === undefined) this.#known.delete(key)
      else this.#known.set(key, { value, revision })
    }
    const { revision } = answer
    switch (asked.type) {
      case 'put':
        return learn(asked.key, asked.value, revision)
      case 'cas':
        if (answer.succeeded) learn(asked.key, asked.value, revision)
        else learn(asked.key, answer.current?.value, answer.current?.modRevision)
        return
      case 'delete':
        return learn(asked.key, undefined, undefined)
      case 'putMany':
        for (const [key, value] of asked.puts) learn(key, value, revision)
        return
      case 'compact':
        return
      case 'get':
        if (asked.revision !== undefined) return
        asked.keys.forEach((key, i) =>
          learn(key, answer.entries?.[i]?.value, answer.entries?.[i]?.modRevision),
        )
    }
  }
}

/** One of the last `count` revisions. */
function earlier(dice: Dice, revision: number, count: number): number {
  return Math.max(1, revision - dice.below(count))
}
