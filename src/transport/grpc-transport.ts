import { status } from '@grpc/grpc-js'
import type { Server } from '@grpc/grpc-js'
import type { Message } from '../raft/types.ts'
import { connectMethod } from '../wire/services.ts'
import { AcceptedPipe } from './accepted-pipe.ts'
import { DialedPipe } from './dialed-pipe.ts'
import { peerChannelOptions } from './grpc-options.ts'
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
    this.#streams = new StreamTransport(options, (address) => new DialedPipe(address, channelOptions))
  }

  /** Adds the Raft service to the server of the peer port, which should be made with `peerServerOptions`. */
  addService(server: Server): void {
    server.addService({ connect: connectMethod }, { connect: (call: AcceptedCall) => this.#accept(call) })
  }

  start(handler: TransportHandler): Promise<void> {
    return this.#streams.start(handler)
  }

  send(messages: readonly Message[]): void {
    this.#streams.send(messages)
  }

  close(): Promise<void> {
    return this.#streams.close()
  }

  #accept(call: AcceptedCall): void {
    const pipe = new AcceptedPipe(call)
    if (this.#streams.accept(pipe, (stream) => pipe.connect(stream))) return
    // gRPC's listener turns the error into a status.
    call.emit('error', { code: status.UNAVAILABLE, details: `${this.#id} is starting or stopping` })
  }
}
