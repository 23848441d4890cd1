import { status } from '@grpc/grpc-js'
import type { Http2Stream } from 'node:http2'
import type { StreamStatus } from './message-stream.ts'

/** Before every message: whether it is compressed, and its length in four bytes (gRPC over HTTP/2, "Requests"). */
export const PREFIX_BYTES = 5

/** What an answer begins with on HTTP/2: how it went is said in its trailers. */
export const ANSWER_HEADERS = Object.freeze({ ':status': 200, 'content-type': 'application/grpc' })
export const TRAILERS_TO_COME = Object.freeze({ waitForTrailers: true })

/** A message with its prefix. */
export function framed(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + message.length)
  bytes[0] = 0
  bytes.writeUInt32BE(message.length, 1)
  bytes.set(message, PREFIX_BYTES)
  return bytes
}

export interface FramingListener {
  message(bytes: Uint8Array): void
  left(bytes: number): void
  /** What comes in is not what gRPC sends, or too large. Nothing is heard from now on. */
  broken(status: StreamStatus): void
}

/** gRPC's messages on an HTTP/2 stream: puts together what comes in, and counts what has not left yet. */
export class Framing {
  readonly #stream: Http2Stream
  readonly #listener: FramingListener
  readonly #maxBytes: number
  readonly #prefix = Buffer.alloc(PREFIX_BYTES)
  #prefixed = 0
  /** The message that is coming in: what is here of it, and how much is still to come. */
  #parts: Buffer[] = []
  #length = 0
  #missing = 0
  #unsent = 0
  #silent = false

  /** @param maxBytes the longest message that is taken in */
  constructor(stream: Http2Stream, maxBytes: number, listener: FramingListener) {
    this.#stream = stream
    this.#maxBytes = maxBytes
    this.#listener = listener
    stream.on('data', (chunk: Buffer) => this.#take(chunk))
  }

  /** Bytes of messages that the network has not taken yet. */
  get unsentBytes(): number {
    return this.#unsent
  }

  send(message: Uint8Array): void {
    const { length } = message
    if (this.#silent || this.#stream.destroyed || this.#stream.writableEnded) return
    this.#unsent += length
    this.#stream.write(framed(message), (error) => {
      this.#unsent -= length
      if (!this.#silent && !error) this.#listener.left(length)
    })
  }

  /** Tells the listener nothing more. What still comes in is read and forgotten, so that it holds nothing up. */
  silence(): void {
    this.#silent = true
    this.#parts = []
  }

  #take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#silent;) {
      at += this.#missing === 0 ? this.#takePrefix(chunk, at) : this.#takePart(chunk, at)
    }
  }

  #takePrefix(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#prefix, this.#prefixed, at)
    this.#prefixed += taken
    if (this.#prefixed === PREFIX_BYTES) this.#begin()
    return taken
  }

  #begin(): void {
    this.#prefixed = 0
    this.#length = this.#prefix.readUInt32BE(1)
    if (this.#prefix[0] !== 0) {
      this.#break(status.INTERNAL, 'Received a compressed message, and no grpc-encoding says how')
    } else if (this.#length > this.#maxBytes) {
      const details = `Received message larger than max (${this.#length} vs ${this.#maxBytes})`
      this.#break(status.RESOURCE_EXHAUSTED, details)
    } else if (this.#length === 0) this.#listener.message(Buffer.alloc(0))
    else this.#missing = this.#length
  }

  /** Each message gets memory of its own in the end: who keeps it does not keep what came in with it. */
  #takePart(chunk: Buffer, at: number): number {
    const part = chunk.subarray(at, at + this.#missing)
    this.#parts.push(part)
    this.#missing -= part.length
    if (this.#missing === 0) {
      const message = Buffer.concat(this.#parts, this.#length)
      this.#parts = []
      this.#listener.message(message)
    }
    return part.length
  }

  #break(code: status, details: string): void {
    this.silence()
    this.#listener.broken({ code, details })
  }
}
