import type { Clock } from '../clock.ts'
import type { Message, NodeId } from '../raft/types.ts'
import { Dialer } from './dialer.ts'
import { PEER_PROTOCOL } from './hello.ts'
import type { LocalIdentity, ProtocolRange } from './hello.ts'
import { dials, PeerStream } from './peer-stream.ts'
import type { FrameListener, OutgoingPipe, Pipe } from './peer-stream.ts'
import { MAX_UNSENT_BYTES, Peers } from './peers.ts'
import type { TransportLogger } from './peers.ts'
import { SnapshotStreams } from './snapshot-streams.ts'
import type { SnapshotSource, SnapshotTransfer } from './snapshot-transfer.ts'
import type { PeerIdentity, Transport, TransportHandler } from './transport.ts'

export interface PeerOptions {
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
  /** How long a snapshot may get no further before it is given up, in milliseconds (30,000). */
  readonly snapshotStallMs?: number
  /** The pause before a peer that refused is dialled again, in milliseconds (5000). */
  readonly refusedBackoffMs?: number
  /** Uniform in [0, 1). Default: Math.random. */
  readonly random?: () => number
}

/** Makes the near ends of streams to an address: for messages, and for a snapshot. */
export interface Pipes {
  messages(address: string): OutgoingPipe
  snapshots(address: string): OutgoingPipe
}

/** The shortest time in which a Hello and its admission (which writes to the disk) have to be through. */
const MIN_HANDSHAKE_MS = 500

/**
 * Keeps one stream to every peer, dialled by the one of the two whose id sorts first, whatever carries the
 * streams: gRPC, or a simulated network.
 */
export class StreamTransport implements Transport {
  readonly #options: PeerOptions
  readonly #pipes: Pipes
  readonly #self: LocalIdentity
  readonly #handshakeMs: number
  readonly #dialers = new Map<NodeId, Dialer>()
  #peers: Peers | undefined
  #snapshots: SnapshotStreams | undefined

  constructor(options: PeerOptions, pipes: Pipes) {
    this.#options = Object.freeze({ ...options })
    this.#pipes = pipes
    this.#self = Object.freeze({
      ...options.self,
      clusterId: options.clusterId,
      protocol: options.protocol ?? PEER_PROTOCOL,
    })
    this.#handshakeMs = Math.max(options.electionMs, MIN_HANDSHAKE_MS)
  }

  async start(handler: TransportHandler): Promise<void> {
    this.#snapshots = new SnapshotStreams({
      self: this.#self,
      peers: this.#options.peers,
      clock: this.#options.clock,
      handler,
      handshakeMs: this.#handshakeMs,
      backoffMs: this.#options.electionMs / 4,
      stallMs: this.#options.snapshotStallMs ?? 30_000,
      newPipe: (address) => this.#pipes.snapshots(address),
    })
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

  sendSnapshot(to: NodeId, source: SnapshotSource): SnapshotTransfer {
    return this.#snapshots!.send(to, source)
  }

  async close(): Promise<void> {
    this.#snapshots?.close()
    this.#snapshots = undefined
    for (const dialer of this.#dialers.values()) dialer.close()
    this.#dialers.clear()
    const peers = this.#peers
    this.#peers = undefined
    peers?.close()
  }

  /**
   * Takes the near end of a stream that another node dialled. `connect` is to let the stream hear what comes
   * in; false where this node does not listen (yet, or any more).
   */
  accept(pipe: Pipe, connect: (stream: PeerStream) => void): boolean {
    const peers = this.#peers
    if (peers === undefined) return false
    const stream = new PeerStream(this.#self, { role: 'acceptor', peers: this.#options.peers }, pipe, peers)
    connect(stream)
    this.#begin(peers, stream, 'a node that connected')
    return true
  }

  /** The same for a connection that brings a snapshot. */
  acceptSnapshot(pipe: Pipe, connect: (listener: FrameListener) => void): boolean {
    if (this.#snapshots === undefined) return false
    this.#snapshots.accept(pipe, connect)
    return true
  }

  #dial(peers: Peers, id: NodeId, address: string): PeerStream {
    const name = `${id} at ${address}`
    const pipe = this.#pipes.messages(address)
    const stream = new PeerStream(this.#self, { role: 'dialer', id, address }, pipe, peers)
    pipe.connect(stream, name)
    this.#begin(peers, stream, name)
    return stream
  }

  #begin(peers: Peers, stream: PeerStream, name: string): void {
    const ms = this.#handshakeMs
    peers.add(stream)
    stream.start(
      this.#options.clock.after(ms, () => stream.fail(`${name} did not finish its Hello within ${ms} ms`)),
    )
  }
}
