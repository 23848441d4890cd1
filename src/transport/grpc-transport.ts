import { status } from '@grpc/grpc-js'
import type { Server } from '@grpc/grpc-js'
import type { Message, NodeId } from '../raft/types.ts'
import { grpcStreamHandler } from '../rpc/grpc-stream.ts'
import type { StreamHandler } from '../rpc/message-stream.ts'
import { connectMethod, snapshotMethod } from '../wire/services.ts'
import type { BytesMethod } from '../wire/services.ts'
import { AcceptedPipe } from './accepted-pipe.ts'
import { DialedPipe } from './dialed-pipe.ts'
import { peerDialOptions } from './grpc-options.ts'
import type { FrameListener } from './peer-stream.ts'
import type { SnapshotSource, SnapshotTransfer } from './snapshot-transfer.ts'
import { StreamTransport } from './stream-transport.ts'
import type { PeerOptions } from './stream-transport.ts'
import type { Transport, TransportHandler } from './transport.ts'

/**
 * Peers over gRPC: one stream for each pair of nodes, on a connection of its own. It listens on a server that it
 * does not own: its owner calls `addService` before the server is bound, and `start` once it is.
 */
export class GrpcTransport implements Transport {
  readonly #id: string
  readonly #streams: StreamTransport

  constructor(options: PeerOptions) {
    this.#id = options.self.id
    const dialOptions = peerDialOptions(options.electionMs, options.clock)
    this.#streams = new StreamTransport(options, {
      messages: (address) => new DialedPipe(address, connectMethod.path, dialOptions),
      snapshots: (address) => new DialedPipe(address, snapshotMethod.path, dialOptions),
    })
  }

  /** What answers the streams of other nodes, by path. */
  get streamHandlers(): ReadonlyMap<string, StreamHandler> {
    const streams = this.#streams
    return new Map<string, StreamHandler>([
      [connectMethod.path, this.#accept((pipe, connect) => streams.accept(pipe, connect))],
      [snapshotMethod.path, this.#accept((pipe, connect) => streams.acceptSnapshot(pipe, connect))],
    ])
  }

  /** Adds the Raft service to the server of the peer port, which should be made with `peerServerOptions`. */
  addService(server: Server): void {
    const handlers = this.streamHandlers
    const handlerOf = (method: BytesMethod) => grpcStreamHandler(handlers.get(method.path)!)
    server.addService(
      { connect: connectMethod, snapshot: snapshotMethod },
      { connect: handlerOf(connectMethod), snapshot: handlerOf(snapshotMethod) },
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
    accept: (pipe: AcceptedPipe, connect: (listener: FrameListener) => void) => boolean,
  ): StreamHandler {
    return (stream) => {
      const pipe = new AcceptedPipe(stream)
      if (accept(pipe, (listener) => pipe.connect(listener))) return
      stream.fail({ code: status.UNAVAILABLE, details: `${this.#id} is starting or stopping` })
    }
  }
}
