import type { Dice } from './dice.ts'
import { Connection } from './connection.ts'
import type { End } from './connection.ts'
import type { Events } from './events.ts'
import type { Process } from './process.ts'

/** How one direction between two hosts is. Faults change it while the simulation runs. */
export class Link {
  /** How many faults block it: frames wait, as TCP keeps them, and arrive when it is open again. */
  blocked = 0
  /** Probabilities, for frames whose receiver can do without order. */
  loss = 0
  duplication = 0
  reordering = 0
  /** What a frame takes on top, in milliseconds: mostly a little more than this, now and then a lot. */
  slowMs = 0
}

/** What the network tells whoever watches it. */
export interface NetworkWatcher {
  delivered(from: string, to: string, frame: Uint8Array): void
  lost(from: string, to: string, frame: Uint8Array): void
}

interface Listener {
  readonly process: Process
  accept(end: End): void
}

/** How long a connection attempt to nobody takes, in milliseconds. */
const CONNECT_TIMEOUT_MS = 1000

/**
 * The network between hosts: connections that keep their order while they stand, wait while a link is blocked
 * and break when that lasts. What was sent on one that broke may still arrive.
 */
export class Network {
  readonly events: Events
  readonly dice: Dice
  readonly watcher: NetworkWatcher
  /** What a frame takes at the least, in milliseconds. */
  readonly latencyMs: number
  readonly #links = new Map<string, Link>()
  readonly #listeners = new Map<string, Listener>()
  readonly #connections = new Set<Connection>()

  constructor(events: Events, dice: Dice, latencyMs: number, watcher: NetworkWatcher) {
    this.events = events
    this.dice = dice
    this.latencyMs = latencyMs
    this.watcher = watcher
  }

  link(from: string, to: string): Link {
    const name = `${from}>${to}`
    let link = this.#links.get(name)
    if (link === undefined) {
      link = new Link()
      this.#links.set(name, link)
    }
    return link
  }

  listen(address: string, process: Process, accept: (end: End) => void): void {
    this.#listeners.set(address, { process, accept })
  }

  /**
   * Dials an address (`host:port`). The end may be used at once.
   *
   * @param patienceMs how long a connection that carries nothing across is kept
   */
  dial(process: Process, host: string, address: string, patienceMs: number): End {
    const far = address.slice(0, address.indexOf(':'))
    const connection = new Connection(this, process, host, far, patienceMs)
    this.#connections.add(connection)
    connection.near.arrive({ isFrame: false, run: () => this.#connect(connection, address) })
    return connection.near
  }

  /** Frames from one host to the other wait from now on, and connections break if that lasts. */
  block(from: string, to: string): void {
    this.link(from, to).blocked++
    for (const connection of this.#connections) {
      if (connection.joins(from, to)) connection.starve()
    }
  }

  unblock(from: string, to: string): void {
    const link = this.link(from, to)
    link.blocked--
    if (link.blocked > 0) return
    for (const connection of this.#connections) {
      if (connection.joins(from, to)) connection.release()
    }
  }

  /** Whether frames pass both ways. */
  passes(one: string, other: string): boolean {
    return this.link(one, other).blocked === 0 && this.link(other, one).blocked === 0
  }

  /** Breaks what stands between two hosts. */
  reset(one: string, other: string): void {
    for (const connection of this.#connections) {
      if (connection.joins(one, other)) connection.break('the connection was reset')
    }
  }

  /**
   * A process is gone. Its machine says so to whom it was connected with; where the machine is gone as well
   * (`power`), they find out when they lose patience.
   */
  died(process: Process, power: boolean): void {
    for (const connection of this.#connections) connection.died(process, power)
  }

  /** How long the next frame takes, in milliseconds. */
  delay(link: Link): number {
    const usual = this.latencyMs + this.dice.exponential(this.latencyMs)
    return link.slowMs === 0 ? usual : usual + this.dice.heavyTailed(link.slowMs, 1.1, 4000)
  }

  /** @internal */
  over(connection: Connection): void {
    this.#connections.delete(connection)
  }

  #connect(connection: Connection, address: string): void {
    const listener = this.#listeners.get(address)
    const { near, farHost } = connection
    if (!this.passes(near.host, farHost) || (listener === undefined && this.dice.chance(0.3))) {
      this.events.after(CONNECT_TIMEOUT_MS * this.dice.between(0.5, 1.5), () =>
        connection.break(`${address} does not answer`),
      )
    } else if (listener === undefined || !listener.process.alive) {
      connection.break(`${address} refuses connections`)
    } else {
      const far = connection.established(listener.process)
      listener.process.deliver(() => listener.accept(far))
    }
  }
}
