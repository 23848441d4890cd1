import type { HardState, LogEntry, LogIndex, LogPosition, Term, Write } from '../raft/types.ts'

/** What a node finds in its log when it starts. */
export interface RecoveredLog {
  readonly hardState: HardState
  /** The entry before the first one that the log holds: (0, 0, 0) until it is compacted. */
  readonly boundary: LogPosition
  readonly last: LogPosition
  /** Where each term begins in the log, in order: the first index of each run of entries of one term. */
  readonly termStarts: readonly { readonly term: Term; readonly index: LogIndex }[]
  /** The newest entries, consecutive, up to the last; about as many as fit in the bytes asked for. */
  readonly tail: readonly LogEntry[]
  /** The entry before the tail's first (where the tail is empty: the last one). */
  readonly tailPrevious: LogPosition
  /** What stands at the index that was asked for; undefined where the log does not reach it. */
  readonly anchor: LogPosition | undefined
  /** The state directory in force. */
  readonly stateDirectory: string
}

export interface OpenLogOptions {
  /** How many bytes of newest entries to return. */
  readonly tailBytes: number
  /** The index whose position is wanted: the last one that the state store holds. */
  readonly anchorIndex: LogIndex
  /** How far the places are apart at which the log can be cut, in bytes, about. Default: 256 KiB. */
  readonly cutStepBytes?: number
  /** Called now and then while a long log is read. */
  readonly progress?: (entriesRead: number, ofEntries: number) => void
}

/** The persisted log with term and vote. One write at a time. */
export interface LogStore {
  /** Reads and verifies all of it. Throws DamagedDataError where it is not what was synced. */
  open(options: OpenLogOptions): Promise<RecoveredLog>
  /**
   * Resolves when all writes, merged into one synced batch, are durable. A rejection is final: the node must stop.
   * A write with a reset comes alone.
   */
  append(writes: readonly Write[]): Promise<void>
  /**
   * The entries from `from` to `upTo` (both included), as many as fit in `maxBytes` but at least one, and what
   * stands before the first. Where the log ends before `from` or begins behind it (it was truncated or cut since
   * the caller looked): no entries, after LOG_START. Throws DamagedDataError where one is missing or broken.
   */
  read(
    from: LogIndex,
    upTo: LogIndex,
    maxBytes: number,
  ): Promise<{ previous: LogPosition; entries: LogEntry[] }>
  /** How many bytes of entries it holds, about. */
  readonly bytes: number
  /** The last place at or before `upTo` at which the log can be cut so that at least `keepBytes` stay behind it. */
  cutPoint(upTo: LogIndex, keepBytes: number): LogPosition | undefined
  /**
   * Everything up to a cut point is to go (§5). It goes with the next appends, piece by piece, so that nobody waits
   * for it; until then, and after a crash, some of it may still be there.
   */
  cut(upTo: LogPosition): void
  /** A piece is ready to go: even an append of nothing takes it off the disk. */
  readonly cutReady: boolean
  close(): Promise<void>
}
