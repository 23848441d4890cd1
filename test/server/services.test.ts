import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:http2'
import type { IncomingHttpHeaders } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { Client, credentials, status } from '@grpc/grpc-js'
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import { pino } from 'pino'
import { grpcFrame } from '../../bench/etcd/h2load.ts'
import { BalsaClient } from '../../src/index.ts'
import { resolveConfig } from '../../src/server/config.ts'
import { startNode } from '../../src/server/node.ts'
import type { RunningNode } from '../../src/server/node.ts'
import { decodeServerFrame, encodeClientFrame, encodeClientHello } from '../../src/wire/frames.ts'
import type { ClientRequest, ServerResponse } from '../../src/wire/frames.ts'
import { exchangeMethod, kvMethods } from '../../src/wire/services.ts'
import { getManyRequest, getRequest } from '../../src/wire/unary.ts'
import { definitionOf, healthClient, PlainClient, reflectionClient } from './support/plain-client.ts'

const HELLO = { protocolMin: 1, protocolMax: 1, forward: false, clusterId: new Uint8Array(0) }
const GET_LARGE = { key: Buffer.from('large'), consistency: 'linearizable', revision: 0 } as const
const MiB = 1024 * 1024

describe('the services of a node', () => {
  let directory: string
  let node: RunningNode
  let client: BalsaClient
  const plain: { close(): void }[] = []

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'balsa-services-'))
    const flags = { data: directory, listen: '127.0.0.1:0', peerListen: '127.0.0.1:0' }
    const { config } = resolveConfig({ flags: { ...flags, heartbeatMs: '10', electionMs: '50' } })
    node = await startNode(config, { logger: pino({ level: 'silent' }), version: '0' })
    client = new BalsaClient({ endpoints: [node.clientAddress] })
    await client.put('large', new Uint8Array(MiB))
  })
  after(async () => {
    for (const each of plain) each.close()
    await client.close()
    await node.stop()
    await rm(directory, { recursive: true })
  })

  function exchange(): ClientDuplexStream<Uint8Array, Uint8Array> {
    const { path, requestSerialize, responseDeserialize } = exchangeMethod
    const options = { 'grpc.max_receive_message_length': -1, 'grpc.use_local_subchannel_pool': 1 }
    const channel = new Client(node.clientAddress, credentials.createInsecure(), options)
    plain.push(channel)
    const stream = channel.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
    stream.write(encodeClientHello(HELLO))
    return stream
  }

  it('answer everything that a client asked before it half-closed, and then end the stream', async () => {
    const stream = exchange()
    const responses: ServerResponse[] = []
    stream.on('data', (frame: Uint8Array) => responses.push(...decodeServerFrame(frame).responses))
    const ended = new Promise<void>((resolve, reject) => stream.on('end', resolve).on('error', reject))
    const requests: ClientRequest[] = [
      { id: 1, body: { type: 'openSession', ttlMs: 0 } },
      {
        id: 2,
        body: { type: 'read', keys: [Buffer.from('large')], consistency: 'linearizable', revision: 0 },
      },
      { id: 3, body: { type: 'read', keys: [Buffer.alloc(0)], consistency: 'linearizable', revision: 0 } },
    ]
    stream.write(encodeClientFrame(requests))
    stream.end()
    await ended
    const answers = responses.map(({ id, body }) => [id, body.type]).sort()
    assert.deepEqual(answers, [
      [1, 'result'],
      [2, 'read'],
      [3, 'error'],
    ])
  })

  it('end a stream that is half-closed without a request', async () => {
    const stream = exchange()
    stream.resume()
    const ended = new Promise<void>((resolve, reject) => stream.on('end', resolve).on('error', reject))
    stream.end()
    await ended
  })

  it('keep only so much for a client that asks and does not read: the rest is refused', async () => {
    const stream = exchange()
    const key = Buffer.from('large')
    for (let id = 1; id <= 160; id++) {
      stream.write(
        encodeClientFrame([{ id, body: { type: 'read', keys: [key], consistency: 'stale', revision: 0 } }]),
      )
      await new Promise((resolve) => setImmediate(resolve))
    }
    // What has arrived is read now: each answer has a MiB.
    const kinds = new Map<number, string>()
    await new Promise<void>((resolve, reject) => {
      stream.on('error', reject)
      stream.on('data', (frame: Uint8Array) => {
        for (const { id, body } of decodeServerFrame(frame).responses) {
          kinds.set(id, body.type === 'error' ? body.error.code : body.type)
        }
        if (kinds.size === 160) resolve()
      })
    })
    const served = [...kinds.values()].filter((kind) => kind === 'read').length
    assert.ok(served >= 16 && served < 80, `${served} answers were kept for it, or on their way`)
    assert.ok([...kinds.values()].every((kind) => kind === 'read' || kind === 'RESOURCE_EXHAUSTED'))
    assert.equal((await client.get('large'))?.value.length, MiB, 'others are served')
  })

  it('give up an answer to many keys that gets too large, whichever way it was asked for', async () => {
    const keys = Array<Buffer>(5).fill(Buffer.from('large'))
    const wanted = /^the answer would have more than 4194304 bytes: ask for fewer keys at a time$/
    const { revision } = await client.put('other', '')
    for (const options of [{}, { consistency: 'stale' }, { revision }] as const) {
      await assert.rejects(client.getMany(keys, options), { code: 'INVALID_ARGUMENT', message: wanted })
    }
    assert.equal((await client.getMany(keys.slice(0, 3))).length, 3)
    const { path, requestSerialize, responseDeserialize } = kvMethods.GetMany
    const channel = new Client(node.clientAddress, credentials.createInsecure())
    plain.push(channel)
    const request = getManyRequest.encode({ keys, consistency: 'linearizable', revision: 0 })
    const { code, details } = await new Promise<ServiceError>((resolve, reject) => {
      channel.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error) =>
        error === null ? reject(new Error('it was answered')) : resolve(error),
      )
    })
    assert.equal(code, status.INVALID_ARGUMENT)
    assert.match(details, wanted)
  })

  it('keep only so much for a client whose unary calls are not read, and refuse it further reads', async () => {
    const session = connect(`http://${node.clientAddress}`, { settings: { initialWindowSize: 0 } })
    session.on('error', () => {})
    const codes: (string | undefined)[] = []
    const refused = new Promise<void>((resolve) => {
      const note = (headers: IncomingHttpHeaders): void => {
        codes.push(headers['grpc-status'] as string | undefined)
        if (codes.length === 60) resolve()
      }
      for (let i = 0; i < 60; i++) {
        const path = { ':method': 'POST', ':path': kvMethods.Get.path }
        const stream = session.request({ ...path, 'content-type': 'application/grpc', te: 'trailers' })
        stream.on('error', () => {})
        stream.on('response', note)
        stream.end(grpcFrame(getRequest.encode(GET_LARGE)))
      }
    })
    await refused
    const busy = codes.filter((code) => code === String(status.RESOURCE_EXHAUSTED)).length
    assert.deepEqual([busy, codes.filter((code) => code === undefined).length], [44, 16])
    assert.equal((await client.get('large'))?.value.length, MiB, 'others are served')
    session.destroy()
  })

  it('answer unary calls without grpc-js, on both ports', async () => {
    const request = grpcFrame(getRequest.encode(GET_LARGE))
    for (const address of [node.clientAddress, node.peerAddress]) {
      const session = connect(`http://${address}`)
      const stream = session.request(
        {
          ':method': 'POST',
          ':path': '/balsa.v1.Kv/Get',
          'content-type': 'application/grpc',
          te: 'trailers',
        },
        { endStream: false },
      )
      stream.end(request)
      stream.resume()
      const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders]
      const [trailers] = (await once(stream, 'trailers')) as [IncomingHttpHeaders]
      assert.equal(trailers['grpc-status'], '0', address)
      assert.equal(headers['grpc-accept-encoding'], undefined, `grpc-js answers on ${address}`)
      session.destroy()
    }
  })

  it('give a client that asks for much at once all of it, and reset nothing', async () => {
    const stream = exchange()
    let failed: Error | undefined
    stream.on('error', (error) => (failed = error))
    const answers = new Map<number, string>()
    const key = Buffer.from('large')
    const read = (id: number): ClientRequest => {
      return { id, body: { type: 'read', keys: [key], consistency: 'linearizable', revision: 0 } }
    }
    const all = new Promise<void>((resolve) => {
      stream.on('data', (frame: Uint8Array) => {
        for (const { id, body } of decodeServerFrame(frame).responses) {
          answers.set(id, body.type === 'error' ? body.error.code : body.type)
        }
        if (answers.size === 100) resolve()
      })
    })
    stream.write(encodeClientFrame(Array.from({ length: 100 }, (_, i) => read(i + 1))))
    await all
    const kinds = new Set(answers.values())
    assert.deepEqual(kinds, new Set(['read', 'RESOURCE_EXHAUSTED']), 'some at once, the others later')
    assert.equal(failed, undefined)

    const values = await Promise.all(
      Array.from({ length: 100 }, () => client.get('large', { timeoutMs: 30_000 })),
    )
    assert.ok(values.every((entry) => entry?.value.length === MiB))
  })

  it('tell a plain client of grpc.health.v1 what they can do', async () => {
    const health = healthClient(node.clientAddress)
    plain.push(health)
    for (const service of ['', 'balsa.v1.Kv']) {
      assert.deepEqual(await health.call('Check', { service }), { status: 'SERVING' })
    }
  })

  it('describe themselves by reflection, well enough to be called by that alone', async () => {
    const reflection = reflectionClient(node.clientAddress)
    plain.push(reflection)
    const requests = [{ listServices: '' }, { fileContainingSymbol: 'balsa.v1.Kv' }]
    const [list, file] = await reflection.stream('ServerReflectionInfo', requests)
    const { service } = list!.listServicesResponse as { service: { name: string }[] }
    const names = service.map(({ name }) => name)
    for (const name of ['balsa.v1.Kv', 'balsa.v1.Cluster']) assert.ok(names.includes(name), names.join())
    const { fileDescriptorProto } = file!.fileDescriptorResponse as { fileDescriptorProto: Uint8Array[] }
    const kv = new PlainClient(node.clientAddress, definitionOf(fileDescriptorProto), 'balsa.v1.Kv')
    plain.push(kv)
    await kv.call('Put', { key: Buffer.from('by reflection'), value: Buffer.from('x') })
    assert.equal((await client.get('by reflection'))?.text(), 'x')
  })
})

describe('a node that stops in a process that goes on', () => {
  it('closes a connection also where the client keeps a stream open', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'balsa-services-'))
    const flags = { data: directory, listen: '127.0.0.1:0', peerListen: '127.0.0.1:0' }
    const { config } = resolveConfig({ flags: { ...flags, heartbeatMs: '10', electionMs: '50' } })
    const node = await startNode(config, { logger: pino({ level: 'silent' }), version: '0' })
    const session = connect(`http://${node.clientAddress}`)
    try {
      const closed = once(session, 'close')
      const headers = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }
      const stream = session.request({ ...headers, ':path': exchangeMethod.path }, { endStream: false })
      stream.on('error', () => {})
      stream.write(grpcFrame(Buffer.from(encodeClientHello(HELLO))))
      await once(stream, 'data')
      await node.stop()
      await Promise.race([closed, setTimeout(1000).then(() => assert.fail('it is open still'))])
    } finally {
      session.destroy()
      await rm(directory, { recursive: true })
    }
  })
})
