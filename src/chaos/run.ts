import { randomBytes } from 'node:crypto'
import { BalsaClient } from '../client/client.ts'
import { systemRuntime } from '../client/grpc-connector.ts'
import type { Clock } from '../clock.ts'
import { Dice } from './dice.ts'
import { Expectations } from './expectations.ts'
import { FaultsError } from './faults-error.ts'
import { Injector } from './injector.ts'
import { loggedTerms } from './logged-leaders.ts'
import { Meter } from './meter.ts'
import type { ChaosRecords, ChaosResult, ExpectationResult } from './result.ts'
import { agreement } from './settling.ts'
import { describeStep, type Step } from './steps.ts'
import type { ChaosTarget } from './target.ts'
import { judge, type Problem } from './verdict.ts'
import { type NodeView, Watcher } from './watcher.ts'
import { Workload } from './workload.ts'

const DEFAULT_CLIENTS = 4
const PAUSE_MS = 15
const OPERATION_TIMEOUT_MS = 4000
/** How long a leader is waited for at the start, a return of nodes and their agreement at the end. */
const START_PATIENCE_MS = 20_000
const RETURN_PATIENCE_MS = 30_000
const SETTLE_PATIENCE_MS = 60_000
const READ_TIMEOUT_MS = 30_000
/** Load goes on for so long after everything is healed, so that the report shows it. */
const AFTERMATH_MS = 1500
const POLL_MS = 25
const KEYS_A_READ = 500

export interface ChaosOptions {
  readonly target: ChaosTarget
  readonly name: string
  readonly steps: readonly Step[]
  /** Of what the clients do. */
  readonly seed: number
  /** Whether a step that cannot be done is a problem; in a random schedule it is left out. */
  readonly strict: boolean
  readonly clients?: number
  /** Ends the schedule early; healing and verdict follow all the same. */
  readonly signal?: AbortSignal
  readonly onEvent?: (event: ChaosEvent) => void
}

/** Something that a spectator wants to hear of. */
export interface ChaosEvent {
  readonly atMs: number
  readonly kind: 'step' | 'skipped' | 'met' | 'not-met' | 'phase'
  readonly text: string
}

/** How a run stands. */
export interface Snapshot {
  readonly atMs: number
  readonly nodes: readonly NodeView[]
  readonly leader: string | undefined
  readonly operations: Readonly<Record<'ok' | 'failed' | 'unknown', number>>
  /** Operations that succeeded within the last second that is over. */
  readonly perSecond: number
  readonly faults: readonly string[]
}

/**
 * Runs a workload against a cluster, does the steps to it, takes everything back, and judges what is left: the
 * history is linearizable, every acknowledged write is there, each was applied once, all nodes hold the same, no
 * term ever had two leaders, no node ended by itself, and what the steps expected was so.
 */
export class ChaosRun {
  readonly #options: ChaosOptions
  readonly #clock: Clock
  readonly #began: number
  /** Milliseconds since 1970, as logs have it. */
  readonly #beganMs = Date.now()
  readonly #meter: Meter
  readonly #watcher: Watcher
  readonly #injector: Injector
  readonly #problems: Problem[] = []
  readonly #expectations: ExpectationResult[] = []
  #skipped = 0

  /** Watches the nodes from now on. `run` is to be called once. */
  constructor(options: ChaosOptions) {
    this.#options = options
    const { connector, clock } = systemRuntime()
    const { target } = options
    this.#clock = clock
    this.#began = clock.now()
    this.#meter = new Meter(clock)
    this.#watcher = new Watcher({ endpoints: target.endpoints, connector, clock })
    this.#injector = new Injector(target, this.#watcher, clock)
  }

  snapshot(): Snapshot {
    return {
      atMs: this.#now(),
      nodes: this.#watcher.views,
      leader: this.#watcher.leader()?.id,
      operations: this.#meter.totals,
      perSecond: this.#meter.seconds().at(-1)?.ok ?? 0,
      faults: this.#injector.current,
    }
  }

  /** @throws FaultsError where there is no cluster to begin with, or the target can be done nothing to */
  async run(): Promise<ChaosRecords> {
    const { target, seed, clients: count = DEFAULT_CLIENTS } = this.#options
    const endpoints = [...target.endpoints.values()]
    const newClient = () => new BalsaClient({ endpoints, timeoutMs: OPERATION_TIMEOUT_MS })
    const clients = Array.from({ length: count }, newClient)
    const own = newClient()
    try {
      this.#event('phase', 'waiting for a leader')
      const none = await this.#until(START_PATIENCE_MS, () => (this.#watcher.leader() ? undefined : 'none'))
      if (none)
        throw new FaultsError('the cluster has no leader: it must be well before anything is done to it')
      this.#meter.rested()
      const prefix = `chaos/${randomBytes(6).toString('hex')}`
      const workload = new Workload({
        ...{ clients, prefix, dice: new Dice(seed), pauseMs: PAUSE_MS },
        ...{ clock: this.#clock, meter: this.#meter },
      })
      try {
        await this.#steps(workload, own, `${prefix}/probe`)
      } finally {
        await this.#heal()
      }
      const healedMs = this.#now()
      await this.#pass(AFTERMATH_MS)
      await workload.stop()
      // From here on nobody asks for anything: that is no gap.
      const gaps = this.#meter.gaps()
      return await this.#judge(workload, own, { healedMs, gaps })
    } finally {
      await Promise.all([this.#watcher.stop(), own.close(), ...clients.map((client) => client.close())])
    }
  }

  async #steps(workload: Workload, client: BalsaClient, key: string): Promise<void> {
    const { steps, strict, signal } = this.#options
    const [injector, watcher, meter, clock] = [this.#injector, this.#watcher, this.#meter, this.#clock]
    const expectations = new Expectations({ injector, watcher, workload, meter, client, key, clock })
    for (const step of steps) {
      if (signal?.aborted) return this.#event('phase', 'the schedule is ended early')
      const text = describeStep(step, (name) => injector.remembered(name)?.node ?? name)
      if ('waitMs' in step) await this.#pass(step.waitMs, signal)
      else if ('expect' in step) {
        const atMs = this.#now()
        const wrong = await expectations.meet(step)
        this.#expectations.push({ text, atMs, tookMs: this.#now() - atMs, wrong })
        this.#event(wrong === undefined ? 'met' : 'not-met', wrong === undefined ? text : `${text}: ${wrong}`)
        if (wrong !== undefined)
          this.#problems.push({ kind: 'expectation', text: `expected: ${text}; found: ${wrong}` })
      } else {
        try {
          this.#event('step', text)
          await injector.run(step)
        } catch (error) {
          if (!(error instanceof FaultsError)) throw error
          this.#event('skipped', `${text}: ${error.message}`)
          this.#skipped++
          if (strict) this.#problems.push({ kind: 'step', text: `could not ${text}: ${error.message}` })
        }
      }
    }
  }

  /** Takes everything back, and looks whether a node ended by itself before it starts them all. */
  async #heal(): Promise<void> {
    this.#event('phase', 'healing: links, then paused nodes, then dead ones')
    const { target } = this.#options
    await this.#injector.run({ do: 'heal' })
    await this.#injector.run({ do: 'resume', node: 'all' })
    const gone = () =>
      this.#injector.expectedToLive
        .filter((id) => this.#watcher.view(id).role === 'unreachable')
        .join(', ') || undefined
    const died = await this.#until(RETURN_PATIENCE_MS, gone)
    if (died !== undefined) {
      this.#problems.push({
        kind: 'died',
        text: `${died} does not answer, though nobody ended it: see its log`,
      })
    }
    await this.#injector.run({ do: 'start', node: 'all' })
    // Those too of which nobody knows why they are down.
    await Promise.all(target.nodes.map((id) => target.start(id)))
  }

  async #judge(
    workload: Workload,
    client: BalsaClient,
    times: Pick<ChaosResult, 'healedMs' | 'gaps'>,
  ): Promise<ChaosRecords> {
    const { target, name, seed } = this.#options
    this.#event('phase', 'waiting until all nodes agree')
    const settled = () =>
      this.#watcher.leader() === undefined ? 'nobody leads' : agreement(this.#watcher.views, target.nodes)
    const unsettled = await this.#until(SETTLE_PATIENCE_MS, settled)
    if (unsettled !== undefined) this.#problems.push({ kind: 'not-settled', text: unsettled })
    const durationMs = this.#now()
    const seconds = this.#meter.seconds()
    const replicas = this.#watcher.views.filter(({ role }) => role !== 'unreachable')
    this.#event('phase', 'reading back what was acknowledged, and checking the history')
    const { unique, history, errors } = workload
    const versions = await this.#versions(client, [
      ...unique.acknowledged,
      ...unique.unknown,
      ...unique.failed,
    ])
    const leaders = await this.#leaders()
    const judged = judge({
      history: history.events,
      // Where nothing can be read, there is nothing to compare; that is a problem by itself.
      unique: versions === undefined ? { acknowledged: [], unknown: [], failed: [] } : unique,
      versions: versions ?? new Map(),
      leaders: leaders.all,
      replicas,
    })
    const problems = [...this.#problems, ...judged.problems]
    const { ok, failed, unknown } = this.#meter.totals
    const { verdict, operations, keys, steps } = judged.check ?? {
      verdict: 'none',
      operations: 0,
      keys: 0,
      steps: 0,
    }
    const result: ChaosResult = {
      verdict: problems.length === 0 ? 'ok' : 'violation',
      ...{ problems, name, seed, nodes: target.nodes, durationMs, ...times },
      operations: { ok, failed, unknown, errors: Object.fromEntries(errors) },
      unique: {
        acknowledged: unique.acknowledged.length,
        unknown: unique.unknown.length,
        failed: unique.failed.length,
      },
      checked: { verdict, operations, keys, steps },
      terms: leaders.all.size,
      loggedTerms: leaders.logged,
      stateHash: unsettled === undefined ? (replicas[0]?.stateHash ?? null) : null,
      faults: this.#injector.spans(),
      roles: this.#watcher.spans(),
      seconds,
      expectations: this.#expectations,
      skipped: this.#skipped,
    }
    return { result, historyText: history.toText(), check: judged.check }
  }

  /** Who led each term: those that were seen, and those that say so in their logs, of which no moment is missed. */
  async #leaders(): Promise<{ all: Map<number, ReadonlySet<string>>; logged: number }> {
    const { target } = this.#options
    const all = new Map(this.#watcher.leaders)
    const logged = new Set<number>()
    for (const id of target.nodes) {
      for (const term of loggedTerms(await this.#logOf(id), this.#beganMs)) {
        logged.add(term)
        all.set(term, new Set(all.get(term)).add(id))
      }
    }
    return { all, logged: logged.size }
  }

  /** A log that is not to be had proves nothing, and that is no fault of the node's. */
  async #logOf(id: string): Promise<string> {
    try {
      return await this.#options.target.log(id, this.#beganMs)
    } catch (error) {
      if (!(error instanceof FaultsError)) throw error
      this.#event('phase', `${error.message}: of its terms only what was seen counts`)
      return ''
    }
  }

  /** The versions of keys as they are now; undefined where nobody could be asked, which is a problem. */
  async #versions(client: BalsaClient, keys: readonly string[]): Promise<Map<string, number> | undefined> {
    const versions = new Map<string, number>()
    try {
      for (let from = 0; from < keys.length; from += KEYS_A_READ) {
        const some = keys.slice(from, from + KEYS_A_READ)
        const entries = await client.getMany(some, { timeoutMs: READ_TIMEOUT_MS })
        for (const [index, entry] of entries.entries()) if (entry) versions.set(some[index]!, entry.version)
      }
      return versions
    } catch (error) {
      this.#problems.push({ kind: 'not-settled', text: `what was written cannot be read: ${String(error)}` })
      return undefined
    }
  }

  #event(kind: ChaosEvent['kind'], text: string): void {
    this.#options.onEvent?.({ atMs: this.#now(), kind, text })
  }

  async #until(withinMs: number, look: () => string | undefined): Promise<string | undefined> {
    const deadline = this.#clock.now() + withinMs
    for (;;) {
      const wrong = look()
      if (wrong === undefined || this.#clock.now() >= deadline) return wrong
      await this.#pass(POLL_MS)
    }
  }

  #pass(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(milliseconds, end)
      function end(): void {
        timer.cancel()
        signal?.removeEventListener('abort', end)
        resolve()
      }
      signal?.addEventListener('abort', end)
    })
  }

  #now(): number {
    return this.#clock.now() - this.#began
  }
}
