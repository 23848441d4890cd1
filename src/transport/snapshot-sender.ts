import type { Clock, Timer } from '../clock.ts'
import type { NodeId } from '../raft/types.ts'
import { decodeSnapshotFrame, encodeSnapshotFrame } from '../wire/snapshot-frame.ts'
import type { SnapshotFrame, SnapshotProgress } from '../wire/snapshot-frame.ts'
import { findMismatch, helloTo } from './hello.ts'
import type { LocalIdentity } from './hello.ts'
import type { FrameListener, OutgoingPipe } from './peer-stream.ts'
import type { SnapshotSource, SnapshotTransfer } from './snapshot-transfer.ts'
import type { PeerIdentity } from './transport.ts'

/** What may be on its way without having been taken, in bytes: the receiver's pace is the sender's. */
const WINDOW_BYTES = 1024 * 1024

export interface SnapshotSenderOptions {
  readonly self: LocalIdentity
  readonly to: NodeId
  readonly address: string
  readonly clock: Clock
  /** How long the Hello may take, in milliseconds. */
  readonly handshakeMs: number
  /** Between two attempts, in milliseconds. */
  readonly backoffMs: number
  /** A transfer that gets no further for so long is given up, in milliseconds. */
  readonly stallMs: number
  readonly newPipe: (address: string) => OutgoingPipe
  readonly admit: (peer: PeerIdentity) => Promise<string | undefined>
}

/**
 * Brings one snapshot to one peer: connects, says Hello, makes the offer, and sends the chunks that are asked for,
 * no more ahead of the receiver than a window. Where the connection breaks it dials again and goes on with the
 * chunk that the receiver wants next; where it gets no further for too long it gives up.
 */
export class SnapshotSender implements SnapshotTransfer {
  readonly done: Promise<boolean>
  readonly #options: SnapshotSenderOptions
  readonly #source: SnapshotSource
  #resolve!: (delivered: boolean) => void
  #reject!: (error: unknown) => void
  #attempt: Attempt | undefined
  #retry: Timer | undefined
  #stall: Timer | undefined
  #chunks = 0
  #over = false

  constructor(options: SnapshotSenderOptions, source: SnapshotSource) {
    this.#options = options
    this.#source = source
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#watch()
    this.#connect()
  }

  cancel(): void {
    this.#end(false)
  }

  #connect(): void {
    this.#attempt = new Attempt(this.#options, this.#source, {
      progressed: (chunks) => {
        if (chunks <= this.#chunks) return
        this.#chunks = chunks
        this.#watch()
      },
      ended: (delivered) => this.#end(delivered),
      failed: (error) => {
        this.#reject(error)
        this.#end(false)
      },
      broken: () => {
        if (this.#over) return
        this.#retry = this.#options.clock.after(this.#options.backoffMs, () => this.#connect())
      },
    })
  }

  #watch(): void {
    this.#stall?.cancel()
    this.#stall = this.#options.clock.after(this.#options.stallMs, () => this.#end(false))
  }

  #end(delivered: boolean): void {
    if (this.#over) return
    this.#over = true
    this.#stall?.cancel()
    this.#retry?.cancel()
    this.#attempt?.close()
    this.#resolve(delivered)
  }
}

interface AttemptEvents {
  /** The receiver has taken so many chunks. */
  progressed(chunks: number): void
  /** The last word of the receiver. */
  ended(delivered: boolean): void
  /** The source cannot be read. */
  failed(error: unknown): void
  /** The connection is lost, or never stood. */
  broken(): void
}

/** One connection. */
class Attempt implements FrameListener {
  readonly #options: SnapshotSenderOptions
  readonly #source: SnapshotSource
  readonly #events: AttemptEvents
  readonly #pipe: OutgoingPipe
  readonly #limit: Timer
  #stage: 'greeting' | 'admitting' | 'offered' | 'sending' | 'over' = 'greeting'
  /** Chunks that were sent and not taken yet: how many bytes each has. */
  readonly #unacknowledged: number[] = []
  #unacknowledgedBytes = 0
  #acknowledged = 0
  /** Wakes who waits for room in the window. */
  #roomy: (() => void) | undefined

  constructor(options: SnapshotSenderOptions, source: SnapshotSource, events: AttemptEvents) {
    const { self, to, address, clock, handshakeMs } = options
    this.#options = options
    this.#source = source
    this.#events = events
    this.#pipe = options.newPipe(address)
    this.#limit = clock.after(handshakeMs, () => this.#break())
    this.#pipe.connect(this, `${to} at ${address}`)
    this.#write({ type: 'hello', hello: helloTo(self, to) })
  }

  onFrame(bytes: Uint8Array): void {
    if (this.#stage === 'over') return
    try {
      const frame = decodeSnapshotFrame(bytes)
      if (frame.type === 'hello' && this.#stage === 'greeting') this.#greet(frame)
      else if (frame.type === 'progress' && this.#stage === 'offered') this.#begin(frame.progress)
      else if (frame.type === 'progress' && this.#stage === 'sending') this.#progress(frame.progress)
      else this.#break()
    } catch {
      this.#break()
    }
  }

  onEnd(): void {
    this.#break()
  }

  close(): void {
    if (this.#stage === 'over') return
    this.#stage = 'over'
    this.#limit.cancel()
    this.#roomy?.()
    this.#pipe.abort()
  }

  #break(): void {
    if (this.#stage === 'over') return
    this.close()
    this.#events.broken()
  }

  #write(frame: SnapshotFrame): void {
    this.#pipe.write(encodeSnapshotFrame(frame))
  }

  #greet({ hello }: Extract<SnapshotFrame, { type: 'hello' }>): void {
    const { self, to, address, admit } = this.#options
    const mismatch = findMismatch(self, hello, { role: 'dialer', id: to, address })
    if (hello.refusal !== '' || mismatch !== undefined) {
      this.#events.ended(false)
      return
    }
    this.#stage = 'admitting'
    const { from: id, incarnation, clientAddress } = hello
    admit({ id, incarnation, clientAddress }).then(
      (refusal) => {
        if (this.#stage !== 'admitting') return
        if (refusal !== undefined) {
          this.#events.ended(false)
          return
        }
        this.#stage = 'offered'
        this.#limit.cancel()
        this.#write({ type: 'offer', offer: this.#source.offer })
      },
      () => this.#break(),
    )
  }

  #begin(progress: SnapshotProgress): void {
    if (this.#isLast(progress)) return
    this.#stage = 'sending'
    this.#acknowledged = progress.chunks
    this.#send(progress.chunks).catch((error: unknown) => {
      if (this.#stage !== 'over') this.#events.failed(error)
    })
  }

  #progress(progress: SnapshotProgress): void {
    if (this.#isLast(progress)) return
    for (; this.#acknowledged < progress.chunks; this.#acknowledged++) {
      this.#unacknowledgedBytes -= this.#unacknowledged.shift() ?? 0
    }
    this.#events.progressed(progress.chunks)
    this.#roomy?.()
  }

  #isLast({ done, failure }: SnapshotProgress): boolean {
    if (!done && failure === '') return false
    this.#events.ended(done)
    return true
  }

  /** Sends what comes after so many chunks. */
  async #send(from: number): Promise<void> {
    const chunks = this.#source.chunksAfter(from)
    if (chunks === undefined) {
      this.#events.ended(false)
      return
    }
    for await (const { bytes, last } of chunks) {
      if (this.#stage === 'over') return
      this.#unacknowledged.push(bytes.length)
      this.#unacknowledgedBytes += bytes.length
      this.#write({ type: 'chunk', chunk: bytes })
      if (last) return
      // Between two chunks everything else that the node does has its turn.
      await new Promise<void>((resolve) => this.#options.clock.soon(resolve))
      while (this.#unacknowledgedBytes >= WINDOW_BYTES && !this.#isOver()) {
        await new Promise<void>((resolve) => (this.#roomy = resolve))
      }
    }
  }

  #isOver(): boolean {
    return this.#stage === 'over'
  }
}
