import type { StateMachine } from '../kv/types.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import type { ReadCall } from './calls.ts'

/**
 * The linearizable reads that wait at a leader: first for a round to begin, then for a majority to confirm it.
 * All that come in one turn share a round.
 */
export class WaitingReads {
  #gathered: ReadCall[] = []
  /** By the id of their `readIndex` input. */
  readonly #rounds = new Map<number, readonly ReadCall[]>()
  #count = 0
  #lastId = 0

  /** How many wait, for a round to begin or to end. */
  get count(): number {
    return this.#count
  }

  add(call: ReadCall): void {
    this.#count++
    this.#gathered.push(call)
  }

  /** Begins a round for what has gathered, and returns its id; undefined where nothing has. */
  begin(): number | undefined {
    if (this.#gathered.length === 0) return undefined
    const id = ++this.#lastId
    this.#rounds.set(id, this.#gathered)
    this.#gathered = []
    return id
  }

  /** Serves a round. */
  serve(id: number, machine: StateMachine, refusal: () => ErrorDetail): void {
    serveReads(this.#take(id), machine, refusal)
  }

  refuse(id: number, refusal: ErrorDetail): void {
    for (const call of this.#take(id)) call.fail(refusal)
  }

  refuseAll(refusal: ErrorDetail): void {
    const all = [this.#gathered, ...this.#rounds.values()]
    this.#gathered = []
    this.#rounds.clear()
    this.#count = 0
    for (const calls of all) for (const call of calls) call.fail(refusal)
  }

  #take(id: number): readonly ReadCall[] {
    const calls = this.#rounds.get(id)!
    this.#rounds.delete(id)
    this.#count -= calls.length
    return calls
  }
}

/** Serves reads. Where the state cannot be read, those that were not served are refused, and it throws as the state does. */
export function serveReads(
  calls: readonly ReadCall[],
  machine: StateMachine,
  refusal: () => ErrorDetail,
): void {
  let served = 0
  try {
    for (const call of calls) {
      call.serve(machine)
      served++
    }
  } catch (error) {
    const detail = refusal()
    for (const call of calls.slice(served)) call.fail(detail)
    throw error
  }
}
