import type { Timer } from '../clock.ts'
import type { Message, NodeId } from '../raft/types.ts'
import { decodePeerFrame, encodeHello } from '../wire/message.ts'
import type { Hello } from '../wire/message.ts'
import { findMismatch, helloTo } from './hello.ts'
import type { Expected, LocalIdentity } from './hello.ts'
import type { PeerIdentity } from './transport.ts'

/** What a stream of frames is made of: gRPC or memory. Nothing here throws, also where the stream is gone. */
export interface Pipe {
  /** Bytes that were written and that the network has not taken yet. */
  readonly unsent: number
  write(frame: Uint8Array): void
  /** Ends the stream after what was written. */
  end(): void
  /** Ends the stream at once and drops what is not sent yet. */
  abort(): void
}

/** Hears what comes in on a pipe. */
export interface FrameListener {
  onFrame(bytes: Uint8Array): void
  /** The other side, or the network, ended it. */
  onEnd(reason: string): void
}

/** The dialer's end of a stream that does not stand yet. */
export interface OutgoingPipe extends Pipe {
  /** Dials, and lets `listener` hear what comes in. `name` is how errors call the other side. */
  connect(listener: FrameListener, name: string): void
}

/** Who is told what happens on a stream. */
export interface StreamOwner {
  /** The Hello was right; resolves to a refusal, or to undefined where the peer is welcome. */
  admit(stream: PeerStream, peer: PeerIdentity): Promise<string | undefined>
  opened(stream: PeerStream, peer: PeerIdentity): void
  received(messages: readonly Message[]): void
  /** A node whose dialer is here says that it is up. */
  knocked(id: NodeId): void
  /**
   * Called once, last. `id` is undefined where the other side never said who it is, `reason` where nothing went
   * wrong: a knock.
   */
  ended(stream: PeerStream, id: NodeId | undefined, reason: string | undefined, refused: boolean): void
}

/**
 * `greeting`: waits for the other side's Hello. `admitting`: its owner decides. `confirming`: the acceptor has
 * admitted and waits for the dialer to do so. `open`: messages count.
 */
type Stage = 'greeting' | 'admitting' | 'confirming' | 'open' | 'ended'

/** Whether `self` is the one of the two that dials. */
export function dials(self: NodeId, peer: NodeId): boolean {
  return self < peer
}

/** From the dialer: I have admitted you. */
const CONFIRMATION = new Uint8Array(0)

/**
 * One stream between two nodes, from Hello to its end, whatever carries it.
 *
 * The dialer says Hello; the acceptor checks it, lets its owner admit the peer and only then says Hello itself;
 * the dialer does the same and confirms with an empty frame. So a side that regards the stream as open knows
 * that the other one has admitted it, and there are no messages to be kept while an owner decides. A Hello with
 * a refusal ends the stream at any point.
 *
 * The node whose id sorts first dials. A stream in the other direction is a knock: it says "I am up, dial me",
 * and ends after the Hellos.
 */
export class PeerStream implements FrameListener {
  readonly #self: LocalIdentity
  readonly #expected: Expected
  readonly #pipe: Pipe
  readonly #owner: StreamOwner
  #stage: Stage = 'greeting'
  #id: NodeId | undefined
  #stood = false
  #peer: PeerIdentity | undefined
  #limit: Timer | undefined

  constructor(self: LocalIdentity, expected: Expected, pipe: Pipe, owner: StreamOwner) {
    this.#self = self
    this.#expected = expected
    this.#pipe = pipe
    this.#owner = owner
    if (expected.role === 'dialer') this.#id = expected.id
  }

  get ended(): boolean {
    return this.#stage === 'ended'
  }

  /** Whether it was open at some time. */
  get stood(): boolean {
    return this.#stood
  }

  /** Bytes on their way out of this process. */
  get unsent(): number {
    return this.#pipe.unsent
  }

  /** The dialer's first word. `limit` is taken back once the stream is open, or over. */
  start(limit?: Timer): void {
    this.#limit = limit
    if (this.#expected.role === 'dialer') {
      this.#pipe.write(encodeHello(helloTo(this.#self, this.#expected.id)))
    }
  }

  /** Writes a frame of messages. The caller has seen this stream open. */
  write(frame: Uint8Array): void {
    this.#pipe.write(frame)
  }

  /** A frame came in. Bytes that make no sense end the stream. */
  onFrame(bytes: Uint8Array): void {
    if (this.#stage === 'ended') return
    let frame
    try {
      frame = decodePeerFrame(bytes)
    } catch (error) {
      this.fail(`${this.#name()} sent what is not a frame of the peer protocol: ${(error as Error).message}`)
      return
    }
    const { hello, messages } = frame
    if (hello !== undefined && hello.refusal !== '' && this.#id !== undefined) {
      this.#refusedBy(hello)
    } else if (this.#stage === 'greeting') {
      if (hello === undefined) this.fail(`${this.#name()} sent a first frame that is not a Hello`)
      else this.#greet(hello)
    } else if (this.#stage === 'confirming') {
      this.#open()
      this.#deliver(messages)
    } else if (this.#stage === 'open') {
      this.#deliver(messages)
    }
    // Else it is still being admitted, and nothing from it counts.
  }

  /** The other side, or the network, ended the stream. */
  onEnd(reason: string): void {
    if (this.#stage === 'ended') return
    this.#pipe.end()
    this.#end(reason, false)
  }

  /** Ends the stream from this side, at once. */
  fail(reason: string): void {
    if (this.#stage === 'ended') return
    this.#pipe.abort()
    this.#end(reason, false)
  }

  #name(): string {
    return this.#id ?? 'a peer that has not said who it is'
  }

  #greet(hello: Hello): void {
    const mismatch = findMismatch(this.#self, hello, this.#expected)
    // A dialer keeps the name of whom it dialled: that is the one that it cannot reach.
    this.#id ??= hello.from
    if (mismatch !== undefined) {
      this.#refuse(mismatch)
      return
    }
    if ((this.#expected.role === 'dialer') !== dials(this.#self.id, hello.from)) {
      this.#knock(hello)
      return
    }
    this.#stage = 'admitting'
    const peer = { id: hello.from, incarnation: hello.incarnation, clientAddress: hello.clientAddress }
    this.#peer = peer
    this.#owner.admit(this, peer).then(
      (refusal) => this.#admitted(refusal),
      (error: unknown) => this.fail(`${peer.id} could not be admitted: ${String(error)}`),
    )
  }

  #admitted(refusal: string | undefined): void {
    if (this.#stage !== 'admitting') return
    if (refusal !== undefined) {
      this.#refuse(`${this.#self.id} does not admit ${this.#peer!.id}: ${refusal}`)
    } else if (this.#expected.role === 'dialer') {
      this.#pipe.write(CONFIRMATION)
      this.#open()
    } else {
      this.#stage = 'confirming'
      this.#pipe.write(encodeHello(helloTo(this.#self, this.#peer!.id)))
    }
  }

  #open(): void {
    this.#stage = 'open'
    this.#stood = true
    this.#limit?.cancel()
    this.#owner.opened(this, this.#peer!)
  }

  #deliver(messages: readonly Message[]): void {
    if (messages.length === 0) return
    for (const message of messages) {
      if (message.from !== this.#id || message.to !== this.#self.id) {
        this.fail(`${this.#name()} sent a message from ${message.from} to ${message.to} to ${this.#self.id}`)
        return
      }
    }
    this.#owner.received(messages)
  }

  #knock(hello: Hello): void {
    if (this.#expected.role === 'acceptor') {
      this.#pipe.write(encodeHello(helloTo(this.#self, hello.from)))
      this.#owner.knocked(hello.from)
    }
    this.#pipe.end()
    this.#end(undefined, false)
  }

  #refuse(reason: string): void {
    this.#pipe.write(encodeHello(helloTo(this.#self, this.#id!, reason)))
    this.#pipe.end()
    this.#end(reason, true)
  }

  #refusedBy(hello: Hello): void {
    this.#pipe.end()
    this.#end(hello.refusal, true)
  }

  #end(reason: string | undefined, refused: boolean): void {
    this.#stage = 'ended'
    this.#limit?.cancel()
    this.#owner.ended(this, this.#id, reason, refused)
  }
}
