import { status } from '@grpc/grpc-js'
import type { Server } from '@grpc/grpc-js'
import type { Clock } from '../clock.ts'
import type { Message, NodeId } from '../raft/types.ts'
import { connectMethod } from '../wire/services.ts'
import { AcceptedPipe } from './accepted-pipe.ts'
import { DialedPipe } from './dialed-pipe.ts'
import { Dialer } from './dialer.ts'
import { peerChannelOptions } from './grpc-options.ts'
import { PEER_PROTOCOL } from './hello.ts'
import type { LocalIdentity, ProtocolRange } from './hello.ts'
import { dials, PeerStream } from './peer-stream.ts'
import { MAX_UNSENT_BYTES, Peers } from './peers.ts'
import type { TransportLogger } from './peers.ts'
import type { PeerIdentity, Transport, TransportHandler } from './transport.ts'
import type { AcceptedCall } from './unsent-bytes.ts'

export interface GrpcTransportOptions {
  readonly self: PeerIdentity
  /** Hash of the cluster's name and its initial members. */
  readonly clusterId: Uint8Array
  /** The other nodes, and where their peer ports are (`host:port`). */
  readonly peers: ReadonlyMap<NodeId, string>
  /** The election time-out, in milliseconds: the measure of how soon a lost peer must be noticed and found again. */
  readonly electionMs: number
  readonly clock: Clock
  readonly logger: TransportLogger
  /** Default: what this build speaks. */
  readonly protocol?: ProtocolRange
  /** What a stream may hold unsent before it is given up, in bytes (32 MiB). */
  readonly maxUnsentBytes?: number
  /** The pause before a peer that refused is dialled again, in milliseconds (5000). */
  readonly refusedBackoffMs?: number
  /** Uniform in [0, 1). Default: Math.random. */
  readonly random?: () => number
}

/** The shortest time in which a Hello and its admission (which writes to the disk) have to be through. */
const MIN_HANDSHAKE_MS = 500

/**
 * Peers over gRPC: one stream for each pair of nodes, dialled by the one whose id sorts first, with a channel of
 * its own. It listens on a server that it does not own: its owner calls `addService` before the server is bound,
 * and `start` once it is.
 */
export class GrpcTransport implements Transport {
  readonly #options: GrpcTransportOptions
  readonly #self: LocalIdentity
  readonly #handshakeMs: number
  readonly #dialers = new Map<NodeId, Dialer>()
  #peers: Peers | undefined

  constructor(options: GrpcTransportOptions) {
    this.#options = Object.freeze({ ...options })
    this.#self = Object.freeze({
      ...options.self,
      clusterId: options.clusterId,
      protocol: options.protocol ?? PEER_PROTOCOL,
    })
    this.#handshakeMs = Math.max(options.electionMs, MIN_HANDSHAKE_MS)
  }

  /** Adds the Raft service to the server of the peer port, which should be made with `peerServerOptions`. */
  addService(server: Server): void {
    server.addService({ connect: connectMethod }, { connect: (call: AcceptedCall) => this.#accept(call) })
  }

  async start(handler: TransportHandler): Promise<void> {
    const { peers, logger, maxUnsentBytes, clock, random, electionMs, refusedBackoffMs } = this.#options
    this.#peers = new Peers({
      peers,
      handler,
      logger,
      maxUnsentBytes: maxUnsentBytes ?? MAX_UNSENT_BYTES,
      knocked: (id) => {
        if (!this.#peers!.isOpen(id)) this.#dialers.get(id)?.wake()
      },
      ended: (stream, id, refused) => {
        if (id !== undefined) this.#dialers.get(id)?.ended(stream, refused)
      },
    })
    for (const [id, address] of peers) {
      if (!dials(this.#self.id, id)) {
        // Once, so that a peer that has been waiting for this node need not wait any longer.
        this.#dial(this.#peers, id, address)
        continue
      }
      const dialer = new Dialer({
        clock,
        random: random ?? Math.random,
        maxBackoffMs: electionMs,
        refusedBackoffMs: refusedBackoffMs ?? 5000,
        dial: () => this.#dial(this.#peers!, id, address),
      })
      this.#dialers.set(id, dialer)
      dialer.dial()
    }
  }

  send(messages: readonly Message[]): void {
    this.#peers?.send(messages)
  }

  async close(): Promise<void> {
    for (const dialer of this.#dialers.values()) dialer.close()
    this.#dialers.clear()
    const peers = this.#peers
    this.#peers = undefined
    peers?.close()
  }

  #dial(peers: Peers, id: NodeId, address: string): PeerStream {
    const name = `${id} at ${address}`
    const pipe = new DialedPipe(address, peerChannelOptions(this.#options.electionMs))
    const stream = new PeerStream(this.#self, { role: 'dialer', id, address }, pipe, peers)
    pipe.connect(stream, name)
    this.#begin(peers, stream, name)
    return stream
  }

  #accept(call: AcceptedCall): void {
    const peers = this.#peers
    if (peers === undefined) {
      // gRPC's listener turns the error into a status.
      call.emit('error', { code: status.UNAVAILABLE, details: `${this.#self.id} is starting or stopping` })
      return
    }
    const pipe = new AcceptedPipe(call)
    const stream = new PeerStream(this.#self, { role: 'acceptor', peers: this.#options.peers }, pipe, peers)
    pipe.connect(stream)
    this.#begin(peers, stream, 'a node that connected')
  }

  #begin(peers: Peers, stream: PeerStream, name: string): void {
    const ms = this.#handshakeMs
    peers.add(stream)
    stream.start(
      this.#options.clock.after(ms, () => stream.fail(`${name} did not finish its Hello within ${ms} ms`)),
    )
  }
}
