import assert from 'node:assert/strict'
import { BalsaError } from '../../../src/index.ts'
import type { BalsaClient } from '../../../src/index.ts'

/**
 * A stream of writes, each to a key of its own, that goes on through whatever happens to the cluster. What was
 * acknowledged must be there afterwards, with version 1: applied exactly once.
 */
export class Writer {
  readonly #client: BalsaClient
  readonly #prefix: string
  readonly acknowledged: string[] = []
  /** Failed, and may have happened all the same. */
  readonly unknown: string[] = []
  /** Failed for certain. */
  readonly failed: string[] = []
  readonly #callers: Promise<void>[]
  #stopping = false
  #next = 0

  constructor(client: BalsaClient, options: { prefix: string; inFlight: number }) {
    this.#client = client
    this.#prefix = options.prefix
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
    const versions = async (keys: readonly string[]): Promise<number[]> => {
      const found: number[] = []
      for (let from = 0; from < keys.length; from += 500) {
        const entries = await client.getMany(keys.slice(from, from + 500))
        found.push(...entries.map((entry) => entry?.version ?? 0))
      }
      return found
    }
    const acknowledged = await versions(this.acknowledged)
    const wrong = this.acknowledged.filter((_, i) => acknowledged[i] !== 1)
    assert.deepEqual(wrong, [], 'acknowledged, but not applied exactly once')
    assert.ok(
      (await versions(this.unknown)).every((version) => version <= 1),
      'applied twice',
    )
    assert.ok(
      (await versions(this.failed)).every((version) => version === 0),
      'reported as failed, but applied',
    )
  }

  async #write(): Promise<void> {
    while (!this.#stopping) {
      const key = `${this.#prefix}/${this.#next++}`
      try {
        await this.#client.put(key, key)
        this.acknowledged.push(key)
      } catch (error) {
        assert.ok(error instanceof BalsaError, String(error))
        ;(error.outcomeUnknown ? this.unknown : this.failed).push(key)
      }
    }
  }
}
