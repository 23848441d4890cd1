import type { Clock, Timer } from '../clock.ts'
import { UnavailableError } from '../errors.ts'
import {
  type ClientRequest,
  decodeServerFrame,
  encodeClientFrame,
  encodeClientHello,
  type ServerHello,
  type ServerResponse,
} from '../wire/frames.ts'
import type { Connection, Connector } from './connector.ts'
import type { Target } from './directory.ts'

/** The protocol version that this client speaks. */
const PROTOCOL = 1

/** More than this waiting to leave, and nothing further is handed to the connection. In bytes. */
const MAX_UNSENT_BYTES = 8 * 1024 * 1024

export interface NodeStreamEvents {
  greeted(stream: NodeStream): void
  answered(stream: NodeStream, responses: readonly ServerResponse[]): void
  drained(stream: NodeStream): void
  /** It is closed. `silent`: it stood, but the node answered nothing for too long. */
  lost(stream: NodeStream, error: Error, silent: boolean): void
}

/**
 * An Exchange stream to one node, from its hello on, with a watch over its silence: a node that is paused
 * keeps its connections and answers nothing.
 */
export class NodeStream {
  readonly target: Target
  /** What the node said first; undefined until then. */
  hello: ServerHello | undefined = undefined
  /** Whether writes and linearizable reads may go here: it leads, or forwards to who does. */
  serving = false
  /** Whether the node asked for a pause. */
  throttled = false
  /** Whether it has answered anything as it should. */
  proven = false
  readonly #clock: Clock
  readonly #events: NodeStreamEvents
  readonly #silenceMs: number
  readonly #connection: Connection
  /** How many answers the node owes, its hello included. */
  #owed = 1
  /** Since when it owes one and has said nothing. */
  #quietSince: number
  #watch: Timer | undefined
  #closed = false

  /** @param clusterId of the cluster that it must be a node of; empty: any. */
  constructor(
    target: Target,
    connector: Connector,
    clock: Clock,
    silenceMs: number,
    clusterId: Uint8Array,
    events: NodeStreamEvents,
  ) {
    this.target = target
    this.#clock = clock
    this.#events = events
    this.#silenceMs = silenceMs
    this.#connection = connector.connect(target.endpoint, {
      frame: (bytes) => this.#received(bytes),
      drained: () => this.#closed || this.#events.drained(this),
      closed: (error) => this.#fail(error, false),
    })
    this.#quietSince = clock.now()
    this.#connection.send(
      encodeClientHello({ protocolMin: PROTOCOL, protocolMax: PROTOCOL, forward: target.forward, clusterId }),
    )
    this.#arm(silenceMs)
  }

  /** Whether so much waits to leave that more has to wait too; `drained` tells the end of it. */
  get congested(): boolean {
    return this.#connection.unsentBytes > MAX_UNSENT_BYTES
  }

  send(requests: readonly ClientRequest[]): void {
    if (this.#owed === 0) this.#quietSince = this.#clock.now()
    this.#owed += requests.length
    this.#connection.send(encodeClientFrame(requests))
    if (this.#watch === undefined) this.#arm(this.#silenceMs)
  }

  /** Drops the connection. No event follows. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.serving = false
    this.#watch?.cancel()
    this.#connection.close()
  }

  #received(bytes: Uint8Array): void {
    if (this.#closed) return
    this.#quietSince = this.#clock.now()
    let frame
    try {
      frame = decodeServerFrame(bytes)
    } catch (error) {
      this.#fail(
        new UnavailableError(`${this.target.endpoint} does not speak Balsa's protocol`, { cause: error }),
        false,
      )
      return
    }
    if (this.hello === undefined) {
      if (frame.hello?.protocol !== PROTOCOL) {
        this.#fail(
          new UnavailableError(`${this.target.endpoint} speaks another protocol than this client`),
          false,
        )
        return
      }
      this.hello = frame.hello
      this.#owed--
      this.#events.greeted(this)
    }
    if (frame.responses.length > 0) {
      this.#owed = Math.max(0, this.#owed - frame.responses.length)
      this.#events.answered(this, frame.responses)
    }
  }

  #arm(wait: number): void {
    this.#watch = this.#clock.after(Math.ceil(wait), () => {
      this.#watch = undefined
      if (this.#owed === 0) return
      const quiet = this.#clock.now() - this.#quietSince
      if (quiet < this.#silenceMs) this.#arm(this.#silenceMs - quiet)
      // Where this process itself was held up, the answer may be here already: what has arrived is seen to first.
      else this.#clock.soon(() => this.#suspect())
    })
  }

  #suspect(): void {
    if (this.#closed) return
    const quiet = this.#clock.now() - this.#quietSince
    if (this.#owed === 0 || quiet < this.#silenceMs) {
      if (this.#owed > 0 && this.#watch === undefined) this.#arm(this.#silenceMs - quiet)
      return
    }
    const what = this.hello === undefined ? 'did not answer' : 'took requests and answered none'
    this.#fail(new UnavailableError(`${this.target.endpoint} ${what} for ${Math.round(quiet)} ms`), true)
  }

  #fail(error: Error, silent: boolean): void {
    if (this.#closed) return
    this.close()
    this.#events.lost(this, error, silent)
  }
}
