import { status } from '@grpc/grpc-js'
import type { ClientDuplexStream, ServerDuplexStream } from '@grpc/grpc-js'
import type { NodeId } from '../raft/types.ts'
import { ExchangeStream } from './exchange-stream.ts'
import type { ClientLink, ExchangeHost, LeaderRelay } from './exchange-stream.ts'
import { resetStream } from '../transport/reset-stream.ts'
import { UnsentBytes } from '../transport/unsent-bytes.ts'
import { isForwarded } from './forwarder.ts'
import type { Forwarder } from './forwarder.ts'
import { MAX_UNREAD_BYTES } from './unsent-answers.ts'

type Bytes = Uint8Array
type Call = ServerDuplexStream<Bytes, Bytes>

/** `Kv.Exchange` over gRPC: greets each client, then answers its stream itself or passes it on to the leader. */
export class ExchangeService {
  readonly #host: ExchangeHost
  readonly #forwarder: Forwarder
  readonly #open = new Set<Call>()

  constructor(host: ExchangeHost, forwarder: Forwarder) {
    this.#host = host
    this.#forwarder = forwarder
  }

  readonly handle = (call: Call): void => {
    const link = new GrpcLink(call, this.#forwarder)
    const stream = new ExchangeStream(this.#host, link)
    const close = () => {
      this.#open.delete(call)
      stream.close()
    }
    this.#open.add(call)
    call.on('data', (bytes: Bytes) => stream.receive(bytes))
    // The client asks nothing more, but waits for the answers that it is owed.
    call.on('end', () => link.relay?.endOfRequests() ?? stream.finish(() => call.end()))
    call.on('error', close)
    call.on('close', close)
    call.on('cancelled', close)
  }

  /** Ends all streams: the clients go elsewhere. */
  close(): void {
    for (const call of this.#open) call.end()
  }
}

class GrpcLink implements ClientLink {
  readonly #call: Call
  readonly #forwarder: Forwarder
  readonly #bytes = new UnsentBytes()
  relay: Relay | undefined

  constructor(call: Call, forwarder: Forwarder) {
    this.#call = call
    this.#forwarder = forwarder
  }

  get forwarded(): boolean {
    return isForwarded(this.#call.metadata)
  }

  get unsentBytes(): number {
    return this.#bytes.unsent
  }

  send(frame: Bytes): boolean {
    if (this.#bytes.unsent > MAX_UNREAD_BYTES) {
      resetStream(this.#call)
      this.#call.destroy()
      return false
    }
    this.#bytes.write(this.#call, frame)
    return true
  }

  refuse(details: string): void {
    this.#call.emit('error', { code: status.INVALID_ARGUMENT, details })
  }

  relayTo(leader: NodeId): LeaderRelay {
    this.relay = new Relay(this.#call, this.#forwarder.exchange(leader))
    return this.relay
  }
}

/** A client's stream, passed on to the leader frame by frame, each side no faster than the other takes it. */
class Relay implements LeaderRelay {
  readonly #client: Call
  readonly #leader: ClientDuplexStream<Bytes, Bytes>

  constructor(client: Call, leader: ClientDuplexStream<Bytes, Bytes>) {
    this.#client = client
    this.#leader = leader
    leader.on('data', (bytes: Bytes) => {
      if (!client.write(bytes)) {
        leader.pause()
        client.once('drain', () => leader.resume())
      }
    })
    leader.on('end', () => client.end())
    leader.on('error', (error: Error) => {
      client.emit('error', {
        code: status.UNAVAILABLE,
        details: `the stream to the leader broke: ${error.message}`,
      })
    })
  }

  toLeader(bytes: Bytes): void {
    if (!this.#leader.write(bytes)) {
      this.#client.pause()
      this.#leader.once('drain', () => this.#client.resume())
    }
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
