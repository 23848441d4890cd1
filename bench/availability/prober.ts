import { BalsaError } from '../../src/index.ts'
import type { BalsaClient } from '../../src/index.ts'

/** How long each prober rests between two puts, in milliseconds: nothing here measures throughput. */
const REST_MS = 4

/** Puts that go on through whatever happens, and when each of them was acknowledged. */
export class Prober {
  readonly #client: BalsaClient
  readonly #times: number[] = []
  readonly #loops: Promise<void>[]
  #failed = 0
  #stopping = false

  /** Begins at once. The client's time-out should be longer than any fault lasts. */
  constructor(client: BalsaClient, inFlight: number) {
    this.#client = client
    this.#loops = Array.from({ length: inFlight }, (_, i) => this.#put(`availability/${i}`))
  }

  /** Puts that failed although the client library tried until its deadline. */
  get failed(): number {
    return this.#failed
  }

  /** The longest time between two acknowledgements that came after `since`, or between it and the first, in ms. */
  longestGap(since: number): number {
    let [longest, before] = [0, since]
    for (const time of this.#times.filter((time) => time > since)) {
      longest = Math.max(longest, time - before)
      before = time
    }
    return longest
  }

  /** Resolves when `count` puts have been acknowledged from now on. */
  async acknowledges(count: number, patienceMs = 60_000): Promise<void> {
    const [wanted, deadline] = [this.#times.length + count, performance.now() + patienceMs]
    while (this.#times.length < wanted) {
      if (performance.now() > deadline) throw new Error(`no service within ${patienceMs} ms`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#loops)
  }

  async #put(key: string): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.#client.put(key, String(this.#times.length))
        this.#times.push(performance.now())
      } catch (error) {
        if (!(error instanceof BalsaError)) throw error
        this.#failed++
      }
      await new Promise((resolve) => setTimeout(resolve, REST_MS))
    }
  }
}
