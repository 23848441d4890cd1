import type { LogPosition } from '../../raft/types.ts'

/** What a snapshot says about itself before its first chunk. */
export interface SnapshotMeta {
  /** The last entry that is in it: where a log that begins with this snapshot begins. */
  readonly position: LogPosition
  readonly revision: number
  /** History up to this revision is gone. */
  readonly compactedRevision: number
  readonly clusterTimeMs: number
  /** The set hash over everything that replicas at this position have in common, in hexadecimal. */
  readonly stateHash: string
  /** All of this as bytes, for peers and files: the state store's own sealed record; see `decodeSnapshotMeta`. */
  readonly encoded: Uint8Array
}

/** A consistent view of a state store as of its last written checkpoint, taken without stopping anything (§5). */
export interface StateSnapshot {
  readonly meta: SnapshotMeta
  /**
   * The rows in order, in chunks of about 256 KiB, read as they are asked for: back-pressure is not asking. One
   * snapshot gives the same chunks every time, so a transfer goes on where it broke off: `from` is what
   * `SnapshotBuilder.cursor` said. It belongs to this very snapshot: with another's, begin anew.
   *
   * Ends after the chunk that is marked as the last; there always is one. Throws DamagedDataError where a row is
   * not what was written, DiskError.
   */
  chunks(from?: SnapshotCursor): AsyncIterable<SnapshotChunk>
  /** Lets go of it. To be called whatever happened: the store keeps what it replaces while a snapshot holds it. */
  close(): Promise<void>
}

/** A place between two chunks of one snapshot. */
export interface SnapshotCursor {
  /** How many chunks come before it. */
  readonly chunks: number
  /** How many rows come before it. */
  readonly rows: number
  /** How many bytes of chunks come before it. */
  readonly bytes: number
  /** The key of the row before it. */
  readonly lastKey: Uint8Array
  /** How many bytes of that row's value come before it, where it cuts a long one. 0: it does not. */
  readonly cutAt: number
  /** The checksum of the chunk before it, which seeds that of the next. */
  readonly checksum: number
}

/** A part of a snapshot as peers and files have it. */
export interface SnapshotChunk {
  /** Everything about it, checksum included: what `SnapshotBuilder.add` takes. */
  readonly bytes: Uint8Array
  /** The place after it. */
  readonly end: SnapshotCursor
  /** Whether it is the snapshot's last. */
  readonly last: boolean
}

/** Builds a state store from a snapshot's chunks. What it has built counts for nothing before `finish`. */
export interface SnapshotBuilder {
  readonly meta: SnapshotMeta
  /** Where it stands, to go on from after a broken connection. Undefined before the first chunk. */
  readonly cursor: SnapshotCursor | undefined
  /** Whether the last chunk was added: all that is left is `finish`. */
  readonly complete: boolean
  /**
   * Checks the chunk and takes it; one at a time. Throws SnapshotError where the chunk is damaged or not the next
   * one; see there. DiskError and DiskFullError stop the node.
   */
  add(chunk: Uint8Array): Promise<void>
  /**
   * Holds the whole to its meta (number of rows, chain, the hash of present and sessions), makes it durable and
   * closes it. Throws SnapshotError where it is not what its meta says: then `discard`.
   */
  finish(): Promise<void>
  /** Removes what was built. Also after a `finish` that failed; not after one that did not. */
  discard(): Promise<void>
}

/** A chunk, or a whole snapshot, is not what it has to be: the sender's or the way's fault, not this disk's. */
export class SnapshotError extends Error {
  /** The chunk changed nothing: go on from `SnapshotBuilder.cursor`. Else discard what was built, and begin anew. */
  readonly resumable: boolean

  constructor(message: string, options: { cause?: unknown; resumable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SnapshotError'
    this.resumable = options.resumable ?? false
  }
}
