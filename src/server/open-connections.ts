import type { Server } from '@grpc/grpc-js'
import type { Http2Server, ServerHttp2Session } from 'node:http2'

/**
 * The HTTP/2 servers behind one of grpc-js that listens. It has no public way to them: none, should a later version keep
 * them elsewhere.
 */
export function http2ServersOf(server: Server): readonly Http2Server[] {
  const { http2Servers } = server as unknown as { readonly http2Servers?: ReadonlyMap<Http2Server, unknown> }
  return [...(http2Servers?.keys() ?? [])]
}

/**
 * The connections to a server. grpc-js itself closes those that have nothing under way, but where its statistics
 * (channelz) are off, none that a client keeps a stream open on: they would outlive a node that stops in a process that
 * goes on.
 */
export class OpenConnections {
  readonly #sessions = new Set<ServerHttp2Session>()

  /** @param server listens already */
  constructor(server: Server) {
    for (const each of http2ServersOf(server)) {
      each.on('session', (session) => {
        this.#sessions.add(session)
        session.once('close', () => this.#sessions.delete(session))
      })
    }
  }

  /** Ends all of them, whatever is under way. */
  destroy(): void {
    for (const session of this.#sessions) session.destroy()
  }
}
