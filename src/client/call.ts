import {
  AbortedError,
  type BalsaError,
  OutcomeUnknownError,
  ResourceExhaustedError,
  SessionExpiredError,
  TimeoutError,
  UnavailableError,
} from '../errors.ts'
import { type ErrorDetail, toError } from '../wire/error-detail.ts'
import type { ReadResult } from '../wire/result.ts'
import type { ReadRequest } from '../wire/read-request.ts'
import type { CommandResult, Operation } from '../wire/types.ts'
import type { NodeStream } from './node-stream.ts'

/** What is asked, and who is told the answer. */
export type CallBody =
  | {
      readonly type: 'write'
      readonly operation: Operation
      readonly complete: (result: CommandResult) => void
    }
  | ({ readonly type: 'read'; readonly complete: (result: ReadResult) => void } & ReadRequest)

/** One call of the library's user, over all its tries. */
export class Call {
  /** Grows with each call; also the request's id on the wire, the same for every try. */
  readonly id: number
  readonly body: CallBody
  /** About how many bytes the request takes. */
  readonly size: number
  readonly timeoutMs: number
  /** On the client's clock, in milliseconds. */
  readonly deadline: number
  readonly reject: (error: BalsaError) => void
  /** The stream on which a try waits for its answer. */
  stream: NodeStream | undefined = undefined
  /** Whether an earlier try of a write may have been executed. Never taken back. */
  unknown = false
  /** The identity under which the nodes tell a repetition; 0: none yet. */
  session = 0
  sequence = 0
  /** Why the last try failed. It becomes an Error only where the call does: most calls succeed in the end. */
  lastReason: ErrorDetail | Error | undefined = undefined
  #signal: AbortSignal | undefined = undefined
  #onAbort: (() => void) | undefined = undefined

  constructor(
    id: number,
    body: CallBody,
    size: number,
    timeoutMs: number,
    deadline: number,
    reject: (error: BalsaError) => void,
  ) {
    this.id = id
    this.body = body
    this.size = size
    this.timeoutMs = timeoutMs
    this.deadline = deadline
    this.reject = reject
  }

  /** Whether it may have happened: an earlier try may have been executed, or one is on its way now. */
  get outcomeUnknown(): boolean {
    return this.body.type === 'write' && (this.unknown || this.stream !== undefined)
  }

  /** The try that is on its way ended without an answer. */
  lost(error: Error): void {
    if (this.body.type === 'write') this.unknown = true
    this.stream = undefined
    this.lastReason = error
  }

  /** The try that is on its way was answered with an error. */
  refused(detail: ErrorDetail): void {
    if (this.body.type === 'write' && !detail.notExecuted) this.unknown = true
    this.stream = undefined
    this.lastReason = detail
  }

  listen(signal: AbortSignal, onAbort: () => void): void {
    this.#signal = signal
    this.#onAbort = onAbort
    signal.addEventListener('abort', onAbort)
  }

  /** Lets go of the signal. */
  release(): void {
    if (this.#onAbort === undefined) return
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#signal = undefined
    this.#onAbort = undefined
  }

  /** What the call fails with when its time is over. `problem` says why no node can be asked, where none can. */
  deadlineError(problem: Error | undefined): BalsaError {
    const reason = (this.stream === undefined ? problem : undefined) ?? this.#lastError()
    const because = reason === undefined ? '' : `: ${reason.message}`
    const options = reason === undefined ? {} : { cause: reason }
    if (this.outcomeUnknown) {
      return new OutcomeUnknownError(
        `no answer within ${this.timeoutMs} ms; the write may or may not have happened${because}`,
        options,
      )
    }
    if (this.stream === undefined && (problem !== undefined || reason instanceof UnavailableError)) {
      return new UnavailableError(`nothing could serve this within ${this.timeoutMs} ms${because}`, options)
    }
    return new TimeoutError(`no answer within ${this.timeoutMs} ms${because}`, options)
  }

  /** What the call fails with where the last answer, `detail`, says that trying again is of no use. */
  refusalError(detail: ErrorDetail, triedBefore: boolean): BalsaError {
    const error = toError(detail, { write: this.body.type === 'write' })
    if (!triedBefore) return error
    return new OutcomeUnknownError(
      `an earlier try may or may not have happened; the last one was refused: ${detail.message}`,
      { cause: error },
    )
  }

  /** What a write fails with whose session is gone, where an earlier try may have been applied. */
  sessionExpiredError(): BalsaError {
    return new SessionExpiredError(
      'the session has expired; whether an earlier try of the write was applied cannot be told any more',
      { outcomeUnknown: true, cause: this.#lastError() },
    )
  }

  /** What the call fails with whose message was, as it seems, too large for somebody on the way. */
  tooLargeError(cause: Error): BalsaError {
    const why = `the connection ended because a message was too large: most likely this one, of about ${this.size} bytes`
    if (this.outcomeUnknown) {
      return new OutcomeUnknownError(`${why}; the write may or may not have happened`, { cause })
    }
    return new ResourceExhaustedError(why, { cause })
  }

  #lastError(): Error | undefined {
    const reason = this.lastReason
    if (reason === undefined || reason instanceof Error) return reason
    return toError(reason, { write: this.body.type === 'write' })
  }

  /** What the call fails with when its caller ends it, or the client is closed. */
  abortError(why: string, cause: unknown): BalsaError {
    if (this.outcomeUnknown) {
      return new OutcomeUnknownError(`${why}; the write may or may not have happened`, { cause })
    }
    return new AbortedError(why, { cause })
  }
}
