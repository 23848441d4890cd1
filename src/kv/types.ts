import type { LogEntry, LogPosition } from '../raft/types.ts'
import type { CommandResult, KeyRecord } from '../wire/types.ts'

export type {
  Command,
  CommandResult,
  Expectation,
  KeyEntry,
  KeyRecord,
  Operation,
  SessionChange,
} from '../wire/types.ts'

/** The state machine refused the entry, the same way on every node; nothing was changed. */
export interface CommandRefusal {
  readonly refused: 'SESSION_EXPIRED' | 'RESOURCE_EXHAUSTED' | 'INVALID_ARGUMENT'
  readonly message: string
}

export type ApplyResult = CommandResult | CommandRefusal

/** One change of the stored state; a value of undefined deletes the key. */
export type StateChange = readonly [key: Uint8Array, value: Uint8Array | undefined]

/** What the state machine reads of the state that is stored. */
export interface StateReader {
  /** Synchronous: a point lookup costs a few microseconds, a promise as much again. */
  get(key: Uint8Array): Uint8Array | undefined
  /** All pairs whose key begins with `prefix`, in order, in pages. */
  scan(prefix: Uint8Array): AsyncIterable<readonly [Uint8Array, Uint8Array][]>
}

/** The changes between two checkpoints, frozen at the end of an apply. */
export interface Checkpoint {
  /** The last entry whose effects are in it. */
  readonly upTo: LogPosition
  /** To be written as one synced batch. May be iterated once, over several turns of the event loop. */
  readonly changes: Iterable<StateChange>
  /** About how many bytes the batch has. */
  readonly bytes: number
}

/** What the server needs of a state machine. Everything is synchronous and deterministic. */
export interface StateMachine {
  /** Applies the next committed entry. Entries come in the order of their indexes, without gaps, each once. */
  apply(entry: LogEntry): ApplyResult
  /** The last entry applied. */
  readonly applied: LogPosition
  /** The store's revision. */
  readonly revision: number
  /** The newest time stamp applied, in milliseconds of cluster life. */
  readonly clusterTimeMs: number
  readonly sessionCount: number
  /** Bytes applied but not yet in a written checkpoint. */
  readonly unwrittenBytes: number
  /** The set hash over everything that replicas must have in common, in hexadecimal. */
  stateHash(): string
  /** A key's present, undefined where there is no such key. The bytes are not to be changed. */
  get(key: Uint8Array): KeyRecord | undefined
  /** Freezes what has changed since the last checkpoint. Undefined where nothing did, or while one is being written. */
  freeze(): Checkpoint | undefined
  /** The frozen checkpoint is durable. */
  checkpointWritten(): void
}
