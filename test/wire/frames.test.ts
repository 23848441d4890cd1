import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeCommand, encodeCommand } from '../../src/wire/command.ts'
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  ServerFrameWriter,
} from '../../src/wire/frames.ts'
import type { ClientRequest } from '../../src/wire/frames.ts'
import { decodePeerFrame } from '../../src/wire/message.ts'
import { MAX_ITEMS, WireError } from '../../src/wire/protobuf.ts'
import { MAX_REQUEST_ITEMS } from '../../src/wire/read-request.ts'
import { getManyRequest, putManyRequest } from '../../src/wire/unary.ts'
import { oracleOf } from './oracle.ts'

const put = encodeCommand({
  session: 1,
  sequence: 2,
  firstUnacked: 1,
  operation: { type: 'put', key: Buffer.from('k'), value: Buffer.from('v'.repeat(300)) },
})

describe('client frames', () => {
  it('carry the bytes of a command as they are', () => {
    const odd = Buffer.from('not a command at all')
    const frame = encodeClientFrame([
      { id: 1, body: { type: 'command', command: put } },
      { id: 2, body: { type: 'command', command: odd } },
      { id: 3, body: { type: 'command', command: Buffer.alloc(0) } },
    ])
    const { requests, refused } = decodeClientFrame(frame)
    assert.deepEqual(
      requests.map(({ id, body }) => [id, body.type === 'command' && Buffer.from(body.command)]),
      [
        [1, put],
        [2, odd],
        [3, Buffer.alloc(0)],
      ],
    )
    const [first] = requests
    assert.ok(first?.body.type === 'command')
    assert.equal(first.body.command.buffer, frame.buffer)
    assert.deepEqual(refused, [])
  })

  it('refuse one request and let the others stand', () => {
    const frame = oracleOf('ClientFrame').serialize({
      requests: [
        { id: 1, read: { keys: [Buffer.from('a')] } },
        { id: 2, read: { keys: [Buffer.from('a')], readContext: Buffer.from('x') } },
        { id: 3, read: { keys: [], consistency: 9 } },
        { id: 4 },
        { id: 5, openSession: {} },
      ],
    })
    const { requests, refused } = decodeClientFrame(frame)
    assert.deepEqual(
      requests.map(({ id }) => id),
      [1, 5],
    )
    assert.deepEqual(
      refused.map(({ id, error }) => [id, error.message]),
      [
        [2, 'the request has a read context, which this version does not know'],
        [3, 'the request asks for the consistency 9, which this version does not know'],
        [4, 'the request is of a kind that this version does not know'],
      ],
    )
  })

  it('with several bodies in a request mean the last one, as a oneof does', () => {
    const request = Buffer.from('0801' + '2200' + '2a020807', 'hex')
    const { requests } = decodeClientFrame(Buffer.concat([Buffer.from([0x12, request.length]), request]))
    assert.deepEqual(requests, [{ id: 1, body: { type: 'closeSession', session: 7 } }])
  })
})

describe('the writer of server frames', () => {
  it('counts what it gathers and begins anew when it is taken', () => {
    const writer = new ServerFrameWriter()
    assert.equal(writer.size, 0)
    assert.equal(writer.count, 0)
    writer.result(1, { revision: 9, succeeded: true, current: undefined, session: 0 })
    writer.read(2, 9, [undefined])
    const first = writer.take()
    assert.equal(writer.size, 0)
    assert.equal(writer.count, 0)
    writer.error(3, { code: 'TIMEOUT', message: 'late', notExecuted: true, leader: undefined })
    assert.equal(writer.count, 1)
    const size = writer.size
    const second = writer.take()
    assert.equal(second.length, size)
    assert.deepEqual(decodeServerFrame(first).responses, [
      {
        id: 1,
        body: { type: 'result', result: { revision: 9, succeeded: true, current: undefined, session: 0 } },
      },
      { id: 2, body: { type: 'read', revision: 9, entries: [undefined] } },
    ])
    assert.equal(decodeServerFrame(second).responses[0]?.id, 3)
    assert.equal(decodeServerFrame(writer.take()).responses.length, 0)
  })
})

describe('server frames', () => {
  it('with a response that is not known leave the outcome open', () => {
    const { responses } = decodeServerFrame(oracleOf('ServerFrame').serialize({ responses: [{ id: 4 }] }))
    assert.equal(responses[0]?.id, 4)
    assert.ok(responses[0].body.type === 'error')
    assert.equal(responses[0].body.error.code, 'UNAVAILABLE')
    assert.equal(responses[0].body.error.notExecuted, false)
  })
})

describe('messages of very many tiny items', () => {
  const many = (item: string): Buffer => Buffer.alloc((MAX_ITEMS + 1) * (item.length / 2), item, 'hex')

  it('are refused before they fill the memory', () => {
    assert.throws(() => decodeClientFrame(many('1200')), /more than 100000 requests/)
    assert.throws(() => decodeServerFrame(many('1200')), /more than 100000 responses/)
    assert.throws(() => getManyRequest.decode(many('0a00')), /at most 10000 keys/)
    assert.throws(() => putManyRequest.decode(many('0a00')), /at most 10000 pairs/)
    assert.throws(() => decodePeerFrame(many('1200')), WireError)
  })

  it('have as many keys and pairs as a request may have, and no more', () => {
    const keys = (count: number) => Buffer.alloc(3 * count, '0a016b', 'hex')
    const pairs = (count: number) => Buffer.alloc(5 * count, '0a030a016b', 'hex')
    assert.equal(getManyRequest.decode(keys(MAX_REQUEST_ITEMS)).keys.length, 10_000)
    assert.throws(() => getManyRequest.decode(keys(MAX_REQUEST_ITEMS + 1)), /at most 10000 keys: split it/)
    assert.equal(putManyRequest.decode(pairs(MAX_REQUEST_ITEMS)).operation.puts.length, 10_000)
    assert.throws(() => putManyRequest.decode(pairs(MAX_REQUEST_ITEMS + 1)), /at most 10000 pairs: split it/)
  })

  it('are refused alone where they stand in a frame with others', () => {
    const read = (id: number, count: number): ClientRequest => {
      const keys = Array<Buffer>(count).fill(Buffer.from('k'))
      return { id, body: { type: 'read', keys, consistency: 'stale', revision: 0 } }
    }
    const frame = encodeClientFrame([read(1, MAX_REQUEST_ITEMS), read(2, MAX_REQUEST_ITEMS + 1), read(3, 1)])
    const { requests, refused } = decodeClientFrame(frame)
    assert.deepEqual(
      requests.map(({ id }) => id),
      [1, 3],
    )
    assert.deepEqual(
      refused.map(({ id, error }) => [id, error.message]),
      [[2, 'a request has at most 10000 keys: split it']],
    )
  })

  it('are read where they stand in the log: an older version took them', () => {
    const puts = Array.from({ length: MAX_REQUEST_ITEMS + 1 }, () => ({
      key: put,
      value: put.subarray(0, 1),
    }))
    const command = {
      session: 0,
      sequence: 0,
      firstUnacked: 0,
      operation: { type: 'putMany', puts },
    } as const
    const { operation } = decodeCommand(encodeCommand(command))
    assert.ok(operation.type === 'putMany' && operation.puts.length === MAX_REQUEST_ITEMS + 1)
  })
})

describe('peer frames', () => {
  it('with a message that is not known are refused', () => {
    const frame = oracleOf('PeerFrame').serialize({ messages: [{ from: 'n1', to: 'n2', term: 1 }] })
    assert.throws(() => decodePeerFrame(frame), /a message has no body that this version knows/)
  })

  it('may have the fields of a message in any order', () => {
    const frame = Buffer.from('1206' + '5a020807' + '1803', 'hex')
    assert.deepEqual(decodePeerFrame(frame).messages, [
      { type: 'heartbeatReply', from: '', to: '', term: 3, readContext: 7 },
    ])
  })
})
