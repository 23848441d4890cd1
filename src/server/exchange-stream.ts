import type { LeaderHint } from '../errors.ts'
import type { NodeId } from '../raft/types.ts'
import { decodeClientFrame, encodeClientHello, encodeServerHello } from '../wire/frames.ts'
import type { ClientHello } from '../wire/frames.ts'
import { WireError } from '../wire/protobuf.ts'
import { Exchange } from './exchange.ts'
import type { AnswerSink } from './exchange.ts'
import type { KvFront } from './kv-front.ts'

/** The versions of the client protocol that this node speaks. */
export const CLIENT_PROTOCOL = Object.freeze({ min: 1, max: 1 })

/** What the service has to know of its node. */
export interface ExchangeHost {
  readonly id: NodeId
  readonly clusterId: Uint8Array
  readonly front: KvFront
  /** Who leads, if it is known. */
  leader(): LeaderHint | undefined
}

/** What carries a client's stream: gRPC, or a simulated network. */
export interface ClientLink extends AnswerSink {
  /** Whether another node passed this stream on: then whoever gets it answers it itself. */
  readonly forwarded: boolean
  /** Ends the stream with an error, in words. */
  refuse(details: string): void
  /** Passes the stream on: what the leader says goes to the client as it is. */
  relayTo(leader: NodeId): LeaderRelay
}

/** The stream to the leader, on behalf of a client. */
export interface LeaderRelay {
  toLeader(frame: Uint8Array): void
  close(): void
}

/** One client's stream, from its hello on: answered here, or passed on to the leader. */
export class ExchangeStream {
  readonly #host: ExchangeHost
  readonly #link: ClientLink
  #exchange: Exchange | undefined
  #relay: LeaderRelay | undefined

  constructor(host: ExchangeHost, link: ClientLink) {
    this.#host = host
    this.#link = link
  }

  /** A frame of the client. */
  receive(bytes: Uint8Array): void {
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

  /** The client asks nothing more. Calls `done` once everything that it asked is answered. */
  finish(done: () => void): void {
    if (this.#exchange === undefined) done()
    else this.#exchange.finish(done)
  }

  /** The client is gone. */
  close(): void {
    this.#exchange?.close()
    this.#relay?.close()
  }

  #greet(hello: ClientHello): void {
    const { id, clusterId, front } = this.#host
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
    if (hello.forward && leader !== undefined && leader.id !== id && !this.#link.forwarded) {
      this.#relay = this.#link.relayTo(leader.id)
      this.#relay.toLeader(encodeClientHello({ ...hello, forward: false }))
      return
    }
    this.#exchange = new Exchange(front, this.#link)
    this.#send(
      encodeServerHello({ protocol: Math.min(hello.protocolMax, max), clusterId, nodeId: id, leader }),
    )
  }

  #send(frame: Uint8Array): void {
    if (!this.#link.send(frame)) this.close()
  }

  #refuse(details: string): void {
    this.close()
    this.#link.refuse(details)
  }
}
