import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { pino } from 'pino'
import { BalsaClient, InvalidArgumentError } from '../../src/index.ts'
import type { ErrorDetail } from '../../src/wire/error-detail.ts'
import { resolveConfig } from '../../src/server/config.ts'
import { startNode } from '../../src/server/node.ts'
import type { RunningNode } from '../../src/server/node.ts'
import { loadProtos } from '../../src/wire/proto.ts'
import { readResultSize } from '../../src/wire/result.ts'
import { callUnary } from '../cluster/support/unary.ts'
import { PlainClient } from './support/plain-client.ts'

const KiB = 1024
const MiB = 1024 * KiB
const HELLO = { hello: { protocolMin: 1, protocolMax: 1 } }

/** A response as a client that is generated from the .proto sees it. */
interface PlainResponse {
  readonly id: number | string
  readonly error?: ErrorDetail
  readonly read?: { readonly entries: readonly { readonly entry: { readonly value: Buffer } }[] }
}

const closing: (() => unknown)[] = []
after(async () => {
  for (const close of closing.reverse()) await close()
})

/** A cluster of one. `limits`: settings of sizes, as they are typed. */
async function start(limits: Record<string, string> = {}): Promise<RunningNode> {
  const data = await mkdtemp(join(tmpdir(), 'balsa-sizes-'))
  closing.push(() => rm(data, { recursive: true }))
  const flags = {
    data,
    listen: '127.0.0.1:0',
    peerListen: '127.0.0.1:0',
    heartbeatMs: '10',
    electionMs: '50',
  }
  const { config } = resolveConfig({ flags: { ...flags, ...limits } })
  const node = await startNode(config, { logger: pino({ level: 'silent' }), version: '0' })
  closing.push(() => node.stop())
  return node
}

/** Sends frames after a hello, as a client generated from the .proto does, and returns all responses by their ids. */
async function exchange(address: string, frames: readonly object[]): Promise<Map<number, PlainResponse>> {
  const plain = new PlainClient(address, loadProtos().packageDefinition, 'balsa.v1.Kv')
  closing.push(() => plain.close())
  const answers = (await plain.stream('Exchange', [HELLO, ...frames])) as { responses?: PlainResponse[] }[]
  return new Map(answers.flatMap(({ responses = [] }) => responses).map((one) => [Number(one.id), one]))
}

const pairs = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, i) => [`k${i}`, Buffer.alloc(bytes)] as const)

describe('a request above a node’s limits', () => {
  let node: RunningNode
  let client: BalsaClient

  before(async () => {
    node = await start({ maxValueBytes: '16KiB', maxRequestBytes: '64KiB' })
    client = new BalsaClient({ endpoints: [node.clientAddress], timeoutMs: 60_000 })
    closing.push(() => client.close())
    await client.put('k', 'v')
  })

  it('is refused for certain, and no other call of the same client is held up', async () => {
    const large = client.putMany(pairs(3, MiB - 1)).catch((error: unknown) => error)
    const others = Array.from({ length: 50 }, (_, i) => client.put(`other ${i}`, 'v'))
    const error = await large
    assert.ok(error instanceof InvalidArgumentError)
    assert.equal(error.outcomeUnknown, false)
    assert.match(error.message, /the request has \d+ bytes, at most 65536 are allowed: split it/)
    assert.equal((await Promise.all(others)).length, 50)
  })

  it('is refused by itself on an Exchange stream, up to 16 MiB: the stream goes on', async () => {
    for (const address of [node.clientAddress, node.peerAddress]) {
      const put = { key: Buffer.from('k'), value: Buffer.alloc(15 * MiB) }
      const key = Buffer.alloc(4 * KiB, 'k')
      const responses = await exchange(address, [
        { requests: [{ id: 1, command: { put } }] },
        { requests: [{ id: 2, read: { keys: Array(17).fill(key) } }] },
        { requests: [{ id: 3, read: { keys: [Buffer.from('k')] } }] },
      ])
      for (const id of [1, 2]) {
        const { code, message, notExecuted } = responses.get(id)!.error!
        assert.deepEqual([code, notExecuted], ['INVALID_ARGUMENT', true])
        assert.match(message, /the request has \d+ bytes, at most 65536/)
      }
      assert.equal(String(responses.get(3)!.read!.entries[0]!.entry.value), 'v')
    }
  })

  it('is refused for certain where it is a unary call, however large it is', async () => {
    for (const bytes of [100 * KiB, 2 * MiB, 17 * MiB]) {
      const put = { key: Buffer.from('k'), value: Buffer.alloc(bytes) }
      const answer = await callUnary(node.clientAddress, 'Put', put)
      assert.ok('detail' in answer && answer.detail, JSON.stringify(answer))
      assert.deepEqual([answer.detail.code, answer.detail.notExecuted], ['INVALID_ARGUMENT', true])
    }
    const key = Buffer.alloc(4 * KiB, 'k')
    const read = await callUnary(node.clientAddress, 'GetMany', { keys: Array(17).fill(key) })
    assert.ok('detail' in read)
    assert.match(read.detail!.message, /the request has \d+ bytes, at most 65536/)
  })
})

describe('an answer on an Exchange stream', () => {
  let clientAddress: string
  let client: BalsaClient

  before(async () => {
    clientAddress = (await start()).clientAddress
    client = new BalsaClient({ endpoints: [clientAddress] })
    closing.push(() => client.close())
    await client.put('MiB', Buffer.alloc(MiB))
    await client.put('filler', Buffer.alloc(250_000))
  })

  const keysOf = (...names: string[]) => names.map((name) => Buffer.from(name))

  it('is in no message above the 4 MiB that gRPC clients take by default', async () => {
    // Together they have more, each of them less.
    const requests = [
      { id: 1, read: { keys: keysOf('filler') } },
      { id: 2, read: { keys: keysOf('MiB', 'MiB', 'MiB', 'filler', 'filler', 'filler', 'filler') } },
    ]
    const responses = await exchange(clientAddress, [{ requests }])
    assert.equal(responses.get(1)!.read!.entries.length, 1)
    assert.equal(responses.get(2)!.read!.entries.length, 7)
  })

  it('is refused where only what goes around it takes it above that', async () => {
    const names = ['MiB', 'MiB', 'MiB', 'last']
    await client.put('last', Buffer.alloc(MiB - 1000))
    const { revision, entries } = await client.read(names)
    const lacking =
      4 * MiB -
      readResultSize(
        revision,
        entries.map((entry) => ({ ...entry!, lease: 0 })),
      )
    await client.put('last', Buffer.alloc(MiB - 1000 + lacking))
    const responses = await exchange(clientAddress, [
      { requests: [{ id: 1, read: { keys: keysOf(...names) } }] },
    ])
    assert.equal(responses.get(1)!.error!.code, 'INVALID_ARGUMENT')
    assert.match(responses.get(1)!.error!.message, /ask for fewer keys at a time/)
  })
})
