import { type HistoryEvent, HistoryRecorder, type KvEntry, type Request } from '../check/index.ts'
import type { BalsaClient } from '../client/client.ts'
import type { Entry } from '../client/entry.ts'
import type { Clock } from '../clock.ts'
import { BalsaError } from '../errors.ts'
import type { Dice } from './dice.ts'
import type { Meter } from './meter.ts'

/** Keys that are worked on at a time: few, so that clients get in each other's way. */
const KEYS_AT_A_TIME = 4
/** After so many operations a key is left alone: a checker's work grows faster than a key's history. */
const OPERATIONS_PER_KEY = 150

export interface WorkloadOptions {
  readonly clients: readonly BalsaClient[]
  /** Of all its keys: new, so that nothing is there at first. */
  readonly prefix: string
  readonly dice: Dice
  readonly clock: Clock
  readonly meter: Meter
  /** How long each process rests between two operations, in milliseconds. */
  readonly pauseMs: number
}

/** Writes that were each made once, to a key of its own. */
export interface UniqueWrites {
  readonly acknowledged: readonly string[]
  /** Failed, and may have happened all the same. */
  readonly unknown: readonly string[]
  /** Failed for certain. */
  readonly failed: readonly string[]
}

type Answer = Omit<HistoryEvent, 'process' | 'type' | 'time' | 'op'>

/**
 * What the clients do while faults are done to the cluster. Each is two processes: one puts, reads, deletes and
 * swaps a few keys that all share, and its history is recorded for the checker; one puts new keys, each once, so
 * that afterwards each acknowledged put must be there, with version 1.
 */
export class Workload {
  readonly #options: WorkloadOptions
  readonly #recorder: HistoryRecorder
  readonly #processes: Promise<void>[]
  readonly #unique = { acknowledged: [] as string[], unknown: [] as string[], failed: [] as string[] }
  /** What went wrong, by the error's code. */
  readonly #errors = new Map<string, number>()
  #asked = 0
  #stopping = false
  #resting: Promise<void> | undefined
  #busy = 0

  /** Begins at once. */
  constructor(options: WorkloadOptions) {
    this.#options = options
    this.#recorder = new HistoryRecorder(options.clock)
    this.#processes = options.clients.flatMap((client, index) => [
      this.#loop(() => this.#register(client, `c${index + 1}`)),
      this.#loop((number) => this.#put(client, `${options.prefix}/u/${index + 1}/${number}`)),
    ])
  }

  get history(): HistoryRecorder {
    return this.#recorder
  }

  get unique(): UniqueWrites {
    return this.#unique
  }

  get errors(): ReadonlyMap<string, number> {
    return this.#errors
  }

  /** Nothing is asked while `work` runs. */
  async rest<T>(work: () => Promise<T>): Promise<T> {
    let done = () => {}
    this.#resting = new Promise<void>((resolve) => (done = resolve))
    try {
      while (this.#busy > 0) await this.#pass(5)
      return await work()
    } finally {
      this.#resting = undefined
      this.#options.meter.rested()
      done()
    }
  }

  /** Lets what is under way end. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#processes)
  }

  async #loop(one: (number: number) => Promise<void>): Promise<void> {
    for (let number = 1; !this.#stopping; number++) {
      await this.#resting
      this.#busy++
      try {
        await one(number)
      } finally {
        this.#busy--
      }
      await this.#pass(this.#options.pauseMs)
    }
  }

  #pass(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(milliseconds, resolve))
  }

  async #put(client: BalsaClient, key: string): Promise<void> {
    const error = await this.#measured(() => client.put(key, key))
    if (error === undefined) this.#unique.acknowledged.push(key)
    else this.#unique[error.outcomeUnknown ? 'unknown' : 'failed'].push(key)
  }

  async #register(client: BalsaClient, process: string): Promise<void> {
    const { dice, prefix } = this.#options
    const number = this.#asked++
    const group = Math.floor(number / (OPERATIONS_PER_KEY * KEYS_AT_A_TIME))
    const key = `${prefix}/r/${group}/${dice.below(KEYS_AT_A_TIME)}`
    const [request, run] = draw(dice, client, key, `${number}`)
    this.#recorder.invoke(process, request)
    const error = await this.#measured(async () => this.#recorder.ok(process, await run()))
    if (error === undefined) return
    if (error.outcomeUnknown) this.#recorder.info(process, error.code)
    else this.#recorder.fail(process, error.code)
  }

  /** Resolves to the error where it failed. What is no error of Balsa's is thrown: it is a mistake. */
  async #measured(run: () => Promise<unknown>): Promise<BalsaError | undefined> {
    const { clock, meter } = this.#options
    const began = clock.now()
    try {
      await run()
      meter.ended('ok', clock.now() - began)
      return undefined
    } catch (error) {
      if (!(error instanceof BalsaError)) throw error
      meter.ended(error.outcomeUnknown ? 'unknown' : 'failed', clock.now() - began)
      this.#errors.set(error.code, (this.#errors.get(error.code) ?? 0) + 1)
      return error
    }
  }
}

function draw(
  dice: Dice,
  client: BalsaClient,
  key: string,
  value: string,
): [request: Request, run: () => Promise<Answer>] {
  const what = dice.below(10)
  if (what < 4) {
    const read = async () => {
      const { revision, entries } = await client.read([key])
      return { revision, entry: entryOf(entries[0]) }
    }
    return [{ op: 'get', key }, read]
  }
  if (what < 7) return [{ op: 'put', key, value }, () => client.put(key, value)]
  if (what < 8) return [{ op: 'delete', key }, () => client.delete(key)]
  // An absent key is what deletes leave behind; an older value is what another client may have just replaced.
  const expected =
    dice.below(2) === 0 ? { absent: true as const } : { value: `${Number(value) - 1 - dice.below(8)}` }
  const swap = async () => {
    const { succeeded, revision, current } = await client.cas(key, expected, value)
    return succeeded ? { succeeded, revision } : { succeeded, revision, current: entryOf(current) }
  }
  return [{ op: 'cas', key, expected, value }, swap]
}

function entryOf(entry: Entry | undefined): KvEntry | null {
  if (entry === undefined) return null
  const { createRevision, modRevision, version } = entry
  return { value: entry.text(), createRevision, modRevision, version }
}
