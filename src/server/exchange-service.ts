import { status } from '@grpc/grpc-js'
import type { ClientDuplexStream, ServerDuplexStream } from '@grpc/grpc-js'
import { WireError } from '../wire/protobuf.ts'
import { decodeClientFrame, encodeClientHello, encodeServerHello } from '../wire/frames.ts'
import type { ClientHello } from '../wire/frames.ts'
import type { LeaderHint } from '../errors.ts'
import { Exchange } from './exchange.ts'
import { isForwarded } from './forwarder.ts'
import type { Forwarder } from './forwarder.ts'
import type { KvFront } from './kv-front.ts'

type Bytes = Uint8Array
type Call = ServerDuplexStream<Bytes, Bytes>

/** The versions of the client protocol that this node speaks. */
export const CLIENT_PROTOCOL = Object.freeze({ min: 1, max: 1 })

/** A client that does not read its answers is dropped when this many bytes of them wait. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024

/** What the service has to know of its node. */
export interface ExchangeHost {
  readonly id: string
  readonly clusterId: Uint8Array
  readonly front: KvFront
  readonly forwarder: Forwarder
  /** Who leads, if it is known. */
  leader(): LeaderHint | undefined
}

/** `Kv.Exchange` over gRPC: greets each client, then answers its stream itself or passes it on to the leader. */
export class ExchangeService {
  readonly #host: ExchangeHost
  readonly #open = new Set<Call>()

  constructor(host: ExchangeHost) {
    this.#host = host
  }

  readonly handle = (call: Call): void => {
    const stream = new ExchangeStream(this.#host, call)
    const close = () => {
      this.#open.delete(call)
      stream.close()
    }
    this.#open.add(call)
    call.on('data', (bytes: Bytes) => stream.receive(bytes))
    call.on('end', () => call.end())
    call.on('error', close)
    call.on('close', close)
    call.on('cancelled', close)
  }

  /** Ends all streams: the clients go elsewhere. */
  close(): void {
    for (const call of this.#open) call.end()
  }
}

class ExchangeStream {
  readonly #host: ExchangeHost
  readonly #call: Call
  #exchange: Exchange | undefined
  #relay: Relay | undefined

  constructor(host: ExchangeHost, call: Call) {
    this.#host = host
    this.#call = call
  }

  receive(bytes: Bytes): void {
    if (this.#relay !== undefined) {
      this.#relay.toLeader(bytes)
      return
    }
    try {
      const frame = decodeClientFrame(bytes)
      if (this.#exchange !== undefined) this.#exchange.receive(frame)
      else if (frame.hello !== undefined) this.#greet(frame.hello)
      else this.#refuse('the first frame of an Exchange stream must be a hello')
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#refuse(`a frame cannot be read: ${error.message}`)
    }
  }

  close(): void {
    this.#exchange?.close()
    this.#relay?.close()
  }

  #greet(hello: ClientHello): void {
    const { id, clusterId, front, forwarder } = this.#host
    const { min, max } = CLIENT_PROTOCOL
    if (hello.protocolMin > max || hello.protocolMax < min) {
      const theirs = `${hello.protocolMin} to ${hello.protocolMax}`
      this.#refuse(
        `the client speaks protocol ${theirs}, this node ${min} to ${max}: use versions closer to each other`,
      )
      return
    }
    if (hello.clusterId.length > 0 && Buffer.compare(hello.clusterId, clusterId) !== 0) {
      this.#refuse('this node belongs to another cluster than the one the client knows: check the endpoints')
      return
    }
    const leader = this.#host.leader()
    if (hello.forward && leader !== undefined && leader.id !== id && !isForwarded(this.#call.metadata)) {
      this.#relay = new Relay(this.#call, forwarder.exchange(leader.id))
      this.#relay.toLeader(encodeClientHello({ ...hello, forward: false }))
      return
    }
    this.#exchange = new Exchange(front, (frame) => this.#send(frame))
    this.#send(
      encodeServerHello({ protocol: Math.min(hello.protocolMax, max), clusterId, nodeId: id, leader }),
    )
  }

  #send(frame: Bytes): void {
    this.#call.write(frame)
    if (this.#call.writableLength > MAX_UNREAD_BYTES) {
      this.close()
      this.#call.destroy(new Error('the client does not read its answers'))
    }
  }

  #refuse(details: string): void {
    this.close()
    this.#call.emit('error', { code: status.INVALID_ARGUMENT, details })
  }
}

/** A client's stream, passed on to the leader frame by frame, each side no faster than the other takes it. */
class Relay {
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

  close(): void {
    this.#leader.cancel()
  }
}
