import type { Server } from '@grpc/grpc-js'
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { AcceptedStream } from '../rpc/accepted-stream.ts'
import type { StreamHandler } from '../rpc/message-stream.ts'
import { DirectCall, millisecondsOf } from './direct-call.ts'
import { http2ServersOf } from './open-connections.ts'
import type { UnaryHandler } from './unary-call.ts'
import { Connections } from './unsent-answers.ts'

/** What answers calls of one kind. */
export interface Answering<Handler> {
  /** By path. */
  readonly handlers: ReadonlyMap<string, Handler>
  /** The longest message that is taken in, in bytes. */
  readonly maxBytes: number
}

export interface DirectHandlers {
  readonly unary?: Answering<UnaryHandler>
  readonly streams?: Answering<StreamHandler>
  /**
   * What may be under way on a connection before it was read, in bytes: HTTP/2's own 64 KiB would be a round trip each.
   * grpc-js's server cannot be told.
   */
  readonly windowBytes: number
}

/**
 * Answers calls straight from their HTTP/2 streams, which takes less for a message than by grpc-js
 * (docs/performance.md). The port, the sessions and everything that is not plain stay grpc-js's: what is compressed,
 * streams with a deadline, other services.
 *
 * Where grpc-js's HTTP/2 servers are not found, it answers all calls.
 *
 * @param server listens already
 * @returns whether it does
 */
export function answerDirectly(server: Server, handlers: DirectHandlers): boolean {
  const http2Servers = http2ServersOf(server)
  if (http2Servers.length === 0) return false
  const router = new Router(handlers)
  for (const http2Server of http2Servers) {
    http2Server.on('session', (session) => widen(session, handlers.windowBytes))
    const others = http2Server.listeners('stream')
    http2Server.removeAllListeners('stream')
    http2Server.on('stream', (...event: [ServerHttp2Stream, IncomingHttpHeaders, number]) => {
      if (!router.take(event[0], event[1])) for (const other of others) other.apply(http2Server, event)
    })
  }
  return true
}

class Router {
  readonly #handlers: DirectHandlers
  readonly #connections = new Connections()

  constructor(handlers: DirectHandlers) {
    this.#handlers = handlers
  }

  /** Whether the stream is answered here. */
  take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    if (!isGrpc(headers)) return false
    const { unary, streams } = this.#handlers
    const path = headers[':path']!
    const call = unary?.handlers.get(path)
    if (call !== undefined) return this.#takeUnary(stream, headers, call)
    const handler = streams?.handlers.get(path)
    if (handler === undefined || !isPlain(headers)) return false
    handler(new AcceptedStream(stream, headers, streams!.maxBytes))
    return true
  }

  #takeUnary(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, handler: UnaryHandler): boolean {
    const { session } = stream
    if (session === undefined || !isTimeout(headers['grpc-timeout'])) return false
    const { maxBytes } = this.#handlers.unary!
    new DirectCall(stream, headers, { handler, maxBytes, unsent: this.#connections.unsentOf(session) })
    return true
  }
}

function widen(session: ServerHttp2Session, windowBytes: number): void {
  session.setLocalWindowSize(windowBytes)
  session.settings({ initialWindowSize: windowBytes })
}

function isGrpc(headers: IncomingHttpHeaders): boolean {
  return headers[':method'] === 'POST' && headers['content-type']?.startsWith('application/grpc') === true
}

function isTimeout(timeout: string | string[] | undefined): boolean {
  return timeout === undefined || millisecondsOf(timeout) !== undefined
}

/** Whether a stream is neither compressed nor has a deadline. */
function isPlain(headers: IncomingHttpHeaders): boolean {
  const encoding = headers['grpc-encoding']
  return headers['grpc-timeout'] === undefined && (encoding === undefined || encoding === 'identity')
}
