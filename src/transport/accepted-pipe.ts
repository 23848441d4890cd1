import type { FrameListener, Pipe } from './peer-stream.ts'
import { resetStream } from './reset-stream.ts'
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
  connect(stream: FrameListener): void {
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
