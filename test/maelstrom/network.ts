import type { Envelope } from '../../src/maelstrom/protocol.ts'
import type { Dice } from '../sim/engine/dice.ts'

export const LATENCIES = ['constant', 'uniform', 'exponential'] as const
export type LatencyDistribution = (typeof LATENCIES)[number]

export interface NetworkOptions {
  readonly dice: Dice
  /** Of a message between nodes, on average, in milliseconds; those of clients take none. */
  readonly latencyMs: number
  readonly distribution: LatencyDistribution
  /** The part of the messages between nodes that get lost, from 0 to 1. */
  readonly loss: number
}

type Receiver = (envelope: Envelope) => void

/** Maelstrom's network: delays messages each for itself, so that they overtake one another, and loses some. */
export class Network {
  readonly #options: NetworkOptions
  readonly #nodes = new Map<string, Receiver>()
  readonly #clients = new Map<string, Receiver>()
  /** Who hears nothing from whom. */
  #deaf: ReadonlyMap<string, ReadonlySet<string>> = new Map()
  /** Messages between nodes. */
  sent = 0

  constructor(options: NetworkOptions) {
    this.#options = options
  }

  addNode(id: string, receive: Receiver): void {
    this.#nodes.set(id, receive)
  }

  addClient(id: string, receive: Receiver): void {
    this.#clients.set(id, receive)
  }

  /** From now on each of these receivers hears nothing from those senders. Replaces what held before. */
  partition(deaf: ReadonlyMap<string, ReadonlySet<string>>): void {
    this.#deaf = deaf
  }

  heal(): void {
    this.#deaf = new Map()
  }

  send(envelope: Envelope): void {
    const { src, dest } = envelope
    const client = this.#clients.get(dest)
    if (client !== undefined) return client(envelope)
    const node = this.#nodes.get(dest)
    if (node === undefined) throw new Error(`${src} sends to ${dest}, which is not there`)
    if (this.#clients.has(src)) return node(envelope)
    this.sent++
    const { dice, loss } = this.#options
    const isLost = dice.chance(loss)
    const delay = this.#draw()
    if (isLost) return
    setTimeout(() => {
      if (!this.#deaf.get(dest)?.has(src)) node(envelope)
    }, delay)
  }

  #draw(): number {
    const { dice, latencyMs, distribution } = this.#options
    switch (distribution) {
      case 'constant':
        return latencyMs
      case 'uniform':
        return dice.between(0, 2 * latencyMs)
      case 'exponential':
        return dice.exponential(latencyMs)
    }
  }
}
