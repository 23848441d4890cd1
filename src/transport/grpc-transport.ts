import { status } from '@grpc/grpc-js'
import type { Server } from '@grpc/grpc-js'
import type { Message, NodeId } from '../raft/types.ts'
import { connectMethod, snapshotMethod } from '../wire/services.ts'
import { AcceptedPipe } from './accepted-pipe.ts'
import { DialedPipe } from './dialed-pipe.ts'
import { peerChannelOptions } from './grpc-options.ts'
import type { FrameListener } from './peer-stream.ts'
import type { SnapshotSource, SnapshotTransfer } from './snapshot-transfer.ts'
import { StreamTransport } from './stream-transport.ts'
import type { PeerOptions } from './stream-transport.ts'
import type { Transport, TransportHandler } from './transport.ts'
import type { AcceptedCall } from './unsent-bytes.ts'

/**
 * Peers over gRPC: one stream for each pair of nodes, with a channel of its own. It listens on a server that it
 * does not own: its owner calls `addService` before the server is bound, and `start` once it is.
 */
export class GrpcTransport implements Transport {
  readonly #id: string
  readonly #streams: StreamTransport

  constructor(options: PeerOptions) {
    this.#id = options.self.id
    const channelOptions = peerChannelOptions(options.electionMs)
    this.#streams = new StreamTransport(options, {
      messages: (address) => new DialedPipe(address, connectMethod, channelOptions),
      snapshots: (address) => new DialedPipe(address, snapshotMethod, channelOptions),
    })
  }

  /** Adds the Raft service to the server of the peer port, which should be made with `peerServerOptions`. */
  addService(server: Server): void {
    const streams = this.#streams
    server.addService(
      { connect: connectMethod, snapshot: snapshotMethod },
      {
        connect: (call: AcceptedCall) => this.#accept(call, (pipe, connect) => streams.accept(pipe, connect)),
        snapshot: (call: AcceptedCall) =>
          this.#accept(call, (pipe, connect) => streams.acceptSnapshot(pipe, connect)),
      },
    )
  }

  start(handler: TransportHandler): Promise<void> {
    return this.#streams.start(handler)
  }

  send(messages: readonly Message[]): void {
    this.#streams.send(messages)
  }

  sendSnapshot(to: NodeId, source: SnapshotSource): SnapshotTransfer {
    return this.#streams.sendSnapshot(to, source)
  }

  close(): Promise<void> {
    return this.#streams.close()
  }

  #accept(
    call: AcceptedCall,
    accept: (pipe: AcceptedPipe, connect: (listener: FrameListener) => void) => boolean,
  ): void {
    const pipe = new AcceptedPipe(call)
    if (accept(pipe, (listener) => pipe.connect(listener))) return
    // gRPC's listener turns the error into a status.
    call.emit('error', { code: status.UNAVAILABLE, details: `${this.#id} is starting or stopping` })
  }
}
