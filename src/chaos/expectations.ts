import type { BalsaClient } from '../client/client.ts'
import type { Clock } from '../clock.ts'
import { BalsaError, type ErrorCode } from '../errors.ts'
import type { Injector } from './injector.ts'
import type { Meter } from './meter.ts'
import { agreement } from './settling.ts'
import type { Expectation } from './steps.ts'
import type { Watcher } from './watcher.ts'
import type { Workload } from './workload.ts'

const POLL_MS = 25

/** What says that there is no service: none of these is a mistake of the caller. */
const NO_SERVICE: ReadonlySet<ErrorCode> = new Set([
  'UNAVAILABLE',
  'NOT_LEADER',
  'TIMEOUT',
  'OUTCOME_UNKNOWN',
  'RESOURCE_EXHAUSTED',
])

export interface ExpectationWorld {
  readonly injector: Injector
  readonly watcher: Watcher
  readonly workload: Workload
  readonly meter: Meter
  /** Its own: the workload's are busy. */
  readonly client: BalsaClient
  /** A key that nobody else uses. */
  readonly key: string
  readonly clock: Clock
}

/** Looks whether a cluster does what a scenario expects of it. */
export class Expectations {
  readonly #world: ExpectationWorld
  #failuresBefore = 0
  #asked = 0

  constructor(world: ExpectationWorld) {
    this.#world = world
  }

  /** Resolves to undefined where it is so, else to what was found instead. */
  async meet(step: Expectation): Promise<string | undefined> {
    switch (step.expect) {
      case 'service':
        return this.#service(step.withinMs)
      case 'no-service':
        return this.#noService(step.forMs)
      case 'leader':
        return this.#until(step.withinMs, () => this.#leader(step))
      case 'role': {
        const [id = ''] = await this.#world.injector.nodesOf(step.node)
        return this.#until(step.withinMs, () => {
          const { role } = this.#world.watcher.view(id)
          return role === step.role ? undefined : `${id} is ${role}`
        })
      }
      case 'agreement':
        // While nothing is written, or no two nodes are ever seen at the same entry.
        return this.#world.workload.rest(async () => {
          const { injector, watcher } = this.#world
          return this.#until(step.withinMs, () => agreement(watcher.views, injector.running))
        })
      case 'no-failures': {
        const { failed, unknown } = this.#world.meter.totals
        const now = failed + unknown
        const since = now - this.#failuresBefore
        this.#failuresBefore = now
        return since === 0 ? undefined : `${since} failed`
      }
    }
  }

  async #service(withinMs: number): Promise<string | undefined> {
    const { client, key, clock } = this.#world
    const deadline = clock.now() + withinMs
    const value = `${this.#asked++}`
    for (let last = 'nothing was answered'; ;) {
      const timeoutMs = Math.ceil(deadline - clock.now())
      if (timeoutMs < 1) return last
      try {
        await client.put(key, value, { timeoutMs })
        const left = Math.max(1, Math.ceil(deadline - clock.now()))
        const entry = await client.get(key, { timeoutMs: left })
        return entry?.text() === value ? undefined : `wrote ${value} and read ${entry?.text() ?? 'nothing'}`
      } catch (error) {
        if (!(error instanceof BalsaError)) throw error
        last = `${error.code}: ${error.message}`
        await this.#pass()
      }
    }
  }

  async #noService(forMs: number): Promise<string | undefined> {
    const { client, key } = this.#world
    const options = { timeoutMs: forMs }
    const found = await Promise.all([
      told('a put', client.put(key, `${this.#asked++}`, options)),
      told('a get', client.get(key, options)),
    ])
    return found.find((text) => text !== undefined)
  }

  #leader(step: Expectation & { expect: 'leader' }): string | undefined {
    const { injector, watcher } = this.#world
    const leader = watcher.leader()
    if (leader === undefined || !injector.running.includes(leader.id)) return 'nobody leads'
    const node = (who: string) => injector.remembered(who)?.node ?? who
    if (step.is !== undefined && leader.id !== node(step.is)) return `${leader.id} leads`
    if (step.not !== undefined && leader.id === node(step.not)) return `${leader.id} leads`
    const term = step.termOf === undefined ? undefined : injector.remembered(step.termOf)?.term
    return term === undefined || term === leader.term
      ? undefined
      : `the term was ${term} and is ${leader.term}`
  }

  /** Looks until nothing is wrong, or for so long; resolves to what is wrong then. */
  async #until(withinMs: number, look: () => string | undefined): Promise<string | undefined> {
    const { clock } = this.#world
    const deadline = clock.now() + withinMs
    for (;;) {
      const wrong = look()
      if (wrong === undefined || clock.now() >= deadline) return wrong
      await this.#pass()
    }
  }

  #pass(): Promise<void> {
    return new Promise((resolve) => this.#world.clock.after(POLL_MS, resolve))
  }
}

/** Undefined where it failed as it should. */
async function told(what: string, call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call
    return `${what} succeeded`
  } catch (error) {
    if (!(error instanceof BalsaError)) throw error
    return NO_SERVICE.has(error.code) ? undefined : `${what} failed with ${error.code}: ${error.message}`
  }
}
