import type { Clock } from '../clock.ts'
import type { StateMachine } from '../kv/types.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import type { ReadCall } from './calls.ts'

/** How long reads are served before everything else has a turn, in milliseconds: heartbeats have to go out on time. */
const TURN_MS = 5

/** What the waiting reads need of their node. */
export interface ReadParts {
  readonly machine: StateMachine
  readonly clock: Clock
  /** What reads are refused with where the state cannot be read. */
  unreadable(): ErrorDetail
  /** Is told where the state cannot be read in a later turn: then the node has to end. */
  failed(error: unknown): void
}

/**
 * The reads that wait at a node. The linearizable ones wait at a leader for a round to begin, and then for a majority
 * to confirm it; all that come in one turn share a round. What is confirmed is served in the order in which it came,
 * and where that takes long, over several turns of the event loop: the later the state, the better, so a read that
 * was confirmed once may be served at any time after that, whoever leads then.
 */
export class WaitingReads {
  readonly #parts: ReadParts
  #gathered: ReadCall[] = []
  /** By the id of their `readIndex` input. */
  readonly #rounds = new Map<number, readonly ReadCall[]>()
  #unconfirmed = 0
  #lastId = 0
  /** To be served, from `#head` on. */
  #ready: ReadCall[] = []
  #head = 0
  #serving = false
  /** How long reads were served since everything else had a turn, in milliseconds. */
  #servedMs = 0

  constructor(parts: ReadParts) {
    this.#parts = parts
  }

  /** How many wait: for a round to begin or to end, or to be served. */
  get count(): number {
    return this.#unconfirmed + this.ready
  }

  /** How many only wait to be served. */
  get ready(): number {
    return this.#ready.length - this.#head
  }

  /** Takes a read that a majority has to confirm. */
  add(call: ReadCall): void {
    this.#unconfirmed++
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

  /** A round is confirmed. Throws as the state does; then what was not served is refused. */
  confirmed(id: number): void {
    for (const call of this.#take(id)) this.#ready.push(call)
    this.#serve()
  }

  /** Takes a read that needs no confirmation. Throws as the state does; then what was not served is refused. */
  serve(call: ReadCall): void {
    this.#ready.push(call)
    this.#serve()
  }

  refuse(id: number, refusal: ErrorDetail): void {
    for (const call of this.#take(id)) call.fail(refusal)
  }

  refuseAll(refusal: ErrorDetail): void {
    const all = [this.#takeReady(), this.#gathered, ...this.#rounds.values()]
    this.#gathered = []
    this.#rounds.clear()
    this.#unconfirmed = 0
    for (const calls of all) for (const call of calls) call.fail(refusal)
  }

  #take(id: number): readonly ReadCall[] {
    const calls = this.#rounds.get(id)!
    this.#rounds.delete(id)
    this.#unconfirmed -= calls.length
    return calls
  }

  /** All that is left, without what was served. */
  #takeReady(): ReadCall[] {
    const calls = this.#ready.slice(this.#head)
    this.#ready = []
    this.#head = 0
    return calls
  }

  /** Serves what is ready, until its turn is over: then the rest has another. */
  #serve(): void {
    if (this.#serving || this.#servedMs >= TURN_MS) return
    const { machine, clock } = this.#parts
    const began = clock.now() - this.#servedMs
    let call: ReadCall | undefined
    this.#serving = true
    try {
      while (this.ready > 0 && this.#servedMs < TURN_MS) {
        call = this.#ready[this.#head++]!
        call.serve(machine)
        this.#servedMs = clock.now() - began
      }
      this.#ready = this.#takeReady()
      if (this.#servedMs >= TURN_MS) clock.soon(this.#nextTurn)
    } catch (error) {
      const refusal = this.#parts.unreadable()
      call!.fail(refusal)
      for (const unserved of this.#takeReady()) unserved.fail(refusal)
      throw error
    } finally {
      this.#serving = false
    }
  }

  readonly #nextTurn = (): void => {
    this.#servedMs = 0
    try {
      this.#serve()
    } catch (error) {
      this.#parts.failed(error)
    }
  }
}
