import { status } from '@grpc/grpc-js'
import { connect as connectHttp2 } from 'node:http2'
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
} from 'node:http2'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Clock, Timer } from '../clock.ts'
import { Framing } from './framing.ts'
import type { MessageListener, MessageStream, StreamStatus } from './message-stream.ts'

/** How often the other side is asked, and how long it may take to answer, in milliseconds. */
export interface Keepalive {
  readonly everyMs: number
  readonly timeoutMs: number
  readonly clock: Clock
}

export interface DialOptions {
  /** The longest message that is taken in, in bytes. Default: any. */
  readonly maxMessageBytes?: number
  /** What may be under way to this side before it was read, in bytes. Default: HTTP/2's, 64 KiB. */
  readonly windowBytes?: number
  /** Asks the other side every so often whether it lives, and gives the connection up where it does not say so in time. */
  readonly keepalive?: Keepalive
}

const HEADERS = Object.freeze({
  ':method': 'POST',
  'content-type': 'application/grpc',
  te: 'trailers',
})

/** How long one of several addresses of a name is tried before the next, in milliseconds (Node's 250 are few across a sea). */
const ATTEMPT_MS = 2000

/** Errors that come when the other side resets the stream or closes the connection, and have only HTTP/2's number for it. */
const SAYS_NOTHING: ReadonlySet<string> = new Set(['ERR_HTTP2_SESSION_ERROR', 'ERR_HTTP2_STREAM_ERROR'])

const LOST: StreamStatus = Object.freeze({ code: status.UNAVAILABLE, details: 'the connection was lost' })

/**
 * A stream to a node on a connection of its own, straight on Node's HTTP/2: the two begin and end together. So one
 * that is suspect is dropped with everything that is stuck in it, also where the other side never answered, and the
 * next one cannot inherit its silence. grpc-js takes more for a message (docs/performance.md), and cannot be told to give up
 * a connection that is not established yet.
 */
export class DialedStream implements MessageStream {
  readonly #socket: Socket
  readonly #session: ClientHttp2Session
  readonly #stream: ClientHttp2Stream
  readonly #framing: Framing
  readonly #listener: MessageListener
  #keepalive: Timer | undefined
  /** The other side's last word. */
  #status: StreamStatus | undefined
  /** What went wrong where it had none. */
  #failure: StreamStatus | undefined
  #over = false

  /**
   * Begins to dial; the stream may be used at once.
   * @param address `host:port`, or `[host]:port` for IPv6
   * @param path `/service/method`
   */
  constructor(address: string, path: string, options: DialOptions, listener: MessageListener) {
    this.#listener = listener
    this.#socket = connect({ ...splitAddress(address), autoSelectFamilyAttemptTimeout: ATTEMPT_MS })
    this.#session = this.#connect(options)
    this.#stream = this.#request({ ...HEADERS, ':authority': address, ':path': path })
    this.#framing = new Framing(this.#stream, options.maxMessageBytes ?? Infinity, {
      message: (bytes) => listener.message(bytes),
      left: (bytes) => listener.left(bytes),
      broken: (why) => this.#close(why),
    })
  }

  get unsentBytes(): number {
    return this.#framing.unsentBytes
  }

  send(message: Uint8Array): void {
    this.#framing.send(message)
  }

  end(): void {
    this.#stream.end()
  }

  abort(): void {
    if (this.#over) return
    this.#over = true
    this.#framing.silence()
    // Not now: Node may be reading from the session, whose memory it would free.
    setImmediate(() => {
      this.#session.destroy()
      // It would wait for what cannot leave, or for a connection that does not come about.
      this.#socket.destroy()
    })
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  #connect({ windowBytes, keepalive }: DialOptions): ClientHttp2Session {
    const window = windowBytes !== undefined && { initialWindowSize: windowBytes }
    // The socket knows where it goes, and the request says it.
    const session = connectHttp2('http://localhost', {
      createConnection: () => this.#socket,
      settings: { enablePush: false, ...window },
      maxSessionMemory: Number.MAX_SAFE_INTEGER, // what may wait to leave is for the owner to say
    })
    session.once('connect', () => {
      // It comes also where the session was given up meanwhile.
      if (windowBytes !== undefined && !session.destroyed) session.setLocalWindowSize(windowBytes)
    })
    // Its settings are the first thing that the other side says.
    if (keepalive !== undefined) session.once('remoteSettings', () => this.#askLater(keepalive))
    session.on('error', (error: Error) => this.#failed(error))
    session.once('close', () => this.#keepalive?.cancel())
    return session
  }

  #request(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    const stream = this.#session.request(headers, { endStream: false })
    stream.on('response', (answer) => (this.#status = statusOf(answer)))
    stream.on('trailers', (trailers: IncomingHttpHeaders) => (this.#status = statusOf(trailers)))
    stream.on('error', (error: Error) => this.#failed(error))
    // It comes also where the stream breaks off, or without a last word: then 'close' follows, and knows why.
    stream.on('end', () => {
      if (this.#status !== undefined) this.#close(this.#status)
      else stream.end()
    })
    stream.on('close', () => this.#close(this.#status ?? this.#failure ?? LOST))
    return stream
  }

  #askLater(keepalive: Keepalive): void {
    this.#keepalive = keepalive.clock.after(keepalive.everyMs, () => this.#ask(keepalive))
  }

  #ask(keepalive: Keepalive): void {
    const session = this.#session
    if (session.destroyed) return
    const { clock, timeoutMs } = keepalive
    let answered = false
    const silent = (): void => {
      if (!answered)
        this.#close({ code: status.UNAVAILABLE, details: 'the other side does not answer pings' })
    }
    // What has arrived is seen to first: it may be this process that was held up.
    this.#keepalive = clock.after(timeoutMs, () => clock.soon(silent))
    session.ping((error) => {
      if (error !== null) return
      answered = true
      this.#keepalive?.cancel()
      this.#askLater(keepalive)
    })
  }

  #failed(error: Error): void {
    // That a stream was cancelled says nothing: its cause does.
    const cause: NodeJS.ErrnoException = error.cause instanceof Error ? error.cause : error
    if (cause.code !== undefined && SAYS_NOTHING.has(cause.code)) return
    this.#failure ??= { code: status.UNAVAILABLE, details: wordsOf(cause) }
  }

  #close(last: StreamStatus): void {
    if (this.#over) return
    this.abort()
    this.#listener.closed(last.code === status.OK ? undefined : last)
  }
}

/** What an answer's head or end says of how the call went; undefined where it is to go on. */
function statusOf(headers: IncomingHttpHeaders): StreamStatus | undefined {
  const { ':status': http, 'grpc-status': code, 'grpc-message': message } = headers
  if (code !== undefined) return { code: Number(code) as status, details: decoded(String(message ?? '')) }
  if (http === undefined || Number(http) === 200) return undefined
  return {
    code: status.UNAVAILABLE,
    details: `it answers with HTTP status ${String(http)}: is it another service?`,
  }
}

function decoded(message: string): string {
  try {
    return decodeURIComponent(message)
  } catch {
    return message
  }
}

/** Where a name stands for several addresses, what became of each. */
function wordsOf(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((each: Error) => each.message).join('; ')
  return error.message
}

/** What is no address becomes the name of a host that nobody knows. */
function splitAddress(address: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|(.+)):(\d{1,5})$/.exec(address) ?? []
  const host = bracketed ?? plain
  return host === undefined || Number(port) > 65_535
    ? { host: address, port: 0 }
    : { host, port: Number(port) }
}
