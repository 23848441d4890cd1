import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import { DialedStream } from '../../src/rpc/dialed-stream.ts'
import { grpcStreamHandler } from '../../src/rpc/grpc-stream.ts'
import type { IncomingStream, StreamStatus } from '../../src/rpc/message-stream.ts'
import { answerDirectly } from '../../src/server/answer-directly.ts'
import type { ReadReply } from '../../src/server/calls.ts'
import { ExchangeService } from '../../src/server/exchange-service.ts'
import { Forwarder } from '../../src/server/forwarder.ts'
import type { KvFront } from '../../src/server/kv-front.ts'
import { decodeServerFrame, encodeClientFrame, encodeClientHello } from '../../src/wire/frames.ts'
import type { ClientRequest, ServerFrame } from '../../src/wire/frames.ts'
import { exchangeMethod } from '../../src/wire/services.ts'

const CLUSTER = Buffer.from('cluster')
const MiB = 1024 * 1024
const closing: (() => void)[] = []

afterEach(() => {
  for (const close of closing.splice(0).reverse()) close()
})

interface TestNode {
  readonly address: string
  /** Streams to this node, and how many of them it has heard the end of. */
  readonly streams: { opened: number; over: number }
  stop(): void
}

/** A node that answers every read with a MiB, as the leader or through who leads. */
async function node(id: string, peers: ReadonlyMap<string, string>): Promise<TestNode> {
  const value = Buffer.alloc(MiB)
  const key = Buffer.from('k')
  const entry = { key, value, version: 1, createRevision: 1, modRevision: 1, lease: 0 }
  const limits = { maxRequestBytes: 4 * MiB }
  const read = (_: unknown, reply: ReadReply): void => void setImmediate(() => reply.found(1, [entry]))
  const front = { limits, read } as unknown as KvFront
  const leader = { id: 'n1', clientAddress: '', term: 1 }
  const forwarder = new Forwarder(peers, {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': -1,
  })
  const service = new ExchangeService({ id, clusterId: CLUSTER, front, leader: () => leader }, forwarder)
  const counts = { opened: 0, over: 0 }
  const handle = (stream: IncomingStream): void => {
    counts.opened++
    const hear = stream.hear.bind(stream)
    stream.hear = (listener) =>
      hear({
        message: (bytes) => listener.message(bytes),
        left: (bytes) => listener.left(bytes),
        ended: () => listener.ended(),
        closed: (why) => {
          counts.over++
          listener.closed(why)
        },
      })
    service.handle(stream)
  }
  const server = new Server()
  server.addService({ exchange: exchangeMethod }, { exchange: grpcStreamHandler(handle) })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  const streams = { handlers: new Map([[exchangeMethod.path, handle]]), maxBytes: 16 * MiB }
  answerDirectly(server, { streams, windowBytes: MiB })
  const stop = (): void => {
    server.forceShutdown()
    forwarder.close()
  }
  closing.push(stop)
  return { address: `127.0.0.1:${port}`, streams: counts, stop }
}

class TestClient {
  readonly frames: ServerFrame[] = []
  readonly ends: (StreamStatus | undefined)[] = []
  readonly stream: DialedStream
  #changed = (): void => {}

  constructor(address: string) {
    this.stream = new DialedStream(
      address,
      exchangeMethod.path,
      {},
      {
        message: (bytes) => {
          this.frames.push(decodeServerFrame(bytes))
          this.#changed()
        },
        left: () => {},
        closed: (why) => {
          this.ends.push(why)
          this.#changed()
        },
      },
    )
    closing.push(() => this.stream.abort())
    this.stream.send(encodeClientHello({ protocolMin: 1, protocolMax: 1, forward: true, clusterId: CLUSTER }))
  }

  read(...ids: number[]): void {
    const body = { type: 'read', keys: [Buffer.from('k')], consistency: 'linearizable', revision: 0 } as const
    this.stream.send(encodeClientFrame(ids.map((id): ClientRequest => ({ id, body }))))
  }

  get answered(): number[] {
    return this.frames.flatMap(({ responses }) => responses.map(({ id }) => id)).sort((a, b) => a - b)
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#changed = resolve))
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}

describe('a client of a follower that asks to be passed on', () => {
  async function cluster(): Promise<{ leader: TestNode; follower: TestNode }> {
    const leader = await node('n1', new Map())
    const follower = await node('n2', new Map([['n1', leader.address]]))
    return { leader, follower }
  }

  it('is greeted and answered by the leader, until it has been told everything', async () => {
    const { leader, follower } = await cluster()
    const client = new TestClient(follower.address)
    client.read(1, 2, 3)
    client.stream.end()
    await client.until(() => client.ends.length > 0)
    assert.equal(client.frames[0]!.hello?.nodeId, 'n1')
    assert.deepEqual([client.answered, client.ends], [[1, 2, 3], [undefined]])
    await until(() => leader.streams.over === 1 && follower.streams.over === 1)
  })

  it('is told when the leader has gone', async () => {
    const { leader, follower } = await cluster()
    const client = new TestClient(follower.address)
    await client.until(() => client.frames.length > 0)
    leader.stop()
    await client.until(() => client.ends.length > 0)
    const [why] = client.ends
    assert.equal(why?.code, status.UNAVAILABLE)
    assert.match(why.details, /^the stream to the leader broke: /)
    await until(() => follower.streams.over === 1)
  })

  it('is told where the leader cannot be reached', async () => {
    const { leader, follower } = await cluster()
    leader.stop()
    const client = new TestClient(follower.address)
    await client.until(() => client.ends.length > 0)
    assert.match(client.ends[0]!.details, /^the stream to the leader broke: .*ECONNREFUSED/)
  })

  it('may leave at any moment: the leader hears of it', async () => {
    const { leader, follower } = await cluster()
    for (let turns = 0; turns < 30; turns += 3) {
      const client = new TestClient(follower.address)
      client.read(1)
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
      client.stream.abort()
    }
    const witness = new TestClient(follower.address)
    witness.read(1)
    witness.stream.end()
    await witness.until(() => witness.ends.length > 0)
    assert.deepEqual(witness.ends, [undefined])
    assert.ok(leader.streams.opened > 1)
    for (const { streams } of [leader, follower]) await until(() => streams.over === streams.opened)
  })

  it('is not answered faster than it reads', async () => {
    const { follower } = await cluster()
    const client = new TestClient(follower.address)
    await client.until(() => client.frames.length > 0)
    client.stream.pause()
    const ids = Array.from({ length: 60 }, (_, i) => i + 1)
    for (const id of ids) {
      client.read(id)
      await new Promise(setImmediate)
    }
    // The leader keeps 16 MiB for a stream and refuses what goes beyond; the follower on the way keeps next to nothing.
    client.stream.resume()
    await client.until(() => client.answered.length === ids.length)
    assert.deepEqual(client.answered, ids)
    const refused = client.frames.flatMap(({ responses }) =>
      responses.filter(({ body }) => body.type === 'error'),
    )
    assert.ok(refused.length > 0 && refused.length < 50, `${refused.length} refused`)
  })
})
