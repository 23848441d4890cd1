import type { ClientRequest } from '../wire/frames.ts'
import type { NodeStream } from './node-stream.ts'

/**
 * A frame is sent when this much is gathered, or when the turn of the event loop ends. In bytes. Large enough that
 * a message's own cost does not count, and small enough that the leader begins with the first requests of a turn
 * while the last ones are still being encoded.
 */
export const FRAME_BYTES = 32 * 1024

/** Gathers requests into frames of about `FRAME_BYTES`; a request that is larger goes alone. */
export class Frame {
  readonly #stream: NodeStream
  #requests: ClientRequest[] = []
  #size = 0

  constructor(stream: NodeStream) {
    this.#stream = stream
  }

  add(request: ClientRequest, size: number): void {
    if (this.#size + size > FRAME_BYTES) this.send()
    this.#requests.push(request)
    this.#size += size
  }

  /** Sends what is gathered. */
  send(): void {
    if (this.#requests.length === 0) return
    this.#stream.send(this.#requests)
    this.#requests = []
    this.#size = 0
  }
}
