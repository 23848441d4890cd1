import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FaultsError } from '../faults-error.ts'
import { parseLinkFaults } from './link-faults.ts'
import type { Relay } from './relay.ts'

const HOST = '127.0.0.1'
const MOST_BYTES = 64 * 1024

/**
 * Lets another process of this machine say what the relay does: HTTP on a port of the loopback address.
 *
 * - `GET /faults`, `PUT /faults`: all link faults, as JSON; a PUT is answered when they are in force.
 * - `PUT /nodes/n2/start`: the cluster's owner starts a node that is dead, as its own child.
 *
 * It takes PUT where POST would do: a web page cannot send that to another origin unasked.
 */
export class RelayControl {
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  /** @param start starts a dead node; throws FaultsError where that cannot be */
  static async listen(relay: Relay, start: (id: string) => void): Promise<RelayControl> {
    const server = createServer((request, response) => void answer(request, response, relay, start))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: HOST, port: 0 }, resolve)
    })
    return new RelayControl(server)
  }

  /** `host:port`. */
  get address(): string {
    return `${HOST}:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  relay: Relay,
  start: (id: string) => void,
): Promise<void> {
  const reply = (status: number, body: unknown) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
  try {
    const asked = `${request.method} ${request.url}`
    const [, id] = /^PUT \/nodes\/([^/]+)\/start$/.exec(asked) ?? []
    if (asked === 'PUT /faults') relay.setFaults(parseLinkFaults(await readJson(request), relay.nodes))
    else if (id !== undefined) start(decodeURIComponent(id))
    else if (asked !== 'GET /faults') return reply(404, { error: `there is no ${asked}` })
    reply(200, relay.faults)
  } catch (error) {
    reply(error instanceof FaultsError ? 400 : 500, { error: (error as Error).message })
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MOST_BYTES) throw new FaultsError('too large')
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch (error) {
    throw new FaultsError(`not JSON: ${(error as Error).message}`)
  }
}
