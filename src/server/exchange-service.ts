import { status } from '@grpc/grpc-js'
import type { ClientDuplexStream } from '@grpc/grpc-js'
import type { NodeId } from '../raft/types.ts'
import type { IncomingStream } from '../rpc/message-stream.ts'
import { ExchangeStream } from './exchange-stream.ts'
import type { ClientLink, ExchangeHost, LeaderRelay } from './exchange-stream.ts'
import type { Forwarder } from './forwarder.ts'
import { FORWARDED } from './unary-call.ts'
import { MAX_UNREAD_BYTES } from './unsent-answers.ts'

type Bytes = Uint8Array

/** While more than this waits for a client to take it, the leader has to wait, in bytes. */
const MAX_RELAYED_BYTES = 256 * 1024

/** `Kv.Exchange` over gRPC: greets each client, then answers its stream itself or passes it on to the leader. */
export class ExchangeService {
  readonly #host: ExchangeHost
  readonly #forwarder: Forwarder
  readonly #open = new Set<IncomingStream>()

  constructor(host: ExchangeHost, forwarder: Forwarder) {
    this.#host = host
    this.#forwarder = forwarder
  }

  readonly handle = (client: IncomingStream): void => {
    const gone = (): void => {
      this.#open.delete(client)
      stream.close()
    }
    const link = new GrpcLink(client, this.#forwarder, gone)
    const stream = new ExchangeStream(this.#host, link)
    this.#open.add(client)
    client.hear({
      message: (bytes) => stream.receive(bytes),
      left: () => link.relay?.clientTook(),
      // The client asks nothing more, but waits for the answers that it is owed.
      ended: () => link.relay?.endOfRequests() ?? stream.finish(() => client.end()),
      closed: gone,
    })
  }

  /** Ends all streams: the clients go elsewhere. */
  close(): void {
    for (const client of this.#open) client.end()
  }
}

class GrpcLink implements ClientLink {
  readonly #client: IncomingStream
  readonly #forwarder: Forwarder
  readonly #gone: () => void
  relay: Relay | undefined

  /** @param gone hears that the client was dropped */
  constructor(client: IncomingStream, forwarder: Forwarder, gone: () => void) {
    this.#client = client
    this.#forwarder = forwarder
    this.#gone = gone
  }

  get forwarded(): boolean {
    return this.#client.header(FORWARDED) !== undefined
  }

  get unsentBytes(): number {
    return this.#client.unsentBytes
  }

  send(frame: Bytes): boolean {
    if (this.#client.unsentBytes > MAX_UNREAD_BYTES) {
      this.#client.abort()
      this.#gone()
      return false
    }
    this.#client.send(frame)
    return true
  }

  refuse(details: string): void {
    this.#client.fail({ code: status.INVALID_ARGUMENT, details })
  }

  relayTo(leader: NodeId): LeaderRelay {
    this.relay = new Relay(this.#client, this.#forwarder.exchange(leader))
    return this.relay
  }
}

/** A client's stream, passed on to the leader frame by frame, each side no faster than the other takes it. */
class Relay implements LeaderRelay {
  readonly #client: IncomingStream
  readonly #leader: ClientDuplexStream<Bytes, Bytes>

  constructor(client: IncomingStream, leader: ClientDuplexStream<Bytes, Bytes>) {
    this.#client = client
    this.#leader = leader
    leader.on('data', (bytes: Bytes) => {
      client.send(bytes)
      if (client.unsentBytes > MAX_RELAYED_BYTES) leader.pause()
    })
    leader.on('end', () => client.end())
    leader.on('error', (error: Error) => {
      client.fail({ code: status.UNAVAILABLE, details: `the stream to the leader broke: ${error.message}` })
    })
  }

  toLeader(bytes: Bytes): void {
    if (!this.#leader.write(bytes)) {
      this.#client.pause()
      this.#leader.once('drain', () => this.#client.resume())
    }
  }

  /** The client has taken something of what the leader said. */
  clientTook(): void {
    if (this.#client.unsentBytes <= MAX_RELAYED_BYTES) this.#leader.resume()
  }

  /** The client has half-closed: the leader ends the stream once it has answered everything. */
  endOfRequests(): true {
    this.#leader.end()
    return true
  }

  close(): void {
    this.#leader.cancel()
  }
}
