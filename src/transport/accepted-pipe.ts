import type { PeerStream, Pipe } from './peer-stream.ts'
import { UnsentBytes } from './unsent-bytes.ts'
import type { AcceptedCall } from './unsent-bytes.ts'

/** The acceptor's side. The connection is the server's. */
export class AcceptedPipe implements Pipe {
  readonly #call: AcceptedCall
  readonly #bytes = new UnsentBytes()

  constructor(call: AcceptedCall) {
    this.#call = call
  }

  /** Lets `stream` hear what comes in. */
  connect(stream: PeerStream): void {
    this.#call.on('data', (frame: Uint8Array) => stream.onFrame(frame))
    this.#call.on('end', () => stream.onEnd('the peer closed the stream'))
    this.#call.on('cancelled', () => stream.onEnd('the connection was lost'))
    this.#call.on('error', (error: Error) => stream.onEnd(`the stream failed: ${error.message}`))
  }

  get unsent(): number {
    return this.#bytes.unsent
  }

  write(frame: Uint8Array): void {
    this.#bytes.write(this.#call, frame)
  }

  end(): void {
    if (!this.#call.destroyed) this.#call.end()
  }

  abort(): void {
    resetStream(this.#call)
    this.#call.destroy()
  }
}

/**
 * Resets the HTTP/2 stream below a call. gRPC's server has no public way to do so: to end a call is to send all
 * that was written before, and to destroy it tells the other side nothing, which then would wait for ever.
 */
function resetStream(call: object): void {
  const CANCEL = 8 // NGHTTP2_CANCEL
  let layer: unknown = call
  // The call, the interceptors around it, the HTTP/2 stream.
  for (let depth = 0; depth < 8 && typeof layer === 'object' && layer !== null; depth++) {
    const { stream, call: inner, nextCall } = layer as Record<'stream' | 'call' | 'nextCall', unknown>
    if (isHttp2Stream(stream)) {
      stream.close(CANCEL)
      return
    }
    layer = inner ?? nextCall
  }
}

function isHttp2Stream(value: unknown): value is { close(code: number): void; rstCode: number } {
  return typeof value === 'object' && value !== null && 'rstCode' in value && 'close' in value
}
