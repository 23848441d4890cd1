import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { connectMethod, exchangeMethod, kvMethods, loadProtos } from '../../src/wire/proto.ts'
import type { StatusResponse } from '../../src/wire/proto.ts'
import { getRequest, getResponse } from '../../src/wire/unary.ts'

const protos = loadProtos()

describe('methods that carry bytes', () => {
  it('are those of the .proto files', () => {
    const kv = protos.packageDefinition['balsa.v1.Kv'] as grpc.ServiceDefinition
    assert.deepEqual(Object.keys(kvMethods).sort(), Object.keys(kv).sort())
    for (const [name, ours] of Object.entries(kvMethods)) {
      const theirs = kv[name]!
      assert.equal(ours.path, theirs.path)
      assert.equal(ours.requestStream, theirs.requestStream)
      assert.equal(ours.responseStream, theirs.responseStream)
    }
    const raft = protos.packageDefinition['balsa.v1.Raft'] as grpc.ServiceDefinition
    assert.equal(connectMethod.path, raft['Connect']!.path)
    assert.equal(exchangeMethod.path, '/balsa.v1.Kv/Exchange')
    assert.equal(protos.statusMethod.path, '/balsa.v1.Cluster/Status')
  })

  it('make a Buffer of any bytes without copying them', () => {
    const bytes = new Uint8Array(Uint8Array.from([1, 2, 3, 4]).buffer, 1, 2)
    const buffer = exchangeMethod.requestSerialize(bytes)
    assert.deepEqual([...buffer], [2, 3])
    assert.equal(buffer.buffer, bytes.buffer)
  })
})

describe('a client that knows the .proto files only', () => {
  const server = new grpc.Server()
  let client: grpc.Client

  before(async () => {
    server.addService(
      { Get: kvMethods.Get },
      {
        Get: (call: grpc.ServerUnaryCall<Uint8Array, Uint8Array>, done: grpc.sendUnaryData<Uint8Array>) => {
          const { key, consistency } = getRequest.decode(call.request)
          const value = Buffer.from(`${Buffer.from(key).toString()} ${consistency}`)
          const entry = { key, value, createRevision: 1, modRevision: 2 ** 53 - 1, version: 3, lease: 0 }
          done(null, getResponse.encode({ revision: 7, entry }))
        },
      },
    )
    const credentials = grpc.ServerCredentials.createInsecure()
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port))),
    )
    const Kv = grpc.makeGenericClientConstructor(
      protos.packageDefinition['balsa.v1.Kv'] as grpc.ServiceDefinition,
      'Kv',
    )
    client = new Kv(`127.0.0.1:${port}`, grpc.credentials.createInsecure())
  })

  after(() => {
    client.close()
    server.forceShutdown()
  })

  it('understands what our codecs answer', async () => {
    const get = (
      client as unknown as Record<string, (request: object, done: grpc.requestCallback<object>) => void>
    )['Get']!.bind(client)
    const request = { key: Buffer.from('k'), consistency: 'STALE' }
    const answer = await new Promise<object | undefined>((resolve, reject) =>
      get(request, (error, response) => (error ? reject(error) : resolve(response))),
    )
    assert.deepEqual(answer, {
      revision: 7,
      entry: {
        key: Buffer.from('k'),
        value: Buffer.from('k stale'),
        createRevision: 1,
        modRevision: 2 ** 53 - 1,
        version: 3,
        lease: 0,
      },
      clusterTimeMs: 0,
    })
  })
})

describe('Cluster.Status', () => {
  it('comes back as it was', () => {
    const status: StatusResponse = {
      id: 'n1',
      clusterId: Buffer.from('cluster'),
      clusterName: 'balsa',
      clientAddress: 'localhost:7001',
      peerAddress: 'localhost:8001',
      role: 'leader',
      term: 3,
      leader: 'n1',
      commitIndex: 2 ** 53 - 1,
      lastApplied: 4,
      firstIndex: 1,
      lastIndex: 5,
      revision: 6,
      health: 'serving',
      stateHash: 'abcd',
      pid: 7,
      version: '0.1.0',
      dataDir: 'data',
      sessions: 8,
      clusterTimeMs: 9,
      checkpointIndex: 2,
      compactedRevision: 1,
      disk: {
        logBytes: 1,
        stateBytes: 2,
        freeBytes: 3,
        totalBytes: 4,
        lowOnSpace: true,
        checkpointAgeMs: 5,
      },
      peers: [
        {
          id: 'n2',
          peerAddress: 'localhost:8002',
          clientAddress: '',
          connected: false,
          refusal: 'of another cluster',
          progress: 'probe',
          matchIndex: 0,
          nextIndex: 6,
          inFlightBytes: 0,
        },
      ],
    }
    const { responseSerialize, responseDeserialize } = protos.statusMethod
    assert.deepEqual(responseDeserialize(responseSerialize(status)), status)
  })
})
