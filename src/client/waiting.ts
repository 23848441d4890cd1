import type { Call } from './call.ts'

/** The calls that wait to be sent, in the order in which they are to be. */
export class Waiting {
  #writes: Set<Call> = new Set()
  #reads: Set<Call> = new Set()
  #staleReads: Set<Call> = new Set()

  get writes(): Set<Call> {
    return this.#writes
  }

  /** Those that only the leader can answer. */
  get reads(): Set<Call> {
    return this.#reads
  }

  /** Those that any node can answer. */
  get staleReads(): Set<Call> {
    return this.#staleReads
  }

  get size(): number {
    return this.#writes.size + this.#reads.size + this.#staleReads.size
  }

  add(call: Call): void {
    this.#of(call).add(call)
  }

  delete(call: Call): void {
    this.#of(call).delete(call)
  }

  /** Puts calls that were sent already in front of those that were not: their sequence numbers come first. */
  putBack(calls: readonly Call[]): void {
    const front = (queue: Set<Call>): Set<Call> => {
      const returning = calls.filter((call) => this.#of(call) === queue)
      return returning.length === 0 ? queue : new Set([...returning, ...queue])
    }
    const [writes, reads, staleReads] = [front(this.#writes), front(this.#reads), front(this.#staleReads)]
    this.#writes = writes
    this.#reads = reads
    this.#staleReads = staleReads
  }

  #of({ body }: Call): Set<Call> {
    if (body.type === 'write') return this.#writes
    return body.consistency === 'stale' ? this.#staleReads : this.#reads
  }
}
