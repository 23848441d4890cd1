import { describe } from 'node:test'
import fc from 'fast-check'
import {
  decodeCommand,
  decodeSessionChange,
  decodeTimeStamp,
  encodeCommand,
  encodeSessionChange,
  encodeTimeStamp,
} from '../../src/wire/command.ts'
import { decodeErrorDetail, encodeErrorDetail } from '../../src/wire/error-detail.ts'
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeClientHello,
  encodeServerHello,
  ServerFrameWriter,
} from '../../src/wire/frames.ts'
import type { ClientRequest, ClientRequestBody, ServerResponse } from '../../src/wire/frames.ts'
import { decodeLogState, encodeLogState } from '../../src/wire/log-state.ts'
import { decodePeerFrame, encodeHello, encodePeerFrame } from '../../src/wire/message.ts'
import { WireError } from '../../src/wire/protobuf.ts'
import { decodeCommandResult, encodeCommandResult } from '../../src/wire/result.ts'
import type { Command, SessionChange } from '../../src/wire/types.ts'
import { bytes, holdToContract, text, uint, uint32 } from './oracle.ts'
import {
  command,
  consistency,
  errorDetail,
  leaderHint,
  message,
  plainCommand,
  plainMessage,
  readResult,
  result,
} from './values.ts'

describe('what stands in the log', () => {
  holdToContract({
    message: 'Command',
    arbitrary: command,
    encode: encodeCommand,
    decode: decodeCommand,
    plain: plainCommand,
  })
  holdToContract({
    message: 'SessionChange',
    arbitrary: fc.oneof<fc.Arbitrary<SessionChange>[]>(
      fc.record({ type: fc.constant('open' as const), ttlMs: uint }),
      fc.record({ type: fc.constant('close' as const), session: uint }),
    ),
    encode: encodeSessionChange,
    decode: decodeSessionChange,
    plain: ({ type, ...body }) => ({ [type]: body }),
  })
  holdToContract({
    message: 'TimeStamp',
    arbitrary: uint,
    encode: encodeTimeStamp,
    decode: decodeTimeStamp,
    plain: (clusterTimeMs) => ({ clusterTimeMs }),
  })
  holdToContract({
    message: 'LogState',
    arbitrary: fc.record({
      batchNumber: uint,
      currentTerm: uint,
      votedFor: fc.option(
        text.filter((name) => name !== ''),
        { nil: undefined },
      ),
      firstIndex: uint,
      lastIndex: uint,
      lastChecksum: uint32,
      membershipIndex: uint,
      stateDirectory: text,
      boundary: fc.record({ index: uint, term: uint, checksum: uint32 }),
    }),
    encode: encodeLogState,
    decode: decodeLogState,
    plain: ({ boundary, votedFor, ...rest }) => ({
      ...rest,
      votedFor: votedFor ?? '',
      boundaryIndex: boundary.index,
      boundaryTerm: boundary.term,
      boundaryChecksum: boundary.checksum,
    }),
  })
})

describe('answers', () => {
  holdToContract({
    message: 'CommandResult',
    arbitrary: result,
    encode: encodeCommandResult,
    decode: decodeCommandResult,
    plain: (value) => value,
  })
  holdToContract({
    message: 'ErrorDetail',
    arbitrary: errorDetail,
    encode: encodeErrorDetail,
    decode: decodeErrorDetail,
    plain: (value) => value,
  })
})

describe('frames between nodes', () => {
  holdToContract({
    message: 'PeerFrame',
    arbitrary: fc.array(message, { maxLength: 5 }),
    encode: encodePeerFrame,
    decode: (frame) => decodePeerFrame(frame).messages,
    plain: (messages) => ({ messages: messages.map(plainMessage) }),
    // The numbers of entries are bound to their checksums and to the append's.
    freeNumbers: fc.array(
      message.map((value) => (value.type === 'append' ? { ...value, entries: [] } : value)),
      { maxLength: 5 },
    ),
  })
  holdToContract({
    message: 'PeerFrame',
    arbitrary: fc.record({
      protocolMin: uint32,
      protocolMax: uint32,
      clusterId: bytes,
      from: text,
      incarnation: uint,
      to: text,
      features: fc.array(text, { maxLength: 3 }),
      clientAddress: text,
      refusal: text,
    }),
    encode: encodeHello,
    decode: (frame) => present(decodePeerFrame(frame).hello),
    plain: (hello) => ({ hello }),
  })
})

/** A request with its command decoded, so that encodings which differ in bytes alone are equal. */
type OpenRequest = Omit<ClientRequest, 'body'> & {
  readonly body:
    Exclude<ClientRequestBody, { type: 'command' }> | { readonly type: 'command'; readonly command: Command }
}

const request: fc.Arbitrary<OpenRequest> = fc.record({
  id: uint,
  body: fc.oneof(
    fc.record({ type: fc.constant('command' as const), command }),
    fc.record({
      type: fc.constant('read' as const),
      keys: fc.array(bytes, { maxLength: 5 }),
      consistency,
      revision: uint,
    }),
    fc.record({ type: fc.constant('openSession' as const), ttlMs: uint }),
    fc.record({ type: fc.constant('closeSession' as const), session: uint }),
  ),
})

function closed({ id, body }: OpenRequest): ClientRequest {
  return { id, body: body.type === 'command' ? { ...body, command: encodeCommand(body.command) } : body }
}

function opened({ id, body }: ClientRequest): OpenRequest {
  return { id, body: body.type === 'command' ? { ...body, command: decodeCommand(body.command) } : body }
}

const CONSISTENCY = { linearizable: 'LINEARIZABLE', stale: 'STALE', lease: 'LEASE' }

function plainRequest({ id, body }: OpenRequest): object {
  switch (body.type) {
    case 'command':
      return { id, command: plainCommand(body.command) }
    case 'read':
      return {
        id,
        read: { keys: body.keys, consistency: CONSISTENCY[body.consistency], revision: body.revision },
      }
    case 'openSession':
      return { id, openSession: { ttlMs: body.ttlMs } }
    case 'closeSession':
      return { id, closeSession: { session: body.session } }
  }
}

const response: fc.Arbitrary<ServerResponse> = fc.record({
  id: uint,
  body: fc.oneof(
    result.map((value) => ({ type: 'result' as const, result: value })),
    readResult.map((value) => ({ type: 'read' as const, ...value })),
    errorDetail.map((error) => ({ type: 'error' as const, error })),
  ),
})

function encodeServerFrame(responses: readonly ServerResponse[]): Uint8Array {
  const writer = new ServerFrameWriter()
  for (const { id, body } of responses) {
    if (body.type === 'result') writer.result(id, body.result)
    else if (body.type === 'read') writer.read(id, body.revision, body.entries)
    else writer.error(id, body.error)
  }
  return writer.take()
}

function plainResponse({ id, body }: ServerResponse): object {
  if (body.type === 'result') return { id, result: body.result }
  if (body.type === 'error') return { id, error: body.error }
  return { id, read: { revision: body.revision, entries: body.entries.map((entry) => ({ entry })) } }
}

describe('frames between clients and nodes', () => {
  holdToContract({
    message: 'ClientFrame',
    arbitrary: fc.array(request, { maxLength: 5 }),
    encode: (requests) => encodeClientFrame(requests.map(closed)),
    decode: (frame) => {
      const { requests, refused } = decodeClientFrame(frame)
      for (const { error } of refused) throw error
      return requests.map(opened)
    },
    plain: (requests) => ({ requests: requests.map(plainRequest) }),
  })
  holdToContract({
    message: 'ClientFrame',
    arbitrary: fc.record({
      protocolMin: uint32,
      protocolMax: uint32,
      forward: fc.boolean(),
      clusterId: bytes,
    }),
    encode: encodeClientHello,
    decode: (frame) => present(decodeClientFrame(frame).hello),
    plain: (hello) => ({ hello }),
  })
  holdToContract({
    message: 'ServerFrame',
    arbitrary: fc.array(response, { maxLength: 5 }),
    encode: encodeServerFrame,
    decode: (frame) => decodeServerFrame(frame).responses,
    plain: (responses) => ({ responses: responses.map(plainResponse) }),
  })
  holdToContract({
    message: 'ServerFrame',
    arbitrary: fc.record({
      protocol: uint32,
      clusterId: bytes,
      nodeId: text,
      leader: fc.option(leaderHint, { nil: undefined }),
    }),
    encode: encodeServerHello,
    decode: (frame) => present(decodeServerFrame(frame).hello),
    plain: (hello) => ({ hello }),
  })
})

function present<T>(hello: T | undefined): T {
  if (hello === undefined) throw new WireError('the frame has no hello')
  return hello
}
