import type { Clock } from '../clock.ts'
import type { NodeId } from '../raft/types.ts'
import type { LocalIdentity } from './hello.ts'
import type { FrameListener, OutgoingPipe, Pipe } from './peer-stream.ts'
import { SnapshotAcceptor } from './snapshot-acceptor.ts'
import { SnapshotSender } from './snapshot-sender.ts'
import type { SnapshotSource, SnapshotTransfer } from './snapshot-transfer.ts'
import type { TransportHandler } from './transport.ts'

export interface SnapshotStreamsOptions {
  readonly self: LocalIdentity
  readonly peers: ReadonlyMap<NodeId, string>
  readonly clock: Clock
  readonly handler: TransportHandler
  readonly handshakeMs: number
  readonly backoffMs: number
  readonly stallMs: number
  readonly newPipe: (address: string) => OutgoingPipe
}

/** The connections that bring snapshots, both ways: they end when the transport does. */
export class SnapshotStreams {
  readonly #options: SnapshotStreamsOptions
  readonly #senders = new Set<SnapshotSender>()
  readonly #acceptors = new Set<SnapshotAcceptor>()

  constructor(options: SnapshotStreamsOptions) {
    this.#options = options
  }

  send(to: NodeId, source: SnapshotSource): SnapshotTransfer {
    const { self, peers, clock, handler, handshakeMs, backoffMs, stallMs, newPipe } = this.#options
    const address = peers.get(to)!
    const admit = handler.admit.bind(handler)
    const timing = { clock, handshakeMs, backoffMs, stallMs }
    const sender = new SnapshotSender({ self, to, address, newPipe, admit, ...timing }, source)
    this.#senders.add(sender)
    const over = (): void => void this.#senders.delete(sender)
    sender.done.then(over, over)
    return sender
  }

  accept(pipe: Pipe, connect: (listener: FrameListener) => void): void {
    const { self, peers, clock, handler, handshakeMs } = this.#options
    for (const acceptor of this.#acceptors) if (acceptor.over) this.#acceptors.delete(acceptor)
    const acceptor = new SnapshotAcceptor(self, peers, pipe, handler)
    this.#acceptors.add(acceptor)
    connect(acceptor)
    acceptor.start(clock.after(handshakeMs, () => acceptor.close()))
  }

  close(): void {
    for (const sender of this.#senders) sender.cancel()
    for (const acceptor of this.#acceptors) acceptor.close()
    this.#senders.clear()
    this.#acceptors.clear()
  }
}
