import type { AppendEntries, Message, RequestVote, RequestVoteReply } from '../raft/types.ts'
import { decodeEntries, encodedRuns } from './entry.ts'
import { NO_BYTES, Reader, WireError, Writer } from './protobuf.ts'

/** The first frame of each side of a peer stream. */
export interface Hello {
  readonly protocolMin: number
  readonly protocolMax: number
  /** Hash of the cluster's name and its initial members. */
  readonly clusterId: Uint8Array
  readonly from: string
  /** Drawn at random when the sender's data directory was made. */
  readonly incarnation: number
  readonly to: string
  readonly features: readonly string[]
  /** Advertised to clients. */
  readonly clientAddress: string
  /** Why the stream is refused, in words. Empty: it is not. */
  readonly refusal: string
}

/** A frame of a peer stream, decoded: a hello, or messages. */
export interface PeerFrame {
  readonly hello: Hello | undefined
  readonly messages: Message[]
}

/** Encodes the first frame of a peer stream. */
export function encodeHello(hello: Hello): Uint8Array {
  const writer = new Writer(256)
  writeHello(writer, hello)
  return writer.finish()
}

/** Writes a hello as field 1 of a frame. */
export function writeHello(writer: Writer, hello: Hello): void {
  const begun = writer.begin(1)
  writer.optionalUint(1, hello.protocolMin)
  writer.optionalUint(2, hello.protocolMax)
  writer.optionalBytes(3, hello.clusterId)
  writer.optionalString(4, hello.from)
  writer.optionalUint(5, hello.incarnation)
  writer.optionalString(6, hello.to)
  for (const feature of hello.features) writer.string(7, feature)
  writer.optionalString(8, hello.clientAddress)
  writer.optionalString(9, hello.refusal)
  writer.end(begun)
}

/** Encodes a frame of messages. The bytes of an append's entries are copied as they are, not encoded again. */
export function encodePeerFrame(messages: readonly Message[]): Uint8Array {
  const writer = new Writer(messages.reduce((sum, message) => sum + sizeHint(message), 0))
  for (const message of messages) {
    const begun = writer.begin(2)
    writeMessage(writer, message)
    writer.end(begun)
  }
  return writer.finish()
}

/** About how large a message is, and not less where node ids are short. */
function sizeHint(message: Message): number {
  let size = 128
  if (message.type === 'append') for (const entry of message.entries) size += entry.size
  return size
}

function writeMessage(writer: Writer, message: Message): void {
  writer.optionalString(1, message.from)
  writer.optionalString(2, message.to)
  writer.optionalUint(3, message.term)
  const body = writer.begin(BODY_FIELD[message.type])
  switch (message.type) {
    case 'preVote':
    case 'vote':
      writer.optionalUint(1, message.lastLogIndex)
      writer.optionalUint(2, message.lastLogTerm)
      break
    case 'preVoteReply':
    case 'voteReply':
      writer.optionalBool(1, message.granted)
      break
    case 'append':
      for (const run of encodedRuns(message.entries)) writer.raw(run)
      writer.optionalUint(2, message.prevLogIndex)
      writer.optionalUint(3, message.prevLogTerm)
      writer.optionalFixed32(4, message.prevChecksum)
      writer.optionalUint(5, message.leaderCommit)
      break
    case 'appendReply':
      writer.optionalBool(1, message.success)
      writer.optionalUint(2, message.matchIndex)
      writer.optionalUint(3, message.conflictIndex)
      writer.optionalUint(4, message.conflictTerm)
      break
    case 'heartbeat':
      writer.optionalUint(1, message.leaderCommit)
      writer.optionalUint(2, message.readContext)
      break
    case 'heartbeatReply':
      writer.optionalUint(1, message.readContext)
      writer.optionalUint(2, message.lowSpaceBytes ?? 0)
      break
  }
  writer.end(body)
}

const BODY_FIELD: Readonly<Record<Message['type'], number>> = Object.freeze({
  preVote: 4,
  preVoteReply: 5,
  vote: 6,
  voteReply: 7,
  append: 8,
  appendReply: 9,
  heartbeat: 10,
  heartbeatReply: 11,
})

/**
 * Decodes a frame of a peer stream. The entries of each append are verified (their chained checksums, from the
 * message's prevChecksum on) and lie in a buffer of their own, or in the frame where that is little else: keeping them
 * keeps up to a third more in memory.
 *
 * Throws a WireError (of entries that do not fit a ChecksumError): then nothing of the frame counts.
 */
export function decodePeerFrame(bytes: Uint8Array): PeerFrame {
  const reader = new Reader(bytes)
  let hello: Hello | undefined
  const messages: Message[] = []
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x12) messages.push(readMessage(reader.nested()))
    else if (tag === 0x0a) hello = readHello(reader.nested())
    else reader.skip(tag)
  }
  return { hello, messages }
}

/** Reads a hello. Throws a WireError for what is none. */
export function readHello(reader: Reader): Hello {
  let clusterId: Uint8Array = NO_BYTES
  let protocolMin = 0
  let protocolMax = 0
  let incarnation = 0
  let from = ''
  let to = ''
  let clientAddress = ''
  let refusal = ''
  const features: string[] = []
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x08:
        protocolMin = reader.uint32()
        break
      case 0x10:
        protocolMax = reader.uint32()
        break
      case 0x1a:
        clusterId = Uint8Array.from(reader.bytes()) // A copy: it is kept.
        break
      case 0x22:
        from = reader.string()
        break
      case 0x28:
        incarnation = reader.uint()
        break
      case 0x32:
        to = reader.string()
        break
      case 0x3a:
        features.push(reader.string())
        break
      case 0x42:
        clientAddress = reader.string()
        break
      case 0x4a:
        refusal = reader.string()
        break
      default:
        reader.skip(tag)
    }
  }
  return { protocolMin, protocolMax, clusterId, from, incarnation, to, features, clientAddress, refusal }
}

interface Envelope {
  readonly from: string
  readonly to: string
  readonly term: number
}

/** Reads a message in any order of its fields: the body is found first and read when the envelope is whole. */
function readMessage(reader: Reader): Message {
  let from = ''
  let to = ''
  let term = 0
  let field = 0
  let body: Reader | undefined
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x0a:
        from = reader.string()
        break
      case 0x12:
        to = reader.string()
        break
      case 0x18:
        term = reader.uint()
        break
      case 0x22:
      case 0x2a:
      case 0x32:
      case 0x3a:
      case 0x42:
      case 0x4a:
      case 0x52:
      case 0x5a:
        field = tag >>> 3
        body = reader.nested()
        break
      default:
        reader.skip(tag)
    }
  }
  if (body === undefined) throw new WireError('a message has no body that this version knows')
  return readBody({ from, to, term }, field, body)
}

/** What comes all the time is written out, not spread: V8 takes a microsecond for each property after a spread. */
function readBody(envelope: Envelope, field: number, body: Reader): Message {
  const { from, to, term } = envelope
  switch (field) {
    case BODY_FIELD.preVote:
      return readVote(envelope, 'preVote', body)
    case BODY_FIELD.preVoteReply:
      return readVoteReply(envelope, 'preVoteReply', body)
    case BODY_FIELD.vote:
      return readVote(envelope, 'vote', body)
    case BODY_FIELD.voteReply:
      return readVoteReply(envelope, 'voteReply', body)
    case BODY_FIELD.append:
      return readAppend(envelope, body)
    case BODY_FIELD.appendReply: {
      const [success, matchIndex, conflictIndex, conflictTerm] = readNumbers(body)
      return {
        type: 'appendReply',
        from,
        to,
        term,
        success: success !== 0,
        matchIndex,
        conflictIndex,
        conflictTerm,
      }
    }
    case BODY_FIELD.heartbeat: {
      const [leaderCommit, readContext] = readNumbers(body)
      return { type: 'heartbeat', from, to, term, leaderCommit, readContext }
    }
    default: {
      const [readContext, lowSpaceBytes] = readNumbers(body)
      const reply = { type: 'heartbeatReply', from, to, term, readContext } as const
      return lowSpaceBytes === 0 ? reply : { ...reply, lowSpaceBytes }
    }
  }
}

function readVote(envelope: Envelope, type: RequestVote['type'], body: Reader): RequestVote {
  const [lastLogIndex, lastLogTerm] = readNumbers(body)
  return { type, ...envelope, lastLogIndex, lastLogTerm }
}

function readVoteReply(envelope: Envelope, type: RequestVoteReply['type'], body: Reader): RequestVoteReply {
  const [granted] = readNumbers(body)
  return { type, ...envelope, granted: granted !== 0 }
}

/** Reads the varint fields 1 to 4 of a message that has no other known ones. */
function readNumbers(body: Reader): [number, number, number, number] {
  const numbers: [number, number, number, number] = [0, 0, 0, 0]
  for (let tag = body.tag(); tag !== 0; tag = body.tag()) {
    if (tag === 0x08) numbers[0] = body.uint()
    else if (tag === 0x10) numbers[1] = body.uint()
    else if (tag === 0x18) numbers[2] = body.uint()
    else if (tag === 0x20) numbers[3] = body.uint()
    else body.skip(tag)
  }
  return numbers
}

function readAppend({ from, to, term }: Envelope, body: Reader): AppendEntries {
  let prevLogIndex = 0
  let prevLogTerm = 0
  let prevChecksum = 0
  let leaderCommit = 0
  const runs: Uint8Array[] = []
  let runStart = -1
  for (;;) {
    const start = body.position
    const tag = body.tag()
    if (tag === 0x0a) {
      if (runStart < 0) runStart = start
      body.skip(tag)
      continue
    }
    if (runStart >= 0) {
      runs.push(body.buffer.subarray(runStart, start))
      runStart = -1
    }
    if (tag === 0) break
    switch (tag) {
      case 0x10:
        prevLogIndex = body.uint()
        break
      case 0x18:
        prevLogTerm = body.uint()
        break
      case 0x25:
        prevChecksum = body.fixed32()
        break
      case 0x28:
        leaderCommit = body.uint()
        break
      default:
        body.skip(tag)
    }
  }
  const entries = runs.length === 0 ? [] : decodeEntries(ownBytes(runs), prevChecksum)
  const first = entries[0]
  if (first !== undefined && (first.index !== prevLogIndex + 1 || first.term < prevLogTerm)) {
    throw new WireError(`entry ${first.index} does not follow the append's prevLogIndex ${prevLogIndex}`)
  }
  return {
    type: 'append',
    from,
    to,
    term,
    prevLogIndex,
    prevLogTerm,
    prevChecksum,
    entries,
    leaderCommit,
  }
}

/** What of the memory that a run lies in may be something else. */
const REST = 1 / 4

/**
 * The bytes one after the other, in memory that holds little else, for as long as entries are kept: what it holds beside
 * them stays as long. A large message has memory of its own, and next to nothing but entries.
 */
function ownBytes(runs: readonly Uint8Array[]): Uint8Array {
  const [run] = runs
  if (runs.length === 1 && run!.length >= run!.buffer.byteLength * (1 - REST)) return run!
  const copy = Buffer.allocUnsafeSlow(runs.reduce((sum, run) => sum + run.length, 0))
  let position = 0
  for (const run of runs) {
    copy.set(run, position)
    position += run.length
  }
  return copy
}
