import { status } from '@grpc/grpc-js'
import type { NodeId } from '../raft/types.ts'
import type { DialedStream } from '../rpc/dialed-stream.ts'
import type { IncomingStream, MessageStream } from '../rpc/message-stream.ts'
import { ExchangeStream } from './exchange-stream.ts'
import type { ClientLink, ExchangeHost, LeaderRelay } from './exchange-stream.ts'
import type { Forwarder } from './forwarder.ts'
import { FORWARDED } from './unary-call.ts'
import { MAX_UNREAD_BYTES } from './unsent-answers.ts'

type Bytes = Uint8Array

/** While this much or more waits for one side of a relay to take it, the other side has to wait, in bytes. */
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
    const link = new GrpcLink(client, this.#forwarder)
    const stream = new ExchangeStream(this.#host, link)
    this.#open.add(client)
    client.hear({
      message: (bytes) => stream.receive(bytes),
      left: () => link.relay?.clientTook(),
      // The client asks nothing more, but waits for the answers that it is owed.
      ended: () => link.relay?.endOfRequests() ?? stream.finish(() => client.end()),
      closed: () => {
        this.#open.delete(client)
        stream.close()
      },
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
  relay: Relay | undefined

  constructor(client: IncomingStream, forwarder: Forwarder) {
    this.#client = client
    this.#forwarder = forwarder
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
      return false
    }
    this.#client.send(frame)
    return true
  }

  refuse(details: string): void {
    this.#client.fail({ code: status.INVALID_ARGUMENT, details })
  }

  relayTo(leader: NodeId): LeaderRelay {
    this.relay = new Relay(this.#client, leader, this.#forwarder)
    return this.relay
  }
}

/** A client's stream, passed on to the leader frame by frame, each side no faster than the other takes it. */
class Relay implements LeaderRelay {
  readonly #client: IncomingStream
  readonly #leader: DialedStream

  constructor(client: IncomingStream, leader: NodeId, forwarder: Forwarder) {
    this.#client = client
    this.#leader = forwarder.exchange(leader, {
      message: (bytes) => pass(bytes, this.#leader, client),
      left: () => roomy(this.#leader) && client.resume(),
      ended: () => {},
      closed: (why) => {
        if (why === undefined) client.end()
        else {
          const details = `the stream to the leader broke: ${why.details}`
          client.fail({ code: status.UNAVAILABLE, details })
        }
      },
    })
  }

  toLeader(bytes: Bytes): void {
    pass(bytes, this.#client, this.#leader)
  }

  /** The client has taken something of what the leader said. */
  clientTook(): void {
    if (roomy(this.#client)) this.#leader.resume()
  }

  /** The client has half-closed: the leader ends the stream once it has answered everything. */
  endOfRequests(): true {
    this.#leader.end()
    return true
  }

  close(): void {
    this.#leader.abort()
  }
}

function pass(bytes: Bytes, from: MessageStream, to: MessageStream): void {
  to.send(bytes)
  if (!roomy(to)) from.pause()
}

function roomy(stream: MessageStream): boolean {
  return stream.unsentBytes < MAX_RELAYED_BYTES
}
