import { status } from '@grpc/grpc-js'
import { connect } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
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
  readonly headers?: Headers
}

type Headers = Readonly<Record<string, string>>

const HEADERS: Headers = Object.freeze({
  ':method': 'POST',
  'content-type': 'application/grpc',
  te: 'trailers',
})

/** Errors that come when the other side resets the stream or closes the connection, and have only HTTP/2's number for it. */
const SAYS_NOTHING: ReadonlySet<string> = new Set(['ERR_HTTP2_SESSION_ERROR', 'ERR_HTTP2_STREAM_ERROR'])

const LOST: StreamStatus = Object.freeze({ code: status.UNAVAILABLE, details: 'the connection was lost' })

/**
 * A stream to a node on a connection of its own, straight on Node's HTTP/2: the two begin and end together. So one
 * that is suspect is dropped with everything that is stuck in it, also where the other side never answered, and the
 * next one cannot inherit its silence. grpc-js would take twice the processor time for a message, and cannot be told to
 * give up a connection that is not established yet.
 */
export class DialedStream implements MessageStream {
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
    this.#session = this.#connect(address, options)
    this.#stream = this.#request(path, options.headers)
    this.#framing = new Framing(this.#stream, options.maxMessageBytes ?? Infinity, {
      message: (bytes) => listener.message(bytes),
      left: () => listener.left(),
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
    setImmediate(() => this.#session.destroy())
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  #connect(address: string, { windowBytes, keepalive }: DialOptions): ClientHttp2Session {
    const window = windowBytes !== undefined && { initialWindowSize: windowBytes }
    const session = connect(`http://${address}`, {
      settings: { enablePush: false, ...window },
      maxSessionMemory: Number.MAX_SAFE_INTEGER, // what may wait to leave is for the owner to say
    })
    if (windowBytes !== undefined) session.once('connect', () => session.setLocalWindowSize(windowBytes))
    // Its settings are the first thing that the other side says.
    if (keepalive !== undefined) session.once('remoteSettings', () => this.#askLater(keepalive))
    session.on('error', (error: Error) => this.#failed(error))
    session.once('close', () => this.#keepalive?.cancel())
    return session
  }

  #request(path: string, headers: Headers | undefined): ClientHttp2Stream {
    const stream = this.#session.request({ ...HEADERS, ':path': path, ...headers }, { endStream: false })
    stream.on('response', (answer) => (this.#status = statusOf(answer)))
    stream.on('trailers', (trailers: IncomingHttpHeaders) => (this.#status = statusOf(trailers)))
    stream.on('error', (error: Error) => this.#failed(error))
    // It comes also where the stream breaks off: then 'close' follows, and knows why.
    stream.on('end', () => this.#status !== undefined && this.#close(this.#status))
    stream.on('close', () => {
      this.#close(this.#status ?? this.#failure ?? LOST)
      this.#session.close()
    })
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
    session.ping(() => {
      answered = true
      this.#keepalive?.cancel()
      if (!session.destroyed) this.#askLater(keepalive)
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
