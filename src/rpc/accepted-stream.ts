import { status } from '@grpc/grpc-js'
import { constants } from 'node:http2'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { ANSWER_HEADERS, Framing, TRAILERS_TO_COME } from './framing.ts'
import { BROKEN_OFF } from './message-stream.ts'
import type { IncomingListener, IncomingStream, StreamStatus } from './message-stream.ts'

const DONE: StreamStatus = Object.freeze({ code: status.OK, details: '' })

/** A stream that somebody dialled, straight on Node's HTTP/2. */
export class AcceptedStream implements IncomingStream {
  readonly #stream: ServerHttp2Stream
  readonly #headers: IncomingHttpHeaders
  readonly #maxBytes: number
  #framing: Framing | undefined
  /** What is said last. */
  #last = DONE
  #over = false

  /** @param maxBytes the longest message that is taken in */
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, maxBytes: number) {
    this.#stream = stream
    this.#headers = headers
    this.#maxBytes = maxBytes
    stream.once('error', () => {}) // 'close' follows
  }

  header(name: string): string | undefined {
    return this.#headers[name]?.toString()
  }

  hear(listener: IncomingListener): void {
    const stream = this.#stream
    const closed = (why: StreamStatus | undefined): void => {
      if (this.#over) return
      this.#over = true
      this.#framing?.silence()
      listener.closed(why)
    }
    this.#framing = new Framing(stream, this.#maxBytes, {
      message: (bytes) => listener.message(bytes),
      left: (bytes) => listener.left(bytes),
      broken: (why) => {
        this.fail(why)
        closed(why)
      },
    })
    // It comes also where the stream breaks off.
    stream.once('end', () => this.#over || this.#last !== DONE || stream.aborted || listener.ended())
    stream.once('close', () =>
      closed(this.#last !== DONE ? this.#last : stream.aborted ? BROKEN_OFF : undefined),
    )
  }

  get unsentBytes(): number {
    return this.#framing?.unsentBytes ?? 0
  }

  send(message: Uint8Array): void {
    this.#begin()
    this.#framing?.send(message)
  }

  end(): void {
    this.#begin()
    this.#stream.end()
  }

  fail(why: StreamStatus): void {
    this.#framing?.silence()
    this.#last = why
    this.end()
    // Who failed it may have paused it: it would never close.
    this.#stream.resume()
  }

  abort(): void {
    this.#over = true
    this.#framing?.silence()
    this.#stream.close(constants.NGHTTP2_CANCEL)
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  /** The head of the answer goes with the first thing that is said. */
  #begin(): void {
    const stream = this.#stream
    if (stream.headersSent || stream.destroyed || stream.closed) return
    stream.respond(ANSWER_HEADERS, TRAILERS_TO_COME)
    stream.once('wantTrailers', () => stream.sendTrailers(trailersOf(this.#last)))
  }
}

function trailersOf({ code, details }: StreamStatus): Record<string, string> {
  return { 'grpc-status': String(code), ...(details !== '' && { 'grpc-message': encodeURI(details) }) }
}
