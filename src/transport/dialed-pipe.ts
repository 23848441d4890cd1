import { status } from '@grpc/grpc-js'
import { DialedStream } from '../rpc/dialed-stream.ts'
import type { DialOptions } from '../rpc/dialed-stream.ts'
import type { StreamStatus } from '../rpc/message-stream.ts'
import type { FrameListener, OutgoingPipe } from './peer-stream.ts'

/** The dialer's end of a stream of frames. */
export class DialedPipe implements OutgoingPipe {
  readonly #address: string
  readonly #path: string
  readonly #options: DialOptions
  #stream: DialedStream | undefined

  /** @param address `host:port`, or `[host]:port` for IPv6. */
  constructor(address: string, path: string, options: DialOptions) {
    this.#address = address
    this.#path = path
    this.#options = options
  }

  connect(listener: FrameListener, name: string): void {
    this.#stream = new DialedStream(this.#address, this.#path, this.#options, {
      message: (bytes) => listener.onFrame(bytes),
      left: () => {},
      closed: (why) =>
        listener.onEnd(why === undefined ? `${name} closed the stream` : `${name}: ${describe(why)}`),
    })
  }

  get unsent(): number {
    return this.#stream!.unsentBytes
  }

  write(frame: Uint8Array): void {
    this.#stream!.send(frame)
  }

  end(): void {
    this.#stream!.end()
  }

  abort(): void {
    this.#stream!.abort()
  }
}

/** That it is unavailable goes without saying. */
function describe({ code, details }: StreamStatus): string {
  return code === status.UNAVAILABLE ? details : `${details} (${status[code]})`
}
