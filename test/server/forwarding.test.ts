import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { Forwarder } from '../../src/server/forwarder.ts'
import { ERROR_TRAILER } from '../../src/server/grpc-errors.ts'
import { KvFront } from '../../src/server/kv-front.ts'
import type { WriteCall } from '../../src/server/calls.ts'
import { grpcHandlers } from '../../src/server/grpc-calls.ts'
import { unaryHandlers } from '../../src/server/kv-service.ts'
import { answerDirectly } from '../../src/server/answer-directly.ts'
import { encodeCommand } from '../../src/wire/command.ts'
import { decodeErrorDetail } from '../../src/wire/error-detail.ts'
import type { ErrorDetail } from '../../src/wire/error-detail.ts'
import { kvMethods } from '../../src/wire/services.ts'
import { putRequest } from '../../src/wire/unary.ts'

const LIMITS = { maxKeyBytes: 100, maxValueBytes: 100, maxRequestBytes: 1000 }

const closing: (() => void)[] = []

afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A node that takes writes as `write` says, and passes on to `peers` what it refuses with their name. */
async function listen(write: (call: WriteCall) => void, peers: Map<string, string>): Promise<string> {
  const never = (): void => assert.fail('nobody reads here')
  const front = new KvFront({ write, read: never, readApplied: never }, LIMITS, { begin: never })
  const forwarder = new Forwarder(peers, { 'grpc.use_local_subchannel_pool': 1 })
  const server = new Server()
  const refuse = (): void => assert.fail('no stream is opened here')
  const handlers = unaryHandlers(front, forwarder)
  server.addService(kvMethods, { ...grpcHandlers(handlers), Exchange: refuse })
  closing.push(() => {
    server.forceShutdown()
    forwarder.close()
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error)
    })
  })
  answerDirectly(server, { unary: { handlers, maxBytes: LIMITS.maxRequestBytes }, windowBytes: 1 << 20 })
  return `127.0.0.1:${port}`
}

function refusesFor(leader: string): (call: WriteCall) => void {
  const hint = { id: leader, clientAddress: '', term: 1 }
  return (call) =>
    call.fail({ code: 'NOT_LEADER', message: `${leader} leads`, notExecuted: true, leader: hint })
}

/** Puts something through a node. Resolves to what it answers where it fails. */
function put(address: string): Promise<ErrorDetail> {
  const { path, requestSerialize, responseDeserialize } = kvMethods.Put
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  closing.push(() => client.close())
  const operation = { type: 'put', key: Buffer.from('k'), value: Buffer.from('v') } as const
  const request = putRequest.encode({ session: 0, sequence: 0, firstUnacked: 0, operation })
  return new Promise((resolve, reject) => {
    const answered = (error: ServiceError | null): void => {
      const [trailer] = error?.metadata.get(ERROR_TRAILER) ?? []
      if (trailer instanceof Buffer) resolve(decodeErrorDetail(trailer))
      else reject(error ?? new Error('the put succeeded'))
    }
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, answered)
  })
}

describe('a request that a follower passes on', () => {
  it('goes one hop, also where two nodes take each other for the leader', async () => {
    const asked: string[] = []
    const peers = new Map<string, string>()
    const node = (id: string, other: string): Promise<string> =>
      listen((call) => {
        asked.push(id)
        // A loop must end, or it takes the machine with it.
        if (asked.length < 10) refusesFor(other)(call)
        else call.fail({ code: 'UNAVAILABLE', message: 'a loop', notExecuted: true, leader: undefined })
      }, peers)
    peers.set('a', await node('a', 'b'))
    peers.set('b', await node('b', 'a'))
    const { code, notExecuted, leader } = await put(peers.get('a')!)
    assert.deepEqual(asked, ['a', 'b'])
    assert.deepEqual([code, notExecuted, leader?.id], ['NOT_LEADER', true, 'a'])
  })

  it('arrives as it was sent', async () => {
    const arrived: Uint8Array[] = []
    const takes = (call: WriteCall): void => {
      arrived.push(call.data)
      call.fail({ code: 'RESOURCE_EXHAUSTED', message: 'full', notExecuted: true, leader: undefined })
    }
    const follower = await listen(refusesFor('b'), new Map([['b', await listen(takes, new Map())]]))
    const { code, notExecuted } = await put(follower)
    assert.deepEqual(
      [code, notExecuted],
      ['RESOURCE_EXHAUSTED', true],
      'the leader’s own word goes on as it is',
    )
    const operation = { type: 'put', key: Buffer.from('k'), value: Buffer.from('v') } as const
    const sent = encodeCommand({ session: 0, sequence: 0, firstUnacked: 0, operation })
    assert.deepEqual(
      arrived.map((data) => Buffer.from(data)),
      [Buffer.from(sent)],
    )
  })

  it('may have been executed where the leader cannot be reached', async () => {
    const address = await listen(() => assert.fail('it is gone'), new Map())
    closing.pop()!()
    const { code, notExecuted } = await put(await listen(refusesFor('b'), new Map([['b', address]])))
    assert.deepEqual([code, notExecuted], ['UNAVAILABLE', false])
  })

  it('may have been executed where the leader takes it and dies', async () => {
    const dies: (() => void)[] = []
    const leader = await listen(() => dies[0]!(), new Map())
    dies.push(closing.pop()!)
    const { code, notExecuted } = await put(await listen(refusesFor('b'), new Map([['b', leader]])))
    assert.deepEqual([code, notExecuted], ['UNAVAILABLE', false])
  })
})
