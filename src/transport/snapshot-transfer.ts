import type { NodeId } from '../raft/types.ts'
import type { SnapshotOffer } from '../wire/snapshot-frame.ts'

/** A snapshot that is to be brought to a peer, as a transport sees it: chunks of bytes, numbered from 1. */
export interface SnapshotSource {
  readonly offer: SnapshotOffer
  /**
   * The chunks after so many of them, read as they are asked for, the last one marked. Undefined where it cannot
   * begin there.
   */
  chunksAfter(
    chunks: number,
  ): AsyncIterable<{ readonly bytes: Uint8Array; readonly last: boolean }> | undefined
}

/** A transfer under way. */
export interface SnapshotTransfer {
  /** Resolves when it is over: whether the peer has the snapshot (or more). Rejects as the source does. */
  readonly done: Promise<boolean>
  /** Ends it. */
  cancel(): void
}

/** Where a snapshot goes that a peer brings. */
export interface SnapshotSink {
  /** So many chunks are there already. */
  readonly chunks: number
  /** All chunks are there: all that is left is `finish`. */
  readonly complete: boolean
  /** Takes the next chunk. Throws TransferError. */
  add(chunk: Uint8Array): Promise<void>
  /** Resolves when it is in force. Throws TransferError. */
  finish(): Promise<void>
}

/** What becomes of an offer: it is taken, or not needed, or refused, in words. */
export type SnapshotAnswer =
  | { readonly type: 'take'; readonly sink: SnapshotSink }
  | { readonly type: 'have' }
  | { readonly type: 'refuse'; readonly reason: string }

/** Who takes snapshots in. */
export interface SnapshotReceiver {
  offered(from: NodeId, offer: SnapshotOffer): Promise<SnapshotAnswer>
}

/** A chunk or a snapshot cannot be taken. */
export class TransferError extends Error {
  override readonly name = 'TransferError'
  /** Nothing is lost: it can go on where it was, over another connection. */
  readonly resumable: boolean

  constructor(message: string, options: { resumable: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.resumable = options.resumable
  }
}
