import type { Connection, ConnectionHandlers, Connector } from '../../../src/client/connector.ts'
import { UnavailableError } from '../../../src/errors.ts'
import type { ClientLink, ExchangeHost, LeaderRelay } from '../../../src/server/exchange-stream.ts'
import { ExchangeStream } from '../../../src/server/exchange-stream.ts'
import type { StatusResponse } from '../../../src/wire/proto.ts'
import type { End } from './connection.ts'
import type { Network } from './network.ts'
import type { Process } from './process.ts'

/** Nothing in the client's protocol asks whether the other side lives: connections are patient. */
const PATIENCE_MS = 6000

/** How a client reaches nodes over the simulated network. */
export class SimulatedConnector implements Connector {
  readonly #network: Network
  readonly #process: Process

  constructor(network: Network, process: Process) {
    this.#network = network
    this.#process = process
  }

  connect(endpoint: string, handlers: ConnectionHandlers): Connection {
    const end = this.#network.dial(this.#process, this.#process.name, endpoint, PATIENCE_MS)
    end.onFrame = (frame) => handlers.frame(frame)
    end.onEnd = (reason) => handlers.closed(new UnavailableError(`${endpoint}: ${reason}`))
    return {
      send: (frame) => end.send(frame),
      get unsentBytes() {
        return end.unsent
      },
      close: () => end.abort(),
    }
  }

  async status(endpoint: string): Promise<StatusResponse> {
    throw new UnavailableError(`${endpoint} is simulated and has no status`)
  }
}

/** Serves the Exchange streams of a node: those of clients, and those that other nodes pass on. */
export class SimulatedService {
  readonly #network: Network
  readonly #process: Process
  readonly #host: ExchangeHost
  readonly #open = new Set<End>()

  constructor(network: Network, process: Process, host: ExchangeHost) {
    this.#network = network
    this.#process = process
    this.#host = host
  }

  listen(): void {
    const { id } = this.#host
    this.#network.listen(clientAddress(id), this.#process, (end) => this.#accept(end, false))
    this.#network.listen(forwardAddress(id), this.#process, (end) => this.#accept(end, true))
  }

  /** Ends all streams: the clients go elsewhere. */
  close(): void {
    for (const end of this.#open) end.end()
  }

  #accept(end: End, forwarded: boolean): void {
    this.#open.add(end)
    const stream = new ExchangeStream(this.#host, new Link(this.#network, end, forwarded))
    end.onFrame = (frame) => stream.receive(frame)
    end.onEnd = () => {
      this.#open.delete(end)
      stream.close()
      end.end()
    }
  }
}

class Link implements ClientLink {
  readonly forwarded: boolean
  readonly #network: Network
  readonly #end: End

  constructor(network: Network, end: End, forwarded: boolean) {
    this.#network = network
    this.#end = end
    this.forwarded = forwarded
  }

  get unsentBytes(): number {
    return this.#end.unsent
  }

  send(frame: Uint8Array): boolean {
    this.#end.send(frame)
    return true
  }

  refuse(): void {
    this.#end.end()
  }

  relayTo(leader: string): LeaderRelay {
    const client = this.#end
    const end = this.#network.dial(client.process, client.host, forwardAddress(leader), PATIENCE_MS)
    end.onFrame = (frame) => client.send(frame)
    end.onEnd = () => client.end()
    return { toLeader: (frame) => end.send(frame), close: () => end.abort() }
  }
}

/** Where clients reach a node. */
export function clientAddress(id: string): string {
  return `${id}:7001`
}

/** Where other nodes reach its Raft port. */
export function peerAddress(id: string): string {
  return `${id}:8001`
}

/** Where other nodes pass streams on to it. */
function forwardAddress(id: string): string {
  return `${id}:8002`
}
