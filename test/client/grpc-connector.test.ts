import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { Server, ServerCredentials, type ServerDuplexStream, type ServerOptions } from '@grpc/grpc-js'
import { BalsaClient } from '../../src/client/client.ts'
import type { Connector } from '../../src/client/connector.ts'
import { GrpcConnector } from '../../src/client/grpc-connector.ts'
import { OutcomeUnknownError, ResourceExhaustedError, UnavailableError } from '../../src/errors.ts'
import { decodeClientFrame, encodeServerHello } from '../../src/wire/frames.ts'
import { loadProtos, type StatusResponse } from '../../src/wire/proto.ts'
import { exchangeMethod } from '../../src/wire/services.ts'
import { encodeAnswers, FakeStore } from './support.ts'
import { ManualClock, Outcome } from './manual-clock.ts'

type ExchangeStream = ServerDuplexStream<Uint8Array, Uint8Array>

/** A server that serves Exchange and Status over real gRPC, as the leader of a cluster of one. */
class RealServer {
  readonly store = new FakeStore()
  readonly streams: ExchangeStream[] = []
  readonly #server: Server
  endpoint = ''

  constructor(options: ServerOptions = {}) {
    this.#server = new Server(options)
  }

  async start(exchange: (stream: ExchangeStream) => void = (stream) => this.serve(stream)): Promise<void> {
    const { statusMethod } = loadProtos()
    this.#server.addService(
      { exchange: exchangeMethod, status: statusMethod },
      {
        exchange: (stream: ExchangeStream) => {
          this.streams.push(stream)
          stream.on('error', () => {})
          exchange(stream)
        },
        status: (_call: unknown, done: (error: null, answer: Partial<StatusResponse>) => void) =>
          done(null, { id: 'n1', role: 'leader', term: 3, revision: 2 ** 40, peers: [] }),
      },
    )
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      )
    })
    this.endpoint = `127.0.0.1:${port}`
  }

  serve(stream: ExchangeStream): void {
    stream.on('data', (bytes: Uint8Array) => {
      const { hello, requests } = decodeClientFrame(bytes)
      if (hello !== undefined) {
        const leader = { id: 'n1', clientAddress: this.endpoint, term: 3 }
        stream.write(encodeServerHello({ protocol: 1, clusterId: Buffer.from('c'), nodeId: 'n1', leader }))
        return
      }
      stream.write(encodeAnswers(requests.map((request) => [request.id, this.store.run(request)])))
    })
    stream.on('end', () => stream.end())
  }

  stop(): void {
    this.#server.forceShutdown()
  }
}

describe('GrpcConnector', () => {
  let server = new RealServer()
  afterEach(() => {
    server.stop()
    server = new RealServer()
  })

  it('carries calls to a node and back', async () => {
    await server.start()
    await using client = new BalsaClient({ endpoints: [server.endpoint] })
    const puts = await Promise.all(Array.from({ length: 300 }, (_, index) => client.put(`k${index}`, 'v')))
    assert.deepEqual(new Set(puts.map(({ revision }) => revision)).size, 300)
    assert.equal((await client.get('k7'))?.text(), 'v')
    assert.equal(await client.get('missing'), undefined)
    assert.equal(server.streams.length, 1)
  })

  it('carries what is larger than gRPC allows by default', async () => {
    await server.start()
    await using client = new BalsaClient({ endpoints: [server.endpoint] })
    const value = Buffer.alloc(1024 * 1024, 'x')
    const keys = Array.from({ length: 6 }, (_, index) => `k${index}`)
    await Promise.all(keys.map((key) => client.put(key, value)))
    const found = await client.getMany(keys)
    assert.ok(found.every((entry) => entry !== undefined && value.equals(entry.value)))
  })

  it('ends the session and the stream when the client is closed', async () => {
    await server.start()
    const client = new BalsaClient({ endpoints: [server.endpoint] })
    await client.put('k', 'v')
    assert.equal(server.store.sessions.size, 1)
    const ended = new Promise((resolve) => server.streams[0]!.on('cancelled', resolve))
    await client.close()
    await ended
    assert.equal(server.store.sessions.size, 0)
  })

  it('goes on over a broken stream', async () => {
    await server.start()
    await using client = new BalsaClient({ endpoints: [server.endpoint] })
    await client.put('k', 'v')
    server.streams[0]!.emit('error', Object.assign(new Error('broken'), { code: 13 }))
    assert.deepEqual(await client.put('k', 'w'), { revision: 2 })
    assert.equal(server.streams.length, 2)
  })

  it('tells that a message was too large: it costs one connection, and only its own call', async () => {
    server = new RealServer({ 'grpc.max_receive_message_length': 100_000 })
    await server.start()
    await using client = new BalsaClient({ endpoints: [server.endpoint], timeoutMs: 60_000 })
    await client.put('k', 'v')
    const large = client.put('large', Buffer.alloc(200_000)).catch((error: unknown) => error)
    const others = await Promise.all(Array.from({ length: 50 }, (_, index) => client.put(`k${index}`, 'v')))
    assert.equal(others.length, 50)
    const error = await large
    assert.ok(error instanceof OutcomeUnknownError)
    assert.match(error.message, /too large: most likely this one, of about 200069 bytes/)
    assert.ok(error.cause instanceof ResourceExhaustedError)
    assert.match(error.cause.message, /RESOURCE_EXHAUSTED/)
    assert.equal(server.streams.length, 2)
    assert.equal(await client.get('large'), undefined)
  })

  it('says why a node cannot be reached', async () => {
    await server.start()
    const { endpoint } = server
    server.stop()
    // The time that the client has passes when the connection was refused, however long that takes here.
    const clock = new ManualClock()
    const connector = new GrpcConnector()
    let heard = (): void => {}
    const refused = new Promise<void>((resolve) => (heard = resolve))
    const watched: Connector = {
      connect: (to, handlers) => {
        const closed = (error: Error): void => {
          handlers.closed(error)
          heard()
        }
        return connector.connect(to, {
          frame: (bytes) => handlers.frame(bytes),
          drained: () => handlers.drained(),
          closed,
        })
      },
      status: (to, timeoutMs) => connector.status(to, timeoutMs),
    }
    const runtime = { connector: watched, clock, random: Math.random }
    const client = new BalsaClient({ endpoints: [endpoint], timeoutMs: 200 }, runtime)
    const put = new Outcome(client.put('k', 'v'))
    await clock.settle()
    await refused
    await clock.advance(200)
    assert.ok(put.error instanceof UnavailableError)
    assert.match(put.error.message, /127\.0\.0\.1:\d+.*ECONNREFUSED/)
    const { nodes } = await client.status({ timeoutMs: 20_000 })
    assert.match(nodes[0]!.health, /unreachable.*ECONNREFUSED/)
  })

  it('asks for the status', async () => {
    await server.start()
    await using client = new BalsaClient({ endpoints: [server.endpoint] })
    const { leader, term, nodes } = await client.status()
    assert.deepEqual({ leader, term }, { leader: 'n1', term: 3 })
    assert.equal(nodes[0]!.revision, 2 ** 40)
  })

  it('counts what has not left, and tells when it has', async () => {
    let reads = (): void => {}
    await server.start((stream) => {
      reads = () => void stream.on('data', () => {})
    })
    const connector = new GrpcConnector()
    await new Promise<void>((resolve, reject) => {
      const connection = connector.connect(server.endpoint, {
        frame: () => {},
        closed: reject,
        drained: () => {
          assert.ok(connection.unsentBytes <= 1024 * 1024)
          connection.close()
          resolve()
        },
      })
      for (let count = 0; count < 16; count++) connection.send(Buffer.alloc(1024 * 1024))
      assert.equal(connection.unsentBytes, 16 * 1024 * 1024)
      // The stream takes a moment to be there.
      const wait = (): void => void (server.streams.length > 0 ? reads() : setImmediate(wait))
      wait()
    })
  })

  it('calls no handler after close', async () => {
    await server.start()
    const calls: string[] = []
    const connection = new GrpcConnector().connect(server.endpoint, {
      frame: () => calls.push('frame'),
      closed: () => calls.push('closed'),
      drained: () => calls.push('drained'),
    })
    connection.close()
    connection.close()
    connection.send(Buffer.alloc(1))
    // A whole call on another connection: whatever was to come of the first has come.
    await using client = new BalsaClient({ endpoints: [server.endpoint] })
    await client.get('k')
    assert.deepEqual(calls, [])
  })
})
