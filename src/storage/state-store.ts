import type { CheckpointChanges, StateChange, StateReader } from '../kv/types.ts'
import type { StateSnapshot } from './snapshot/snapshot.ts'

/**
 * Where checkpoints of the state machine stand: plain ordered bytes, whose meaning is the state machine's
 * (`src/kv/layout.ts`). It lags behind the log and never contradicts it.
 */
export interface StateStore extends StateReader {
  /** A checkpoint that a crash cut off is taken back. */
  open(): Promise<void>
  /**
   * Writes a checkpoint, or nothing of it that anybody sees: neither after a crash nor by `scan` and `snapshot`, which
   * wait for its end where they must. `get` may find what is in it before that.
   *
   * @param pieceBytes about so much of what may be written in several batches goes into one
   */
  writeCheckpoint(checkpoint: CheckpointChanges, pieceBytes: number): Promise<void>
  /** One synced, atomic batch; it is built in slices, so that a large one does not hold up the event loop. */
  write(changes: Iterable<StateChange>): Promise<void>
  /** Checks the files that it stands on, slowly. Rejects with DamagedDataError or DiskError. Absent: it has none. */
  verifyFiles?(pace: (bytes: number) => Promise<void>): Promise<void>
  /** Gives the space of what was deleted between two keys back. Beside everything else; to be asked for seldom. */
  reclaim(from: Uint8Array, upTo: Uint8Array): Promise<void>
  /**
   * A view of the last checkpoint that was written, to be closed before the store is. Undefined where none was yet.
   * Throws DamagedDataError where its record cannot be trusted.
   */
  snapshot(): Promise<StateSnapshot | undefined>
  close(): Promise<void>
}
