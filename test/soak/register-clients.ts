import assert from 'node:assert/strict'
import { check, kvModel, renderText } from '../../src/check/index.ts'
import type { KvEntry, KvInput, KvOutput, Operation } from '../../src/check/index.ts'
import { BalsaError } from '../../src/index.ts'
import type { BalsaClient, Entry } from '../../src/index.ts'
import type { Dice } from '../sim/engine/dice.ts'

/** How hard the checker tries. A history that it cannot decide counts as a violation. */
const MAX_STEPS = 20_000_000

/** After so many operations a key is left alone: a checker's work grows faster than a key's history. */
const OPERATIONS_PER_KEY = 150

/** Keys that are worked on at a time: few, so that clients get in each other's way. */
const KEYS_AT_A_TIME = 4

/**
 * Clients that put, delete, compare, swap and read a few keys at once, and write down what they saw. At the
 * end the history must be linearizable: an old value read after a new one, or a write that came back, is not.
 */
export class RegisterClients {
  readonly #dice: Dice
  readonly #history: Operation<KvInput, KvOutput>[] = []
  readonly #callers: Promise<void>[]
  #stopping = false
  #asked = 0
  /** Operations that failed for certain, and those of which nobody knows. */
  readonly failures = { definite: 0, unknown: 0 }

  constructor(clients: readonly BalsaClient[], options: { dice: Dice; inFlight: number; pauseMs: number }) {
    this.#dice = options.dice
    this.#callers = clients.flatMap((client, c) =>
      Array.from({ length: options.inFlight }, (_, i) => this.#work(client, `c${c}-${i}`, options.pauseMs)),
    )
  }

  get operations(): number {
    return this.#history.length
  }

  /** Lets what is under way end. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#callers)
  }

  /** What is wrong with the history, in words; undefined: it is linearizable. */
  problem(): string | undefined {
    const result = check(this.#history, kvModel, { maxSteps: MAX_STEPS })
    if (result.verdict === 'linearizable') return undefined
    return result.verdict === 'undecided'
      ? `undecided after ${result.steps} steps: ${result.undecided.join(', ')}`
      : renderText(result)
  }

  async #work(client: BalsaClient, process: string, pauseMs: number): Promise<void> {
    while (!this.#stopping) {
      await this.#one(client, process)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  async #one(client: BalsaClient, process: string): Promise<void> {
    const group = Math.floor(this.#asked / (OPERATIONS_PER_KEY * KEYS_AT_A_TIME))
    const key = `register/${group}/${this.#dice.below(KEYS_AT_A_TIME)}`
    const number = this.#asked++
    const [input, run] = this.#draw(client, key, `${number}`)
    const call = performance.now()
    const done = (output: KvOutput | undefined): void => {
      const end = output === undefined ? Infinity : performance.now()
      this.#history.push({ process, key, input, output, call, return: end })
    }
    try {
      done(await run())
    } catch (error) {
      assert.ok(error instanceof BalsaError, String(error))
      if (error.outcomeUnknown) done(undefined)
      this.failures[error.outcomeUnknown ? 'unknown' : 'definite']++
    }
  }

  #draw(client: BalsaClient, key: string, value: string): [KvInput, () => Promise<KvOutput>] {
    const what = this.#dice.below(10)
    if (what < 4) {
      return [{ op: 'get' }, async () => ({ entry: entryOf(await client.get(key)) })]
    }
    if (what < 7) {
      return [{ op: 'put', value }, async () => ({ revision: (await client.put(key, value)).revision })]
    }
    if (what < 8) {
      return [
        { op: 'delete' },
        async () => {
          const { deleted, revision } = await client.delete(key)
          return { deleted, revision }
        },
      ]
    }
    return [
      { op: 'cas', expected: { absent: true }, value },
      async () => {
        const { succeeded, revision, current } = await client.cas(key, { absent: true }, value)
        return succeeded ? { succeeded, revision } : { succeeded, revision, current: entryOf(current) }
      },
    ]
  }
}

function entryOf(entry: Entry | undefined): KvEntry | null {
  if (entry === undefined) return null
  const { createRevision, modRevision, version } = entry
  return { value: entry.text(), createRevision, modRevision, version }
}
