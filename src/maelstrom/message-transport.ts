import type { Message, NodeId } from '../raft/types.ts'
import { byReceiver } from '../transport/peers.ts'
import type { SnapshotTransfer } from '../transport/snapshot-transfer.ts'
import type { PeerIdentity, Transport, TransportHandler } from '../transport/transport.ts'
import { decodePeerFrame, encodePeerFrame } from '../wire/message.ts'
import { WireError } from '../wire/protobuf.ts'
import type { Body } from './protocol.ts'

/** The type of the bodies that carry Raft's messages. */
export const RAFT = 'raft'

export interface MessageTransportOptions {
  readonly self: PeerIdentity
  readonly peers: readonly NodeId[]
  readonly send: (to: NodeId, body: Body) => void
  readonly logger: { warn(fields: object, message: string): void }
}

/** Under which incarnation a peer's messages count; while it is being admitted and where it was refused, none do. */
interface Admission {
  readonly incarnation: number
  admitted: boolean
}

/**
 * Carries Raft's messages in those of Maelstrom's network, which loses and reorders them: the very frames that go to
 * peers over gRPC, in base64. There are no connections, so each message says which life of its sender it comes from.
 */
export class MessageTransport implements Transport {
  readonly #options: MessageTransportOptions
  readonly #admissions = new Map<NodeId, Admission>()
  #handler: TransportHandler | undefined

  constructor(options: MessageTransportOptions) {
    this.#options = options
  }

  async start(handler: TransportHandler): Promise<void> {
    this.#handler = handler
  }

  send(messages: readonly Message[]): void {
    if (this.#handler === undefined) return
    const { incarnation } = this.#options.self
    for (const [to, group] of byReceiver(messages)) {
      const frame = Buffer.from(encodePeerFrame(group)).toString('base64')
      this.#options.send(to, { type: RAFT, incarnation, frame })
    }
  }

  /** The log is never cut here, so that nobody needs a snapshot. */
  sendSnapshot(): SnapshotTransfer {
    return { done: Promise.resolve(false), cancel() {} }
  }

  async close(): Promise<void> {
    this.#handler = undefined
  }

  /** A body of type `raft` came in. What makes no sense is dropped: the network may lose anything. */
  receive(from: NodeId, { incarnation, frame }: Body): void {
    const handler = this.#handler
    if (handler === undefined || !this.#options.peers.includes(from)) return
    if (typeof incarnation !== 'number' || typeof frame !== 'string') return
    const admission = this.#admissions.get(from)
    if (admission?.incarnation !== incarnation) this.#admit(handler, from, incarnation, frame)
    else if (admission.admitted) this.#deliver(handler, from, frame)
  }

  /** The frame that came first counts once its sender is admitted; what comes in meanwhile is lost. */
  #admit(handler: TransportHandler, id: NodeId, incarnation: number, frame: string): void {
    const admission: Admission = { incarnation, admitted: false }
    this.#admissions.set(id, admission)
    const peer: PeerIdentity = { id, incarnation, clientAddress: '' }
    handler.admit(peer).then(
      (refusal) => {
        if (refusal !== undefined) {
          this.#options.logger.warn({ peer: id, refusal }, 'peer refused')
          handler.disconnected(id, refusal, true)
          return
        }
        admission.admitted = true
        handler.connected(peer)
        this.#deliver(handler, id, frame)
      },
      (error: unknown) => this.#options.logger.warn({ peer: id, err: error }, 'peer could not be admitted'),
    )
  }

  #deliver(handler: TransportHandler, from: NodeId, frame: string): void {
    try {
      const { messages } = decodePeerFrame(Buffer.from(frame, 'base64'))
      const { id } = this.#options.self
      handler.receive(messages.filter((message) => message.from === from && message.to === id))
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#options.logger.warn({ peer: from, reason: error.message }, 'a frame makes no sense; dropped')
    }
  }
}
