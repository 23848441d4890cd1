import type { IncomingStream } from '../rpc/message-stream.ts'
import type { FrameListener, Pipe } from './peer-stream.ts'

/** The acceptor's side. The connection is the server's. */
export class AcceptedPipe implements Pipe {
  readonly #stream: IncomingStream

  constructor(stream: IncomingStream) {
    this.#stream = stream
  }

  /** Lets `listener` hear what comes in. */
  connect(listener: FrameListener): void {
    this.#stream.hear({
      message: (bytes) => listener.onFrame(bytes),
      left: () => {},
      ended: () => listener.onEnd('the peer closed the stream'),
      closed: (why) => listener.onEnd(why?.details ?? 'the stream is over'),
    })
  }

  get unsent(): number {
    return this.#stream.unsentBytes
  }

  write(frame: Uint8Array): void {
    this.#stream.send(frame)
  }

  end(): void {
    this.#stream.end()
  }

  abort(): void {
    this.#stream.abort()
  }
}
