import {
  AbortedError,
  BalsaError,
  CompactedError,
  DamagedError,
  InvalidArgumentError,
  NotLeaderError,
  OutcomeUnknownError,
  ResourceExhaustedError,
  SessionExpiredError,
  TimeoutError,
  UnavailableError,
} from '../errors.ts'
import type { ErrorCode, LeaderHint } from '../errors.ts'
import { Reader, WireError, Writer } from './protobuf.ts'

/** An error as it goes over the wire (message ErrorDetail of kv.proto): data, never text to be parsed. */
export interface ErrorDetail {
  readonly code: ErrorCode
  readonly message: string
  /** The request that is answered did nothing and will not. What an earlier try of the same write did, it does not say. */
  readonly notExecuted: boolean
  /** Of NOT_LEADER, where it is known. */
  readonly leader: LeaderHint | undefined
  /** Of RESOURCE_EXHAUSTED: somebody has to act before it gets better, so that trying again soon is of no use. */
  readonly lasting?: boolean
  /** Of COMPACTED: the oldest revision that can still be read. */
  readonly oldestRevision?: number
}

/** The wire's numbers: enum ErrorCode of kv.proto, from 1. */
const CODES: readonly ErrorCode[] = Object.freeze([
  'UNAVAILABLE',
  'NOT_LEADER',
  'TIMEOUT',
  'OUTCOME_UNKNOWN',
  'INVALID_ARGUMENT',
  'RESOURCE_EXHAUSTED',
  'SESSION_EXPIRED',
  'COMPACTED',
  'DAMAGED',
  'ABORTED',
])

/** Encodes an error, for the trailer `balsa-error-bin` of a unary call. */
export function encodeErrorDetail(detail: ErrorDetail): Uint8Array {
  const writer = new Writer(128)
  writeErrorDetail(writer, detail)
  return writer.finish()
}

/** Decodes what `encodeErrorDetail` made. Throws a WireError for what is none. */
export function decodeErrorDetail(bytes: Uint8Array): ErrorDetail {
  return readErrorDetail(new Reader(bytes))
}

/** Writes the fields of an error, without a head. */
export function writeErrorDetail(writer: Writer, detail: ErrorDetail): void {
  writer.uint(1, CODES.indexOf(detail.code) + 1)
  writer.optionalString(2, detail.message)
  writer.optionalBool(3, detail.notExecuted)
  if (detail.leader !== undefined) writeLeaderHint(writer, 4, detail.leader)
  writer.optionalBool(5, detail.lasting ?? false)
  writer.optionalUint(6, detail.oldestRevision ?? 0)
}

/**
 * Reads the fields of an error up to the reader's end. A code that this version does not know (a newer server's)
 * becomes UNAVAILABLE, with the number in the message: `not_executed` keeps its meaning whatever the code.
 */
export function readErrorDetail(reader: Reader): ErrorDetail {
  let code = 0
  let message = ''
  let notExecuted = false
  let leader: LeaderHint | undefined
  let lasting: { lasting: true } | undefined
  let oldest: { oldestRevision: number } | undefined
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x08:
        code = reader.uint32()
        break
      case 0x12:
        message = reader.string()
        break
      case 0x18:
        notExecuted = reader.bool()
        break
      case 0x22:
        leader = readLeaderHint(reader.nested())
        break
      case 0x28:
        if (reader.bool()) lasting = { lasting: true }
        break
      case 0x30:
        oldest = { oldestRevision: reader.uint() }
        break
      default:
        reader.skip(tag)
    }
  }
  const known = CODES[code - 1]
  if (known !== undefined) return { code: known, message, notExecuted, leader, ...lasting, ...oldest }
  const words = `the server answered with error code ${code}, which this version does not know`
  return {
    code: 'UNAVAILABLE',
    message: message === '' ? words : `${words}: ${message}`,
    notExecuted,
    leader,
  }
}

/** Writes where the leader is, as field `field`. */
export function writeLeaderHint(writer: Writer, field: number, hint: LeaderHint): void {
  const begun = writer.begin(field)
  writer.optionalString(1, hint.id)
  writer.optionalString(2, hint.clientAddress)
  writer.optionalUint(3, hint.term)
  writer.end(begun)
}

/** Reads where the leader is, up to the reader's end. */
export function readLeaderHint(reader: Reader): LeaderHint {
  let id = ''
  let clientAddress = ''
  let term = 0
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) id = reader.string()
    else if (tag === 0x12) clientAddress = reader.string()
    else if (tag === 0x18) term = reader.uint()
    else reader.skip(tag)
  }
  return { id, clientAddress, term }
}

/**
 * The error that a caller gets who asked once. The outcome of a write is unknown unless the detail says that it was
 * not executed; a read has no outcome that could be unknown.
 */
export function toError(detail: ErrorDetail, { write }: { write: boolean }): BalsaError {
  const { message, leader } = detail
  const options = { outcomeUnknown: write && !detail.notExecuted }
  switch (detail.code) {
    case 'UNAVAILABLE':
      return new UnavailableError(message, options)
    case 'NOT_LEADER':
      return new NotLeaderError(message, { ...options, leader })
    case 'TIMEOUT':
      return new TimeoutError(message, options)
    case 'OUTCOME_UNKNOWN':
      return new OutcomeUnknownError(message)
    case 'INVALID_ARGUMENT':
      return new InvalidArgumentError(message, options)
    case 'RESOURCE_EXHAUSTED':
      return new ResourceExhaustedError(message, options)
    case 'SESSION_EXPIRED':
      return new SessionExpiredError(message, options)
    case 'COMPACTED':
      return new CompactedError(message, { ...options, oldestRevision: detail.oldestRevision })
    case 'DAMAGED':
      return new DamagedError(message, options)
    case 'ABORTED':
      return new AbortedError(message, options)
  }
}

/**
 * What to tell a client of an error. A BalsaError keeps its code; its outcome is its own, or known to be none
 * where `notExecuted` says so.
 *
 * @param options.notExecuted it is certain that nothing was done: the error came before anything was proposed.
 * Only then is a WireError the request's fault, an INVALID_ARGUMENT. Everything else becomes UNAVAILABLE in
 * words of our own: what went wrong inside a node stands in its log.
 */
export function toErrorDetail(error: unknown, options: { notExecuted?: boolean } = {}): ErrorDetail {
  const notExecuted = options.notExecuted ?? false
  if (error instanceof BalsaError) {
    return {
      code: error.code,
      message: error.message,
      notExecuted: notExecuted || !error.outcomeUnknown,
      leader: error instanceof NotLeaderError ? error.leader : undefined,
      ...(error instanceof CompactedError &&
        error.oldestRevision !== undefined && { oldestRevision: error.oldestRevision }),
    }
  }
  if (error instanceof WireError && notExecuted) {
    return { code: 'INVALID_ARGUMENT', message: error.message, notExecuted, leader: undefined }
  }
  const message = 'the node failed while it answered; its log says more'
  return { code: 'UNAVAILABLE', message, notExecuted, leader: undefined }
}
