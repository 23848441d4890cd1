import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { type Clock, systemClock } from '../../clock.ts'
import { Flow } from './flow.ts'
import { type LinkFaults, linkState, NO_LINK_FAULTS } from './link-faults.ts'

const HOST = '127.0.0.1'

export interface RelayOptions {
  /** id → port of this machine's loopback where the node listens for its peers. */
  readonly nodes: ReadonlyMap<string, number>
  readonly clock?: Clock
  /** Uniform in [0, 1): which packets are lost. */
  readonly random?: () => number
}

/** A connection from one node to another. */
interface Connection {
  readonly from: string
  readonly to: string
  readonly near: Socket
  /** Undefined: not connected yet, since a cut is in the way. */
  flows: readonly Flow[] | undefined
}

/**
 * Stands between the nodes of a cluster on one machine, without rights beyond theirs. Each node is told of each of
 * its peers by a port of the relay's own: so the relay knows who calls whom, and can hold back what one says to
 * the other. Of a pair one node dials and both talk on that connection; a cut of one direction holds back just that
 * direction of it.
 */
export class Relay {
  readonly #options: RelayOptions
  readonly #clock: Clock
  readonly #random: () => number
  readonly #servers = new Map<string, Server>()
  readonly #connections = new Set<Connection>()
  #faults = NO_LINK_FAULTS

  private constructor(options: RelayOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock()
    this.#random = options.random ?? Math.random
  }

  /** A relay that listens. */
  static async listen(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options)
    const ids = [...options.nodes.keys()]
    const pairs = ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => [from, to] as const))
    try {
      await Promise.all(pairs.map(([from, to]) => relay.#listen(from, to)))
    } catch (error) {
      await relay.close()
      throw error
    }
    return relay
  }

  get nodes(): readonly string[] {
    return [...this.#options.nodes.keys()]
  }

  /** Where `from` has to call to reach `to`: `host:port`. */
  address(from: string, to: string): string {
    const { port } = this.#servers.get(`${from} ${to}`)!.address() as AddressInfo
    return `${HOST}:${port}`
  }

  get faults(): LinkFaults {
    return this.#faults
  }

  /** Replaces all faults. They are in force when this returns. */
  setFaults(faults: LinkFaults): void {
    this.#faults = faults
    for (const connection of this.#connections) this.#changed(connection)
  }

  /** Ends every connection and listens no more. */
  async close(): Promise<void> {
    const closed = [...this.#servers.values()].map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    )
    for (const { near } of this.#connections) near.destroy()
    await Promise.all(closed)
  }

  #listen(from: string, to: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true })
      server.on('connection', (near) => this.#accept({ from, to, near, flows: undefined }))
      server.once('error', reject)
      server.listen({ host: HOST, port: 0 }, resolve)
      this.#servers.set(`${from} ${to}`, server)
    })
  }

  #accept(connection: Connection): void {
    const { near } = connection
    this.#connections.add(connection)
    near.on('error', () => {})
    near.on('close', () => this.#connections.delete(connection))
    this.#changed(connection)
  }

  #changed(connection: Connection): void {
    if (connection.flows !== undefined) {
      for (const flow of connection.flows) flow.changed()
      return
    }
    const { from, to, near } = connection
    const there = () => linkState(this.#faults, from, to)
    const back = () => linkState(this.#faults, to, from)
    // To connect takes packets in both directions.
    if (there().cut || back().cut) return
    const port = this.#options.nodes.get(to)!
    const far = connect({ host: HOST, port, allowHalfOpen: true, noDelay: true })
    far.on('error', () => near.resetAndDestroy())
    const common = { clock: this.#clock, random: this.#random }
    connection.flows = [
      new Flow({ from: near, to: far, state: there, ...common }),
      new Flow({ from: far, to: near, state: back, ...common }),
    ]
  }
}
