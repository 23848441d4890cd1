import type { LogEntry, LogPosition } from '../raft/types.ts'
import type { CommandResult, KeyRecord } from '../wire/types.ts'
import type { RetentionPolicy } from './retention.ts'

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

/** What a checkpoint writes. Each may be iterated once, over several turns of the event loop. */
export interface CheckpointChanges {
  /**
   * History, and after it the present that it is the way back from: to be written in this order, in as many synced
   * batches as one likes.
   */
  readonly early: Iterable<StateChange>
  /** All the rest, to be written after that as one synced batch: with it, the checkpoint counts. */
  readonly final: Iterable<StateChange>
}

/** The changes between two checkpoints, frozen at the end of an apply. */
export interface Checkpoint extends CheckpointChanges {
  /** The last entry whose effects are in it. */
  readonly upTo: LogPosition
  /** About how many bytes all that has. */
  readonly bytes: number
  /** History that it deletes: how many bytes, and between which keys. */
  readonly freed: FreedSpace | undefined
}

/** What is deleted, and where. */
export interface FreedSpace {
  readonly bytes: number
  readonly from: Uint8Array
  readonly upTo: Uint8Array
}

/** The past that was asked for cannot be read: it is compacted away, not there yet, or too much at a time. */
export interface PastRefusal {
  readonly refused: 'COMPACTED' | 'INVALID_ARGUMENT'
  readonly message: string
  /** The oldest revision that can be read. */
  readonly oldestRevision: number
}

/** A read of keys as they were at a revision, in pieces: it may have to look through much of history. */
export interface PastRead {
  /**
   * Goes on until it is through, or has looked through about `maxBytes`, where looking for a key costs some too; with 0
   * it looks for one key's present, which costs next to nothing.
   *
   * @returns for each key, in their order, what it was, undefined where there was no such key; or the refusal, also
   *   where a compaction came in between or the answer gets too large; undefined: there is more to do.
   * @throws DamagedDataError where history is not what was written.
   */
  advance(maxBytes: number): readonly (KeyRecord | undefined)[] | PastRefusal | undefined
}

/** What the server needs of a state machine. Everything is synchronous and deterministic. */
export interface StateMachine {
  /** Applies the next committed entry. Entries come in the order of their indexes, without gaps, each once. */
  apply(entry: LogEntry): ApplyResult
  /** The last entry applied. */
  readonly applied: LogPosition
  /** The store's revision. */
  readonly revision: number
  /** The oldest revision that can be read. */
  readonly compactedRevision: number
  /** The newest time stamp applied, in milliseconds of cluster life. */
  readonly clusterTimeMs: number
  readonly sessionCount: number
  /** Bytes applied but not yet in a written checkpoint. */
  readonly unwrittenBytes: number
  /** About how many bytes of memory those take, with what stands around them: of small records the most of it. */
  readonly unwrittenMemoryBytes: number
  /** The set hash over everything that replicas must have in common, in hexadecimal. */
  stateHash(): string
  /** A key's present, undefined where there is no such key. The bytes are not to be changed. */
  get(key: Uint8Array): KeyRecord | undefined
  /** Begins to read keys as they were at a revision, from 1. The answer may have `maxBytes` bytes on the wire. */
  readAt(keys: readonly Uint8Array[], revision: number, maxBytes: number): PastRead
  /** The revision that history can be compacted to by that policy; undefined where there is nothing to compact. */
  compactionTarget(policy: RetentionPolicy): number | undefined
  /** Freezes what has changed since the last checkpoint. Undefined where nothing did, or while one is being written. */
  freeze(): Checkpoint | undefined
  /** The frozen checkpoint is durable. */
  checkpointWritten(): void
}
