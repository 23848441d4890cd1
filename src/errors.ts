/** Where the leader is, as a node that is not the leader knows it. */
export interface LeaderHint {
  readonly id: string
  /** As the leader advertises it; empty where it is not known yet. */
  readonly clientAddress: string
  readonly term: number
}

/** The stable codes of what a call can fail with. `docs/errors.md` explains each. */
export type ErrorCode =
  | 'UNAVAILABLE'
  | 'NOT_LEADER'
  | 'TIMEOUT'
  | 'OUTCOME_UNKNOWN'
  | 'INVALID_ARGUMENT'
  | 'RESOURCE_EXHAUSTED'
  | 'SESSION_EXPIRED'
  | 'COMPACTED'
  | 'DAMAGED'
  | 'ABORTED'

/**
 * The gRPC status that goes with each code in unary calls, for clients that know nothing of ours. Several codes
 * share one: the code itself is in the error detail.
 */
export const GRPC_STATUS = Object.freeze({
  UNAVAILABLE: 'UNAVAILABLE',
  NOT_LEADER: 'FAILED_PRECONDITION',
  TIMEOUT: 'DEADLINE_EXCEEDED',
  OUTCOME_UNKNOWN: 'UNKNOWN',
  INVALID_ARGUMENT: 'INVALID_ARGUMENT',
  RESOURCE_EXHAUSTED: 'RESOURCE_EXHAUSTED',
  SESSION_EXPIRED: 'FAILED_PRECONDITION',
  COMPACTED: 'OUT_OF_RANGE',
  DAMAGED: 'DATA_LOSS',
  ABORTED: 'CANCELLED',
} as const satisfies Record<ErrorCode, string>)

export interface BalsaErrorOptions {
  readonly cause?: unknown
  /** Whether the operation may have happened although it failed. */
  readonly outcomeUnknown?: boolean
}

/** What every call of Balsa fails with. Tell errors apart by `code`, never by the message. */
export abstract class BalsaError extends Error {
  abstract readonly code: ErrorCode
  /** Whether the same call may succeed later, unchanged. */
  abstract readonly retryable: boolean
  /** True: the operation may or may not have happened. False: it did not, and will not. */
  readonly outcomeUnknown: boolean

  constructor(message: string, options: BalsaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.outcomeUnknown = options.outcomeUnknown ?? false
  }
}

/** No leader is known, no majority can be reached, or no node answers. */
export class UnavailableError extends BalsaError {
  readonly code = 'UNAVAILABLE'
  readonly retryable = true
}

/** The node that was asked does not lead. The client library follows the hint by itself. */
export class NotLeaderError extends BalsaError {
  readonly code = 'NOT_LEADER'
  readonly retryable = true
  readonly leader: LeaderHint | undefined

  constructor(message: string, options: BalsaErrorOptions & { leader?: LeaderHint | undefined } = {}) {
    super(message, options)
    this.leader = options.leader
  }
}

/** The call's deadline passed, and the operation did not happen. */
export class TimeoutError extends BalsaError {
  readonly code = 'TIMEOUT'
  readonly retryable = true
}

/** The call ended (deadline, abort, lost connection) while a write was on its way: it may have happened. */
export class OutcomeUnknownError extends BalsaError {
  readonly code = 'OUTCOME_UNKNOWN'
  readonly retryable = false

  constructor(message: string, options: BalsaErrorOptions = {}) {
    super(message, { ...options, outcomeUnknown: true })
  }
}

/** The request itself is wrong: a key too long, a value too large, a condition missing. */
export class InvalidArgumentError extends BalsaError {
  readonly code = 'INVALID_ARGUMENT'
  readonly retryable = false
}

/** A limit is reached: too many waiting proposals, sessions or bytes. */
export class ResourceExhaustedError extends BalsaError {
  readonly code = 'RESOURCE_EXHAUSTED'
  readonly retryable = true
}

/** The store does not know the session (any more): whether an earlier try was applied cannot be told. */
export class SessionExpiredError extends BalsaError {
  readonly code = 'SESSION_EXPIRED'
  readonly retryable = false
}

/** The revision that was asked for has been compacted away. */
export class CompactedError extends BalsaError {
  readonly code = 'COMPACTED'
  readonly retryable = false
  /** The oldest revision that could still be read when the node answered. */
  readonly oldestRevision: number | undefined

  constructor(message: string, options: BalsaErrorOptions & { oldestRevision?: number | undefined } = {}) {
    super(message, options)
    this.oldestRevision = options.oldestRevision
  }
}

/** What is on disk is not what was written there. */
export class DamagedError extends BalsaError {
  readonly code = 'DAMAGED'
  readonly retryable = false
}

/** The caller ended the call, or the client was closed, before anything was sent. */
export class AbortedError extends BalsaError {
  readonly code = 'ABORTED'
  readonly retryable = false
}

/** Why a node cannot start or had to stop, with the exit code of its process. */
export abstract class StopError extends Error {
  abstract readonly exitCode: number

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
  }
}

/** A setting is wrong. The message says which, and how to put it right. */
export class ConfigurationError extends StopError {
  readonly exitCode = 2
}

/** The data directory lost or changed something that was synced. The message says what, and what to do. */
export class DamagedDataError extends StopError {
  readonly exitCode = 4
}

/** A write to disk failed: what it was writing counts as unknown, and the node stops. */
export class DiskError extends StopError {
  readonly exitCode = 5
}

/** There is no space left on the device. */
export class DiskFullError extends StopError {
  readonly exitCode = 6
}

/** The data directory is another node's, another cluster's, or of another format version. */
export class WrongDirectoryError extends StopError {
  readonly exitCode = 7
}

/** An invariant is broken: the node stops before it can do harm. */
export class BrokenInvariantError extends StopError {
  readonly exitCode = 70
}
