import { status } from '@grpc/grpc-js'
import { constants } from 'node:http2'
import type { Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { gunzip, inflate } from 'node:zlib'
import { ANSWER_HEADERS, framed, PREFIX_BYTES, TRAILERS_TO_COME } from '../rpc/framing.ts'
import { grpcError } from './grpc-errors.ts'
import { invalid } from './refusals.ts'
import { FORWARDED } from './unary-call.ts'
import type { CallStatus, UnaryCall, UnaryHandler } from './unary-call.ts'
import type { UnsentAnswers } from './unsent-answers.ts'

type Bytes = Uint8Array

const NO_MORE = Object.freeze({ endStream: true })
const OK = Object.freeze({ 'grpc-status': '0' })

/** What takes a message's compression off, by its `grpc-encoding`. */
const DECOMPRESSORS: ReadonlyMap<string, typeof gunzip> = new Map([
  ['gzip', gunzip],
  ['deflate', inflate],
])

/** What a second, a minute, … of `grpc-timeout` has in milliseconds. */
const UNITS: Readonly<Record<string, number>> = Object.freeze({
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
})

/** The longest that a timer can wait. */
const FOREVER_MS = 2 ** 31 - 1

/** What a `grpc-timeout` comes to; undefined where it is none. */
export function millisecondsOf(timeout: string | string[]): number | undefined {
  const [, count, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(timeout)) ?? []
  return unit === undefined ? undefined : Number(count) * UNITS[unit]!
}

/** What a call needs beside its stream. */
export interface Service {
  readonly handler: UnaryHandler
  /** The longest message that is taken in. */
  readonly maxBytes: number
  /** What else waits on the same connection. */
  readonly unsent: UnsentAnswers
}

/**
 * A unary call straight from its HTTP/2 stream. grpc-js makes several objects, promises and a dozen closures for each, and
 * sends a message and its status in two goes: two fifths of what an empty call costs (docs/performance.md), and it does
 * not say what a client has not taken yet.
 */
export class DirectCall implements UnaryCall {
  readonly path: string
  readonly forwarded: boolean
  readonly deadline: number
  request: Bytes = Buffer.alloc(0)
  readonly #stream: ServerHttp2Stream
  readonly #encoding: string | string[] | undefined
  readonly #service: Service
  readonly #timer: NodeJS.Timeout | undefined
  #chunks: Buffer[] = []
  #bytes = 0
  /** What of the connection's unsent bytes is this call's. */
  #counted = 0
  #over = false
  #cancelled: (() => void) | undefined

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, service: Service) {
    this.path = headers[':path']!
    this.forwarded = headers[FORWARDED] !== undefined
    this.#encoding = headers['grpc-encoding']
    this.#stream = stream
    this.#service = service
    const timeout = headers['grpc-timeout']
    if (timeout === undefined) this.deadline = Infinity
    else {
      const waitMs = millisecondsOf(timeout)!
      this.deadline = Date.now() + waitMs
      this.#timer = setTimeout(() => this.#expire(), Math.min(waitMs, FOREVER_MS))
    }
    stream.on('data', (chunk: Buffer) => this.#take(chunk))
    stream.once('end', () => this.#begin())
    stream.once('close', () => this.#cancel())
    stream.once('error', () => {}) // 'close' follows
  }

  get congested(): boolean {
    return this.#over || this.#service.unsent.congested
  }

  answer(response: Bytes): void {
    if (!this.#finish() || !this.#mayAdd(response.length)) return
    this.#stream.respond(ANSWER_HEADERS, TRAILERS_TO_COME)
    this.#stream.once('wantTrailers', sendOk)
    this.#stream.end(framed(response))
  }

  fail({ code, details, metadata }: CallStatus): void {
    if (!this.#finish() || !this.#mayAdd(details.length)) return
    const said = { 'grpc-status': code, 'grpc-message': encodeURI(details) }
    this.#stream.respond({ ...ANSWER_HEADERS, ...said, ...metadata?.toHttp2Headers() }, NO_MORE)
  }

  whenCancelled(run: () => void): void {
    this.#cancelled = run
  }

  /** What comes after the call has failed is read and forgotten, so that it holds nothing up. */
  #take(chunk: Buffer): void {
    if (this.#over) return
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes < PREFIX_BYTES) return
    const length = this.#message().readUInt32BE(1)
    const { maxBytes } = this.#service
    if (length > maxBytes) {
      const allowed = `at most ${maxBytes} are allowed`
      this.fail(grpcError(invalid(`the request message has ${length} bytes, ${allowed}: split it`)))
    } else if (this.#bytes > PREFIX_BYTES + length) {
      this.fail({ code: status.UNIMPLEMENTED, details: `Received a second request message for ${this.path}` })
    }
  }

  /** What has come so far, at a price only where it came in pieces. */
  #message(): Buffer {
    if (this.#chunks.length > 1 && this.#chunks[0]!.length < PREFIX_BYTES) {
      this.#chunks = [Buffer.concat(this.#chunks)]
    }
    return this.#chunks[0]!
  }

  /** The client has said all that it has to say. */
  #begin(): void {
    if (this.#over) return
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#chunks = []
    if (bytes.length < PREFIX_BYTES) {
      const details = `Received no request message for ${this.path}`
      return this.fail({ code: status.UNIMPLEMENTED, details })
    }
    const message = bytes.subarray(PREFIX_BYTES)
    if (bytes.readUInt32BE(1) !== message.length) this.#refuse('is cut off')
    else if (bytes[0] === 0) this.#handle(message)
    else this.#decompress(message)
  }

  #handle(message: Buffer): void {
    this.request = message
    this.#service.handler(this)
  }

  #decompress(message: Buffer): void {
    const { maxBytes } = this.#service
    const encoding = String(this.#encoding ?? 'identity')
    if (encoding === 'identity') return this.#refuse('is compressed, and no grpc-encoding says how')
    const decompress = DECOMPRESSORS.get(encoding)
    if (decompress === undefined) {
      const details = `Received message with the unknown grpc-encoding ${encoding}`
      return this.fail({ code: status.UNIMPLEMENTED, details })
    }
    decompress(message, { maxOutputLength: maxBytes }, (error, whole) => {
      if (this.#over) return
      if (error === null) this.#handle(whole)
      else if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE')
        this.#refuse('cannot be decompressed')
      else {
        const details = `Received message that decompresses to more than ${maxBytes} bytes`
        this.fail({ code: status.RESOURCE_EXHAUSTED, details })
      }
    })
  }

  #refuse(wrong: string): void {
    this.fail({ code: status.INTERNAL, details: `The request message for ${this.path} ${wrong}` })
  }

  #expire(): void {
    const cancelled = this.#cancelled
    this.fail({ code: status.DEADLINE_EXCEEDED, details: 'Deadline exceeded' })
    cancelled?.()
  }

  #cancel(): void {
    this.#service.unsent.remove(this.#counted)
    this.#counted = 0
    const cancelled = this.#cancelled
    if (this.#finish()) cancelled?.()
  }

  /**
   * Whether there is somebody to answer, and room for so many bytes more: then they are counted. A client that has left
   * too much unread is dropped with all that waits for it; another node, which asks for many clients, loses the call.
   */
  #mayAdd(bytes: number): boolean {
    const { unsent } = this.#service
    if (this.#stream.destroyed || this.#stream.closed) return false
    if (unsent.full) {
      if (this.forwarded) this.#stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
      // Not now: Node may be reading from that session, whose memory it would free.
      else setImmediate(destroy, this.#stream.session)
      return false
    }
    this.#counted = unsent.add(bytes)
    return true
  }

  /** The call is over. Returns whether it was not before. */
  #finish(): boolean {
    if (this.#over) return false
    this.#over = true
    this.#chunks = []
    this.#cancelled = undefined
    clearTimeout(this.#timer)
    return true
  }
}

function destroy(session: Http2Session | undefined): void {
  session?.destroy()
}

function sendOk(this: ServerHttp2Stream): void {
  this.sendTrailers(OK)
}
