import type { Clock } from '../clock.ts'
import type { LeaderHint } from '../errors.ts'

/** Where to connect next, and whether to ask that node to pass everything on to the leader. */
export interface Target {
  readonly endpoint: string
  readonly forward: boolean
  /** Whom it is to pass everything on to. */
  readonly leader?: string
}

interface Suspicion {
  readonly since: number
  until: number
  strikes: number
}

/** For how long a node that fell silent is passed over at first, and at most; and one whose connection broke. */
const SILENT_MS = 1000
const MAX_SILENT_MS = 4000
const BROKEN_MS = 200

/** For how long others may still name a leader that fell silent, in milliseconds: until they elect another. */
const STALE_HINT_MS = 2000

/** The endpoints, which node answered behind which, and which of them are better left alone for a moment. */
export class Directory {
  readonly endpoints: readonly string[]
  readonly #clock: Clock
  readonly #idOf = new Map<string, string>()
  readonly #endpointOf = new Map<string, string>()
  /** By endpoint, and by node id where it is known. */
  readonly #suspicions = new Map<string, Suspicion>()
  #start: number

  /** @param random in [0, 1): spreads clients over the endpoints. */
  constructor(endpoints: readonly string[], clock: Clock, random: () => number) {
    this.endpoints = endpoints
    this.#clock = clock
    this.#start = Math.floor(random() * endpoints.length)
  }

  /** The node behind one of the endpoints, once it has said who it is. */
  idOf(endpoint: string): string | undefined {
    return this.#idOf.get(endpoint)
  }

  /** A node said who it is. What was held against it is forgotten. */
  met(endpoint: string, id: string): void {
    this.#suspicions.delete(endpoint)
    this.#suspicions.delete(id)
    if (!this.endpoints.includes(endpoint)) return
    const before = this.#idOf.get(endpoint)
    if (before !== undefined && this.#endpointOf.get(before) === endpoint) this.#endpointOf.delete(before)
    this.#idOf.set(endpoint, id)
    this.#endpointOf.set(id, endpoint)
  }

  /** A node took what was sent and answered nothing. It is held against its endpoint and its id. */
  fellSilent(...names: (string | undefined)[]): void {
    const since = this.#clock.now()
    for (const name of names) {
      if (name === undefined) continue
      const strikes = this.#suspicions.get(name)?.strikes ?? 0
      const wait = Math.min(SILENT_MS * 2 ** strikes, MAX_SILENT_MS)
      this.#suspicions.set(name, { since, until: since + wait, strikes: strikes + 1 })
    }
  }

  /**
   * How long a node is waited for, in milliseconds: after each silence twice as long as before. One that is only
   * slow, because so many ask it at once, must get the chance to answer before everyone asks anew.
   */
  patience(endpoint: string, silenceMs: number): number {
    return Math.min(silenceMs * 2 ** (this.#suspicions.get(endpoint)?.strikes ?? 0), MAX_SILENT_MS)
  }

  /** The connection to a node that served broke: others will name it as leader for a little while yet. */
  broke(endpoint: string, id: string | undefined): void {
    for (const name of id === undefined ? [endpoint] : [endpoint, id]) {
      if (this.#suspicions.has(name)) continue
      const since = this.#clock.now()
      this.#suspicions.set(name, { since, until: since + BROKEN_MS, strikes: 0 })
    }
  }

  isSuspect(name: string): boolean {
    return this.#clock.now() < (this.#suspicions.get(name)?.until ?? 0)
  }

  #wasSilent(name: string): boolean {
    return (this.#suspicions.get(name)?.strikes ?? 0) > 0
  }

  /**
   * Whether a hint that names this node is no news: it fell silent so lately that who gives the hint may not have
   * noticed. Later they know better than this client, who may be the only one that it does not answer.
   */
  isStaleHint(id: string): boolean {
    return this.isSuspect(id) && this.#clock.now() < this.#suspicions.get(id)!.since + STALE_HINT_MS
  }

  /**
   * All endpoints, each round from another one on, those last that fell silent when they were asked last; without the
   * suspects, unless there is nobody else.
   */
  round(): Target[] {
    const start = this.#start++ % this.endpoints.length
    const all = [...this.endpoints.slice(start), ...this.endpoints.slice(0, start)]
    const good = all.filter((endpoint) => !this.isSuspect(endpoint))
    const asked = good.length > 0 ? good : all
    const ordered = [
      ...asked.filter((endpoint) => !this.#wasSilent(endpoint)),
      ...asked.filter((endpoint) => this.#wasSilent(endpoint)),
    ]
    return ordered.map((endpoint) => ({ endpoint, forward: false }))
  }

  /**
   * The ways to a leader: the endpoint of our own that is known under its id, then the address that it advertises, and
   * through the node `from` that named it. That way comes first where the leader fell silent when it was asked last:
   * others hear it, and it may be this client alone that does not.
   */
  waysTo(leader: LeaderHint, from: Target): { first: Target[]; last: Target[] } {
    const through = { endpoint: from.endpoint, forward: true, leader: leader.id }
    const direct = this.#directWaysTo(leader)
    return this.#wasSilent(leader.id)
      ? { first: [through, ...direct], last: [] }
      : { first: direct, last: [through] }
  }

  #directWaysTo(leader: LeaderHint): Target[] {
    const own = this.#endpointOf.get(leader.id)
    const ways = own === undefined ? [] : [own]
    if (leader.clientAddress !== '' && leader.clientAddress !== own) ways.push(leader.clientAddress)
    return ways
      .filter((endpoint) => !this.isSuspect(endpoint))
      .map((endpoint) => ({ endpoint, forward: false }))
  }
}
