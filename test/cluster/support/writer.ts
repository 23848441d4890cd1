import assert from 'node:assert/strict'
import { AbortedError, BalsaError } from '../../../src/index.ts'
import type { BalsaClient } from '../../../src/index.ts'

/**
 * A stream of writes, each to a key of its own, that goes on through whatever happens to the cluster. What was
 * acknowledged must be there afterwards, with version 1: applied exactly once.
 */
export class Writer {
  readonly #client: BalsaClient
  readonly #prefix: string
  readonly #pauseMs: number
  readonly acknowledged: string[] = []
  /** Failed, and may have happened all the same. */
  readonly unknown: string[] = []
  /** Failed for certain. */
  readonly failed: string[] = []
  readonly #callers: Promise<void>[]
  #stopping = false
  #next = 0

  /** @param options.pauseMs how long each of those in flight rests between two writes; default: not at all */
  constructor(client: BalsaClient, options: { prefix: string; inFlight: number; pauseMs?: number }) {
    this.#client = client
    this.#prefix = options.prefix
    this.#pauseMs = options.pauseMs ?? 0
    this.#callers = Array.from({ length: options.inFlight }, () => this.#write())
  }

  /** Resolves when `count` more writes have been acknowledged. */
  async more(count: number): Promise<void> {
    const wanted = this.acknowledged.length + count
    const deadline = performance.now() + 30_000
    while (this.acknowledged.length < wanted) {
      assert.ok(
        performance.now() < deadline,
        `only ${this.acknowledged.length} of ${wanted} acknowledgements`,
      )
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Lets what is under way end. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#callers)
  }

  /** Every acknowledged write is there, and was applied once; no write twice; what failed for certain, not at all. */
  async verify(client: BalsaClient): Promise<void> {
    const { lost, twice, undead } = await this.verdict(client)
    assert.deepEqual(lost, [], 'acknowledged, but not there')
    assert.deepEqual(twice, [], 'applied twice')
    assert.deepEqual(undead, [], 'reported as failed, but applied')
  }

  /** The keys of writes that were acknowledged and are not there, were applied twice, or failed and are there. */
  async verdict(client: BalsaClient): Promise<{ lost: string[]; twice: string[]; undead: string[] }> {
    const versions = new Map<string, number>()
    const all = [...this.acknowledged, ...this.unknown, ...this.failed]
    for (let from = 0; from < all.length; from += 500) {
      const keys = all.slice(from, from + 500)
      const entries = await client.getMany(keys)
      for (const [i, key] of keys.entries()) versions.set(key, entries[i]?.version ?? 0)
    }
    return {
      lost: this.acknowledged.filter((key) => versions.get(key) === 0),
      twice: all.filter((key) => versions.get(key)! > 1),
      undead: this.failed.filter((key) => versions.get(key)! > 0),
    }
  }

  async #write(): Promise<void> {
    while (!this.#stopping) {
      const key = `${this.#prefix}/${this.#next++}`
      try {
        await this.#client.put(key, key)
        this.acknowledged.push(key)
      } catch (error) {
        // The client is closed: a test that failed left the writer behind, which would spin and hide why.
        if (error instanceof AbortedError) return
        assert.ok(error instanceof BalsaError, String(error))
        ;(error.outcomeUnknown ? this.unknown : this.failed).push(key)
      }
      if (this.#pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#pauseMs))
    }
  }
}
