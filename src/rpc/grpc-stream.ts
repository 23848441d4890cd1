import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js'
import { status } from '@grpc/grpc-js'
import { constants } from 'node:http2'
import { BROKEN_OFF } from './message-stream.ts'
import type { IncomingListener, IncomingStream, StreamHandler, StreamStatus } from './message-stream.ts'

type Bytes = Uint8Array
type Call = ServerDuplexStream<Bytes, Bytes>

/** What grpc-js calls for a stream: those that are not plain (compressed, or with a deadline) it reads off the wire. */
export function grpcStreamHandler(handler: StreamHandler): handleBidiStreamingCall<Bytes, Bytes> {
  return (call) => handler(new GrpcStream(call))
}

/** A stream that somebody dialled, by grpc-js. */
class GrpcStream implements IncomingStream {
  readonly #call: Call
  #unsent = 0
  #over = false
  #failed: StreamStatus | undefined
  #left: (bytes: number) => void = () => {}

  constructor(call: Call) {
    this.#call = call
  }

  header(name: string): string | undefined {
    return this.#call.metadata.get(name)[0]?.toString()
  }

  hear(listener: IncomingListener): void {
    const closed = (why: StreamStatus | undefined): void => {
      if (this.#over) return
      this.#over = true
      listener.closed(why)
    }
    this.#left = (bytes) => this.#over || listener.left(bytes)
    this.#call.on('data', (bytes: Bytes) => this.#over || this.#failed || listener.message(bytes))
    this.#call.on('end', () => this.#over || this.#failed || listener.ended())
    this.#call.on('cancelled', () => closed(this.#failed ?? BROKEN_OFF))
    this.#call.on('error', (error: Error) => {
      const why = this.#failed ?? { code: status.UNKNOWN, details: error.message }
      setImmediate(() => closed(why))
    })
    this.#call.on('close', () => closed(this.#failed))
  }

  /** grpc-js's own streams count objects, not bytes. */
  get unsentBytes(): number {
    return this.#unsent
  }

  send(message: Bytes): void {
    const { length } = message
    if (this.#call.destroyed || this.#call.writableEnded) return
    this.#unsent += length
    this.#call.write(message, () => {
      this.#unsent -= length
      this.#left(length)
    })
  }

  end(): void {
    if (!this.#call.destroyed) this.#call.end()
  }

  /** grpc-js's listener turns the error into a status. */
  fail(why: StreamStatus): void {
    this.#failed = why
    this.#call.emit('error', why)
  }

  abort(): void {
    this.#over = true
    reset(this.#call)
    this.#call.destroy()
  }

  pause(): void {
    this.#call.pause()
  }

  resume(): void {
    this.#call.resume()
  }
}

/**
 * Resets the HTTP/2 stream below a server's call. grpc-js's server has no public way to do so: to end a call is to
 * send all that was written before, and to destroy it tells the other side nothing, which then would wait for
 * ever.
 */
function reset(call: object): void {
  let layer: unknown = call
  // The call, the interceptors around it, the HTTP/2 stream.
  for (let depth = 0; depth < 8 && typeof layer === 'object' && layer !== null; depth++) {
    const { stream, call: inner, nextCall } = layer as Record<'stream' | 'call' | 'nextCall', unknown>
    if (isHttp2Stream(stream)) {
      stream.close(constants.NGHTTP2_CANCEL)
      return
    }
    layer = inner ?? nextCall
  }
}

function isHttp2Stream(value: unknown): value is { close(code: number): void; rstCode: number } {
  return typeof value === 'object' && value !== null && 'rstCode' in value && 'close' in value
}
