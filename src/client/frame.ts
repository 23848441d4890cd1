import type { ClientRequest } from '../wire/frames.ts'
import type { NodeStream } from './node-stream.ts'

/** A frame is sent when this much is gathered, or when the turn of the event loop ends. In bytes. */
export const FRAME_BYTES = 256 * 1024

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
