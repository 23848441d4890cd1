import type { Message, NodeId } from '../raft/types.ts'
import { MAX_MESSAGE_BYTES } from '../wire/message-size.ts'
import { encodePeerFrame } from '../wire/message.ts'
import type { PeerStream, StreamOwner } from './peer-stream.ts'
import type { PeerIdentity, TransportHandler } from './transport.ts'

/** Messages are gathered in one frame up to about this many bytes. */
const FULL_FRAME_BYTES = 4 * 1024 * 1024

/** What a stream may hold unsent, in bytes, before it is given up. */
export const MAX_UNSENT_BYTES = 32 * 1024 * 1024

/** The part of a logger that a transport needs; pino's has it. */
export interface TransportLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface PeersOptions {
  readonly peers: ReadonlyMap<NodeId, string>
  readonly handler: TransportHandler
  readonly logger: TransportLogger
  readonly maxUnsentBytes: number
  /** A node whose dialer is here is up. */
  knocked(id: NodeId): void
  /** A stream to or from a peer is over. */
  ended(stream: PeerStream, id: NodeId | undefined, refused: boolean): void
}

/**
 * Who is connected: at most one open stream for each peer, and what the handler was told last. Shared by the
 * transports, so that the twin in memory admits, replaces and reports as the real one does.
 */
export class Peers implements StreamOwner {
  readonly #options: PeersOptions
  readonly #open = new Map<NodeId, PeerStream>()
  readonly #admitting = new Map<NodeId, PeerStream>()
  readonly #streams = new Set<PeerStream>()
  /** The reason last reported for each peer that is not connected. */
  readonly #reported = new Map<NodeId, string>()
  /** The same for who is not in the list of peers: one place for all, so that it cannot grow. */
  #reportedStranger = ''
  #closed = false

  constructor(options: PeersOptions) {
    this.#options = options
  }

  isOpen(id: NodeId): boolean {
    return this.#open.has(id)
  }

  /** Takes a stream into care from its first byte on. */
  add(stream: PeerStream): void {
    this.#streams.add(stream)
  }

  /** Encodes the messages to each peer as one frame (as few as the size allows); who is not connected gets none. */
  send(messages: readonly Message[]): void {
    for (const [to, group] of byReceiver(messages)) {
      const stream = this.#open.get(to)
      if (stream === undefined) continue
      for (let first = 0; first < group.length && !stream.ended;) {
        let size = sizeOf(group[first]!)
        let end = first + 1
        for (; end < group.length; end++) {
          const next = sizeOf(group[end]!)
          if (size + next > FULL_FRAME_BYTES) break
          size += next
        }
        this.#write(to, stream, first === 0 && end === group.length ? group : group.slice(first, end))
        first = end
      }
    }
  }

  /** Ends every stream at once and reports nothing from now on. */
  close(): void {
    this.#closed = true
    for (const stream of this.#streams) stream.fail('closed')
    this.#streams.clear()
    this.#open.clear()
    this.#admitting.clear()
  }

  admit(stream: PeerStream, peer: PeerIdentity): Promise<string | undefined> {
    this.#admitting.get(peer.id)?.fail(`${peer.id} connected once more`)
    this.#admitting.set(peer.id, stream)
    return this.#options.handler.admit(peer)
  }

  opened(stream: PeerStream, peer: PeerIdentity): void {
    this.#forget(this.#admitting, stream)
    this.#open.get(peer.id)?.fail(`${peer.id} connected anew`)
    this.#open.set(peer.id, stream)
    this.#reported.delete(peer.id)
    this.#options.logger.info({ peer: peer.id, clientAddress: peer.clientAddress }, 'peer connected')
    this.#options.handler.connected(peer)
  }

  received(messages: readonly Message[]): void {
    this.#options.handler.receive(messages)
  }

  knocked(id: NodeId): void {
    this.#options.knocked(id)
  }

  ended(stream: PeerStream, id: NodeId | undefined, reason: string | undefined, refused: boolean): void {
    this.#streams.delete(stream)
    this.#forget(this.#admitting, stream)
    this.#forget(this.#open, stream)
    if (this.#closed || reason === undefined) return
    this.#report(id, reason, refused)
    this.#options.ended(stream, id, refused)
  }

  #forget(streams: Map<NodeId, PeerStream>, stream: PeerStream): void {
    for (const [id, other] of streams) if (other === stream) streams.delete(id)
  }

  #write(to: NodeId, stream: PeerStream, messages: readonly Message[]): void {
    const frame = encodePeerFrame(messages)
    if (frame.length > MAX_MESSAGE_BYTES) {
      this.#options.logger.warn(
        { peer: to, bytes: frame.length },
        'message is too large for a frame; dropped',
      )
    } else if (stream.unsent + frame.length > this.#options.maxUnsentBytes) {
      stream.fail(`${to} does not keep up: ${stream.unsent} bytes were waiting for it`)
    } else {
      stream.write(frame)
    }
  }

  #report(id: NodeId | undefined, reason: string, refused: boolean): void {
    const { peers, logger, handler } = this.#options
    const known = id !== undefined && peers.has(id)
    if (!known || this.#open.has(id)) {
      // A stranger; or an impostor beside the peer itself, which says nothing about the stream that stands.
      if (reason === this.#reportedStranger) return
      this.#reportedStranger = reason
      logger.warn({ peer: id, reason }, 'connection refused')
      if (!known && id !== undefined) handler.disconnected(id, reason, refused)
    } else if (this.#reported.get(id) !== reason) {
      this.#reported.set(id, reason)
      logger.warn({ peer: id, reason }, refused ? 'peer refused' : 'peer not connected')
      handler.disconnected(id, reason, refused)
    }
  }
}

/** About how many bytes a message takes in a frame. */
function sizeOf(message: Message): number {
  let size = 64
  if (message.type === 'append') for (const entry of message.entries) size += entry.size
  return size
}

/** The messages to each receiver, in their order. */
export function byReceiver(messages: readonly Message[]): ReadonlyMap<NodeId, readonly Message[]> {
  const groups = new Map<NodeId, Message[]>()
  for (const message of messages) {
    const group = groups.get(message.to)
    if (group === undefined) groups.set(message.to, [message])
    else group.push(message)
  }
  return groups
}
