import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { WireError } from '../../src/wire/protobuf.ts'
import type { Consistency } from '../../src/wire/read-request.ts'
import type { Command } from '../../src/wire/types.ts'
import {
  closeSessionRequest,
  closeSessionResponse,
  compareAndSwapRequest,
  compareAndSwapResponse,
  compactRequest,
  compactResponse,
  deleteRequest,
  deleteResponse,
  getManyRequest,
  getManyResponse,
  getRequest,
  getResponse,
  openSessionRequest,
  openSessionResponse,
  putManyRequest,
  putManyResponse,
  putRequest,
  putResponse,
} from '../../src/wire/unary.ts'
import { bytes, holdToContract, oracleOf, uint } from './oracle.ts'
import { commandOf, consistency, maybeEntry, operations, plainExpectation, readResult } from './values.ts'

function header({ session, sequence, firstUnacked }: Command): object {
  return { header: { session, sequence, firstUnacked } }
}

/** Each of the oracle's absent headers is a header of zeros: both mean that there is no session. */
const asIs = <T extends object>(value: T): object => value

const CONSISTENCY: Record<Consistency, number> = { linearizable: 0, stale: 1, lease: 2 }

describe('unary reads', () => {
  holdToContract({
    message: 'GetRequest',
    arbitrary: fc.record({ key: bytes, consistency, revision: uint }),
    ...getRequest,
    plain: ({ consistency, ...rest }) => ({ ...rest, consistency: CONSISTENCY[consistency] }),
  })
  holdToContract({
    message: 'GetResponse',
    arbitrary: fc.record({ revision: uint, entry: maybeEntry }),
    ...getResponse,
    plain: asIs,
  })
  holdToContract({
    message: 'GetManyRequest',
    arbitrary: fc.record({ keys: fc.array(bytes, { maxLength: 5 }), consistency, revision: uint }),
    ...getManyRequest,
    plain: ({ consistency, ...rest }) => ({ ...rest, consistency: CONSISTENCY[consistency] }),
  })
  holdToContract({
    message: 'GetManyResponse',
    arbitrary: readResult,
    ...getManyResponse,
    plain: ({ revision, entries }) => ({ revision, entries: entries.map((entry) => ({ entry })) }),
  })
})

/** With a session: a header of zeros is left out by us and written by the oracle. */
const inSession = <T extends Command>(command: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  command.filter(({ session }) => session > 0)

describe('unary writes', () => {
  holdToContract({
    message: 'PutRequest',
    arbitrary: inSession(commandOf(operations.put)),
    ...putRequest,
    plain: (command) => ({ key: command.operation.key, value: command.operation.value, ...header(command) }),
  })
  holdToContract({
    message: 'PutManyRequest',
    arbitrary: inSession(commandOf(operations.putMany)),
    ...putManyRequest,
    plain: (command) => ({ pairs: command.operation.puts, ...header(command) }),
  })
  holdToContract({
    message: 'DeleteRequest',
    arbitrary: inSession(commandOf(operations.delete)),
    ...deleteRequest,
    plain: (command) => ({ key: command.operation.key, ...header(command) }),
  })
  holdToContract({
    message: 'CompareAndSwapRequest',
    arbitrary: inSession(commandOf(operations.cas)),
    ...compareAndSwapRequest,
    plain: (command) => {
      const { key, newValue, expected } = command.operation
      return { key, newValue, ...plainExpectation(expected), ...header(command) }
    },
  })
  holdToContract({
    message: 'CompactRequest',
    arbitrary: inSession(commandOf(operations.compact)),
    ...compactRequest,
    plain: (command) => ({ revision: command.operation.revision, ...header(command) }),
  })
  const revision = { arbitrary: fc.record({ revision: uint }), plain: asIs }
  holdToContract({ message: 'PutResponse', ...revision, ...putResponse })
  holdToContract({ message: 'PutManyResponse', ...revision, ...putManyResponse })
  holdToContract({ message: 'CompactResponse', ...revision, ...compactResponse })
  holdToContract({
    message: 'DeleteResponse',
    arbitrary: fc.record({ revision: uint, deleted: fc.boolean() }),
    ...deleteResponse,
    plain: asIs,
  })
  holdToContract({
    message: 'CompareAndSwapResponse',
    arbitrary: fc.record({ revision: uint, succeeded: fc.boolean(), current: maybeEntry }),
    ...compareAndSwapResponse,
    plain: asIs,
  })

  it('without a session has no header', () => {
    const command = {
      session: 0,
      sequence: 0,
      firstUnacked: 0,
      operation: { type: 'put' as const, key: Buffer.from('k'), value: Buffer.from('v') },
    }
    assert.deepEqual(putRequest.decode(putRequest.encode(command)), command)
    assert.deepEqual(putRequest.encode(command), Buffer.from('0a016b120176', 'hex'))
  })
})

describe('unary sessions', () => {
  const session = { arbitrary: fc.record({ session: uint }), plain: asIs }
  holdToContract({
    message: 'OpenSessionRequest',
    arbitrary: fc.record({ ttlMs: uint }),
    ...openSessionRequest,
    plain: asIs,
  })
  holdToContract({ message: 'OpenSessionResponse', ...session, ...openSessionResponse })
  holdToContract({ message: 'CloseSessionRequest', ...session, ...closeSessionRequest })
  holdToContract({
    message: 'CloseSessionResponse',
    arbitrary: fc.constant({}),
    ...closeSessionResponse,
    plain: asIs,
  })
})

describe('what a request asks for and this version does not do', () => {
  const cases: [string, (bytes: Uint8Array) => unknown, object, RegExp][] = [
    ['GetRequest', getRequest.decode, { readContext: Buffer.from('x') }, /a read context/],
    ['GetRequest', getRequest.decode, { consistency: 7 }, /consistency 7/],
    ['GetManyRequest', getManyRequest.decode, { readContext: Buffer.from('x') }, /a read context/],
    ['PutRequest', putRequest.decode, { lease: 3 }, /a lease/],
    ['PutRequest', putRequest.decode, { previous: true }, /the previous value/],
    ['PutManyRequest', putManyRequest.decode, { pairs: [{ lease: 3 }] }, /a lease/],
    ['DeleteRequest', deleteRequest.decode, { previous: true }, /the previous value/],
    ['CompareAndSwapRequest', compareAndSwapRequest.decode, { absent: true, lease: 3 }, /a lease/],
    ['CompareAndSwapRequest', compareAndSwapRequest.decode, { absent: false }, /can only be true/],
    ['CompareAndSwapRequest', compareAndSwapRequest.decode, { newValue: Buffer.from('x') }, /no condition/],
  ]
  for (const [message, decode, plain, words] of cases) {
    it(`${message} with ${JSON.stringify(plain)} is refused in words`, () => {
      const request = oracleOf(message).serialize(plain)
      assert.throws(
        () => decode(request),
        (error: unknown) => error instanceof WireError && words.test(error.message),
      )
    })
  }
})
