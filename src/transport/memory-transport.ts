import type { Clock } from '../clock.ts'
import type { Message, NodeId } from '../raft/types.ts'
import { PEER_PROTOCOL } from './hello.ts'
import type { LocalIdentity, ProtocolRange } from './hello.ts'
import { dials, PeerStream } from './peer-stream.ts'
import type { FrameListener, OutgoingPipe } from './peer-stream.ts'
import { SnapshotStreams } from './snapshot-streams.ts'
import type { SnapshotSource, SnapshotTransfer } from './snapshot-transfer.ts'
import { MAX_UNSENT_BYTES, Peers } from './peers.ts'
import type { PeerIdentity, Transport, TransportHandler } from './transport.ts'

export interface MemoryEndpointOptions {
  /** The other nodes, and the names under which they are attached. */
  readonly peers: ReadonlyMap<NodeId, string>
  /** The name under which others reach it. Default: its id. */
  readonly address?: string
  readonly clusterId?: Uint8Array
  readonly protocol?: ProtocolRange
  /** As of the real transport: what may wait for a peer that does not read, in bytes. */
  readonly maxUnsentBytes?: number
}

/** Something on its way to `to`. */
interface Event {
  readonly from: string
  readonly to: string
  /** The stream that it is part of. */
  readonly pipe: MemoryPipe
  run(): void
}

/**
 * A network in memory for tests: the same Hello, admission and replacement as over gRPC, the same bytes, and
 * nothing moves unless its owner says so. Without time: a node dials again when a stream that stood is lost,
 * and when something on the network has started or healed.
 */
export class MemoryNetwork {
  readonly #endpoints = new Map<string, MemoryTransport>()
  readonly #cuts = new Set<string>()
  readonly #stalled = new Set<string>()
  #events: Event[] = []

  /** A transport on this network, reachable once it is started. */
  attach(identity: PeerIdentity, options: MemoryEndpointOptions): Transport {
    return new MemoryTransport(this, identity, options)
  }

  /** Delivers what has been under way for longest. False where there is nothing (that can be delivered). */
  deliver(): boolean {
    const next = this.#events.findIndex((event) => !this.#stalled.has(event.to))
    if (next < 0) return false
    const [event] = this.#events.splice(next, 1)
    event!.run()
    return true
  }

  /** Delivers until nothing is left. An admission that is under way may bring more afterwards. */
  deliverAll(): void {
    while (this.deliver());
  }

  /** Breaks the link: streams between the two are lost, with what is under way, and no new ones come about. */
  cut(a: string, b: string): void {
    this.#cuts.add(link(a, b))
    const broken = new Set<MemoryPipe>()
    for (const endpoint of [a, b]) {
      for (const pipe of this.#endpoints.get(endpoint)?.pipes ?? []) {
        if (link(pipe.near, pipe.far) === link(a, b)) broken.add(pipe)
      }
    }
    this.#events = this.#events.filter((event) => link(event.from, event.to) !== link(a, b))
    for (const pipe of broken) pipe.stream?.onEnd('the connection was lost')
  }

  heal(a: string, b: string): void {
    this.#cuts.delete(link(a, b))
    this.#redial()
  }

  /** From now on the node at `address` takes nothing in, as if it were paused. */
  stall(address: string): void {
    this.#stalled.add(address)
  }

  resume(address: string): void {
    this.#stalled.delete(address)
  }

  /** @internal */
  post(event: Event): void {
    this.#events.push(event)
  }

  /** @internal Takes back what a pipe has under way. */
  drop(pipe: MemoryPipe): void {
    this.#events = this.#events.filter((event) => event.pipe !== pipe)
  }

  /** @internal */
  listen(address: string, endpoint: MemoryTransport): void {
    this.#endpoints.set(address, endpoint)
    this.#redial()
  }

  /** @internal */
  leave(address: string, endpoint: MemoryTransport): void {
    if (this.#endpoints.get(address) === endpoint) this.#endpoints.delete(address)
  }

  /** @internal Brings a dialled pipe to the other side, once it is delivered. */
  connect(pipe: MemoryPipe): void {
    const run = (): void => {
      const there = this.#cuts.has(link(pipe.near, pipe.far)) ? undefined : this.#endpoints.get(pipe.far)
      if (there === undefined) pipe.stream?.onEnd(`${pipe.far} cannot be reached`)
      else there.accept(pipe)
    }
    this.post({ from: pipe.near, to: pipe.far, pipe, run })
  }

  #redial(): void {
    for (const endpoint of this.#endpoints.values()) endpoint.dialAll()
  }
}

/** One end of a stream. */
class MemoryPipe implements OutgoingPipe {
  readonly #network: MemoryNetwork
  readonly near: string
  readonly far: string
  readonly carries: 'messages' | 'snapshot'
  other: MemoryPipe | undefined
  stream: FrameListener | undefined
  unsent = 0
  #over = false

  /** @param carries what the far side is to take it for */
  constructor(network: MemoryNetwork, near: string, far: string, carries: 'messages' | 'snapshot') {
    this.#network = network
    this.carries = carries
    this.near = near
    this.far = far
  }

  connect(listener: FrameListener): void {
    this.stream = listener
    this.#network.connect(this)
  }

  write(frame: Uint8Array): void {
    this.unsent += frame.length
    this.#post(() => {
      this.unsent -= frame.length
      this.other?.stream?.onFrame(frame)
    })
  }

  end(): void {
    this.#post(() => this.other?.stream?.onEnd(`${this.near} closed the stream`))
    this.#over = true
  }

  abort(): void {
    this.#network.drop(this)
    this.end()
  }

  #post(run: () => void): void {
    if (!this.#over) this.#network.post({ from: this.near, to: this.far, pipe: this, run })
  }
}

class MemoryTransport implements Transport {
  readonly #network: MemoryNetwork
  readonly #self: LocalIdentity
  readonly #options: MemoryEndpointOptions
  readonly #address: string
  /** What stands or is being dialled, for each peer that this node dials. */
  readonly #dialed = new Map<NodeId, PeerStream>()
  readonly pipes = new Set<MemoryPipe>()
  #peers: Peers | undefined
  #snapshots: SnapshotStreams | undefined
  /** Attempts to bring a snapshot that wait until something has started or healed. */
  #waiting: (() => void)[] = []

  constructor(network: MemoryNetwork, identity: PeerIdentity, options: MemoryEndpointOptions) {
    this.#network = network
    this.#options = options
    this.#address = options.address ?? identity.id
    this.#self = {
      ...identity,
      clusterId: options.clusterId ?? new Uint8Array(0),
      protocol: options.protocol ?? PEER_PROTOCOL,
    }
  }

  async start(handler: TransportHandler): Promise<void> {
    const peers = new Peers({
      peers: this.#options.peers,
      handler,
      logger: { info: () => {}, warn: () => {} },
      maxUnsentBytes: this.#options.maxUnsentBytes ?? MAX_UNSENT_BYTES,
      knocked: () => {},
      ended: (stream, id) => {
        for (const pipe of this.pipes) if (pipe.stream === stream) this.pipes.delete(pipe)
        if (id === undefined || this.#dialed.get(id) !== stream) return
        this.#dialed.delete(id)
        if (stream.stood) this.dialAll()
      },
    })
    this.#peers = peers
    this.#snapshots = new SnapshotStreams({
      self: this.#self,
      peers: this.#options.peers,
      clock: this.#clock,
      handler,
      handshakeMs: Infinity,
      backoffMs: 0,
      stallMs: Infinity,
      newPipe: (address) => this.#newPipe(address, 'snapshot'),
    })
    this.#network.listen(this.#address, this)
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
    const peers = this.#peers
    this.#peers = undefined
    this.#network.leave(this.#address, this)
    peers?.close()
  }

  /** @internal Dials whom it should dial and does not reach yet. */
  dialAll(): void {
    for (const attempt of this.#waiting.splice(0)) attempt()
    for (const [id, address] of this.#options.peers) {
      if (this.#peers === undefined || !dials(this.#self.id, id) || this.#dialed.has(id)) continue
      const pipe = this.#newPipe(address, 'messages')
      const stream = new PeerStream(this.#self, { role: 'dialer', id, address }, pipe, this.#peers)
      this.#dialed.set(id, stream)
      this.#peers.add(stream)
      pipe.connect(stream)
      stream.start()
    }
  }

  /** @internal The other end of a stream that was dialled. */
  accept(dialed: MemoryPipe): void {
    const pipe = this.#newPipe(dialed.near, dialed.carries)
    pipe.other = dialed
    dialed.other = pipe
    if (dialed.carries === 'snapshot') {
      this.#snapshots!.accept(pipe, (listener) => {
        pipe.stream = listener
      })
      return
    }
    const stream = new PeerStream(
      this.#self,
      { role: 'acceptor', peers: this.#options.peers },
      pipe,
      this.#peers!,
    )
    pipe.stream = stream
    this.#peers!.add(stream)
  }

  #newPipe(address: string, carries: 'messages' | 'snapshot'): MemoryPipe {
    const pipe = new MemoryPipe(this.#network, this.#address, address, carries)
    this.pipes.add(pipe)
    return pipe
  }

  /** A network without time: what is to be tried again waits for a better day, and nothing takes too long. */
  readonly #clock: Clock = {
    now: () => 0,
    after: (milliseconds, run) => {
      if (milliseconds === 0) this.#waiting.push(run)
      return { cancel: () => (this.#waiting = this.#waiting.filter((other) => other !== run)) }
    },
    soon: (run) => queueMicrotask(run),
  }
}

function link(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}
