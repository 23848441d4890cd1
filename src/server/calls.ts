import type { ErrorDetail } from '../wire/error-detail.ts'
import type { CommandResult, KeyEntry, StateMachine } from '../kv/types.ts'
import type { EntryKind } from '../raft/types.ts'

/**
 * Something that wants to be appended to the log and answered when it is applied. An object with methods
 * rather than a promise: there are tens of thousands of them a second.
 */
export interface WriteCall {
  readonly kind: EntryKind
  readonly data: Uint8Array
  /** Whether it is refused while the disk is nearly full. Absent: no, it takes next to nothing, or frees some. */
  readonly takesSpace?: boolean
  /** It was applied; this is the answer. */
  succeed(result: CommandResult): void
  fail(detail: ErrorDetail): void
}

/** A read that waits until the leader is sure that it still leads. */
export interface ReadCall {
  /** Now is the moment to read. */
  serve(machine: StateMachine): void
  fail(detail: ErrorDetail): void
}

/** A read that wants the present by `serve`, or what was at an older revision by `found`. */
export interface ReadReply extends ReadCall {
  /** What the keys were at `revision`, in their order: no more than an answer may have. */
  found(revision: number, entries: readonly (KeyEntry | undefined)[]): void
}
