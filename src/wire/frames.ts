import type { LeaderHint } from '../errors.ts'
import { readOnlyNumber } from './command.ts'
import { readErrorDetail, readLeaderHint, writeErrorDetail, writeLeaderHint } from './error-detail.ts'
import type { ErrorDetail } from './error-detail.ts'
import {
  assertRoom,
  bytesFieldSize,
  NO_BYTES,
  optionalUintSize,
  Reader,
  WireError,
  Writer,
} from './protobuf.ts'
import { readReadRequest, readRequestSize, writeReadRequest } from './read-request.ts'
import type { ReadRequest } from './read-request.ts'
import {
  commandResultSize,
  readCommandResult,
  readReadResult,
  readResultSize,
  writeCommandResult,
  writeReadResult,
} from './result.ts'
import type { ReadResult } from './result.ts'
import type { CommandResult, KeyEntry } from './types.ts'

export type { Consistency } from './read-request.ts'

// ---- what clients send ----

/** The first frame of a client's stream. */
export interface ClientHello {
  readonly protocolMin: number
  readonly protocolMax: number
  /** A follower passes this stream on to the leader instead of redirecting. */
  readonly forward: boolean
  /** Empty: any cluster; else a node of another cluster refuses. */
  readonly clusterId: Uint8Array
}

export interface ClientRequest {
  /** The client's own; the response carries it. */
  readonly id: number
  readonly body: ClientRequestBody
}

export type ClientRequestBody =
  /** An encoded Command: the bytes that will stand in the log. */
  | { readonly type: 'command'; readonly command: Uint8Array }
  | ({ readonly type: 'read' } & ReadRequest)
  | { readonly type: 'openSession'; readonly ttlMs: number }
  | { readonly type: 'closeSession'; readonly session: number }

/** A request that cannot be understood, or asks for what this version does not know, while its frame is whole. */
export interface RefusedRequest {
  readonly id: number
  /** Why, in words for the client. Nothing of the request was done. */
  readonly error: WireError
}

/** A client's frame, decoded: a hello, or requests. */
export interface ClientFrame {
  readonly hello: ClientHello | undefined
  /** In the order in which they were sent. */
  readonly requests: ClientRequest[]
  /** To be answered with INVALID_ARGUMENT. */
  readonly refused: RefusedRequest[]
}

/** Encodes the first frame of a client's stream. */
export function encodeClientHello(hello: ClientHello): Uint8Array {
  const writer = new Writer(64)
  const begun = writer.begin(1)
  writer.optionalUint(1, hello.protocolMin)
  writer.optionalUint(2, hello.protocolMax)
  writer.optionalBool(3, hello.forward)
  writer.optionalBytes(4, hello.clusterId)
  writer.end(begun)
  return writer.finish()
}

/** Encodes a frame of requests. Commands go in as they are. */
export function encodeClientFrame(requests: readonly ClientRequest[]): Uint8Array {
  const writer = new Writer(requests.reduce((sum, request) => sum + requestSizeHint(request), 0))
  for (const request of requests) writeRequest(writer, request)
  return writer.finish()
}

/** About how many bytes a request takes, and not less. */
function requestSizeHint({ body }: ClientRequest): number {
  if (body.type === 'command') return 24 + body.command.length
  return body.type === 'read' ? 24 + readRequestSize(body.keys) : 32
}

function writeRequest(writer: Writer, { id, body }: ClientRequest): void {
  if (body.type === 'command') {
    writer.head(2, optionalUintSize(id) + bytesFieldSize(body.command.length))
    writer.optionalUint(1, id)
    writer.bytes(2, body.command)
    return
  }
  const request = writer.begin(2)
  writer.optionalUint(1, id)
  if (body.type === 'read') {
    const read = writer.begin(3)
    writeReadRequest(writer, body)
    writer.end(read)
  } else {
    const number = body.type === 'openSession' ? body.ttlMs : body.session
    writer.head(body.type === 'openSession' ? 4 : 5, optionalUintSize(number))
    writer.optionalUint(1, number)
  }
  writer.end(request)
}

/**
 * Decodes a client's frame. Commands and keys are views of `bytes`; commands are not decoded here.
 *
 * Throws a WireError where the frame itself is broken. A request that is broken within is in `refused`, and the
 * others stand.
 */
export function decodeClientFrame(bytes: Uint8Array): ClientFrame {
  const reader = new Reader(bytes)
  let hello: ClientHello | undefined
  const requests: ClientRequest[] = []
  const refused: RefusedRequest[] = []
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x12) {
      assertRoom(requests.length + refused.length, 'requests')
      readRequest(reader.nested(), requests, refused)
    } else if (tag === 0x0a) hello = readClientHello(reader.nested())
    else reader.skip(tag)
  }
  return { hello, requests, refused }
}

function readClientHello(reader: Reader): ClientHello {
  let protocolMin = 0
  let protocolMax = 0
  let forward = false
  let clusterId: Uint8Array = NO_BYTES
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) protocolMin = reader.uint32()
    else if (tag === 0x10) protocolMax = reader.uint32()
    else if (tag === 0x18) forward = reader.bool()
    else if (tag === 0x22) clusterId = Uint8Array.from(reader.bytes())
    else reader.skip(tag)
  }
  return { protocolMin, protocolMax, forward, clusterId }
}

function readRequest(reader: Reader, requests: ClientRequest[], refused: RefusedRequest[]): void {
  let id = 0
  let field = 0
  let body: Reader | undefined
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x08:
        id = reader.uint()
        break
      case 0x12:
      case 0x1a:
      case 0x22:
      case 0x2a:
        field = tag >>> 3
        body = reader.nested()
        break
      default:
        reader.skip(tag)
    }
  }
  try {
    requests.push({ id, body: readRequestBody(field, body) })
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    refused.push({ id, error })
  }
}

function readRequestBody(field: number, body: Reader | undefined): ClientRequestBody {
  if (body === undefined) throw new WireError('the request is of a kind that this version does not know')
  switch (field) {
    case 2:
      return { type: 'command', command: body.rest() }
    case 3: {
      const { keys, consistency, revision } = readReadRequest(body)
      return { type: 'read', keys, consistency, revision }
    }
    case 4:
      return { type: 'openSession', ttlMs: readOnlyNumber(body) }
    default:
      return { type: 'closeSession', session: readOnlyNumber(body) }
  }
}

// ---- what nodes answer ----

/** The first frame of a node's side of a stream. */
export interface ServerHello {
  readonly protocol: number
  readonly clusterId: Uint8Array
  readonly nodeId: string
  /** Where the leader is, if the node knows. */
  readonly leader: LeaderHint | undefined
}

export interface ServerResponse {
  /** The request's. */
  readonly id: number
  readonly body: ServerResponseBody
}

export type ServerResponseBody =
  | { readonly type: 'result'; readonly result: CommandResult }
  | ({ readonly type: 'read' } & ReadResult)
  | { readonly type: 'error'; readonly error: ErrorDetail }

/** A node's frame, decoded: a hello, or responses. */
export interface ServerFrame {
  readonly hello: ServerHello | undefined
  readonly responses: ServerResponse[]
}

/** Encodes the first frame of a node's side of a stream. */
export function encodeServerHello(hello: ServerHello): Uint8Array {
  const writer = new Writer(128)
  const begun = writer.begin(1)
  writer.optionalUint(1, hello.protocol)
  writer.optionalBytes(2, hello.clusterId)
  writer.optionalString(3, hello.nodeId)
  if (hello.leader !== undefined) writeLeaderHint(writer, 4, hello.leader)
  writer.end(begun)
  return writer.finish()
}

/** Gathers responses and makes frames of them. */
export class ServerFrameWriter {
  #writer = new Writer(0)
  #count = 0

  /** The bytes gathered since the last `take`. */
  get size(): number {
    return this.#writer.length
  }

  /** The responses gathered since the last `take`. */
  get count(): number {
    return this.#count
  }

  /** Answers a command, or the opening or closing of a session. */
  result(id: number, result: CommandResult): void {
    const size = commandResultSize(result)
    this.#begin(id, 2, size)
    writeCommandResult(this.#writer, result)
  }

  /** Answers a read: `entries` in the order of the keys that were asked for, undefined for no such key. */
  read(id: number, revision: number, entries: readonly (KeyEntry | undefined)[]): void {
    this.#begin(id, 3, readResultSize(revision, entries))
    writeReadResult(this.#writer, revision, entries)
  }

  error(id: number, detail: ErrorDetail): void {
    this.#count++
    const response = this.#writer.begin(2)
    this.#writer.optionalUint(1, id)
    const error = this.#writer.begin(4)
    writeErrorDetail(this.#writer, detail)
    this.#writer.end(error)
    this.#writer.end(response)
  }

  /** The frame with all that was gathered; the next one begins. */
  take(): Uint8Array {
    const frame = this.#writer.finish()
    this.#writer = new Writer(0)
    this.#count = 0
    return frame
  }

  #begin(id: number, field: number, size: number): void {
    this.#count++
    const response = optionalUintSize(id) + bytesFieldSize(size)
    this.#writer.reserve(response + 8)
    this.#writer.head(2, response)
    this.#writer.optionalUint(1, id)
    this.#writer.head(field, size)
  }
}

/**
 * Decodes a node's frame. Keys and values are views of `bytes`: who keeps one keeps the whole frame in memory.
 * A response of a kind that this version does not know becomes an UNAVAILABLE of unknown outcome.
 *
 * Throws a WireError for what is not a frame.
 */
export function decodeServerFrame(bytes: Uint8Array): ServerFrame {
  const reader = new Reader(bytes)
  let hello: ServerHello | undefined
  const responses: ServerResponse[] = []
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x12) {
      assertRoom(responses.length, 'responses')
      responses.push(readResponse(reader.nested()))
    } else if (tag === 0x0a) hello = readServerHello(reader.nested())
    else reader.skip(tag)
  }
  return { hello, responses }
}

function readServerHello(reader: Reader): ServerHello {
  let protocol = 0
  let clusterId: Uint8Array = NO_BYTES
  let nodeId = ''
  let leader: LeaderHint | undefined
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) protocol = reader.uint32()
    else if (tag === 0x12) clusterId = Uint8Array.from(reader.bytes())
    else if (tag === 0x1a) nodeId = reader.string()
    else if (tag === 0x22) leader = readLeaderHint(reader.nested())
    else reader.skip(tag)
  }
  return { protocol, clusterId, nodeId, leader }
}

const UNKNOWN_RESPONSE: ErrorDetail = Object.freeze({
  code: 'UNAVAILABLE',
  message: 'the server answered in a way that this version does not know',
  notExecuted: false,
  leader: undefined,
})

function readResponse(reader: Reader): ServerResponse {
  let id = 0
  let body: ServerResponseBody = { type: 'error', error: UNKNOWN_RESPONSE }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x08:
        id = reader.uint()
        break
      case 0x12:
        body = { type: 'result', result: readCommandResult(reader.nested()) }
        break
      case 0x1a: {
        const { revision, entries } = readReadResult(reader.nested())
        body = { type: 'read', revision, entries }
        break
      }
      case 0x22:
        body = { type: 'error', error: readErrorDetail(reader.nested()) }
        break
      default:
        reader.skip(tag)
    }
  }
  return { id, body }
}
