import type { Logger } from 'pino'
import type { LogIndex, LogPosition, NodeId, SnapshotRequest } from '../raft/types.ts'
import type { SnapshotCursor, StateSnapshot } from '../storage/snapshot/snapshot.ts'
import type { SnapshotSource, SnapshotTransfer } from '../transport/snapshot-transfer.ts'
import type { Transport } from '../transport/transport.ts'

/** A receiver is never further behind the last chunk sent than this many of them. */
const KEPT_CURSORS = 64

export interface SnapshotSendingParts {
  readonly transport: Pick<Transport, 'sendSnapshot'>
  readonly logger: Logger
  /** A view of the last checkpoint; undefined where there is none. */
  snapshot(): Promise<StateSnapshot | undefined>
  /** Begins the numbers of this process's snapshots: those of an earlier one must not be taken for them. */
  readonly firstId: number
}

interface Sending {
  readonly request: SnapshotRequest
  position: LogPosition | undefined
  transfer: SnapshotTransfer | undefined
  cancelled: boolean
}

/** The snapshots that a leader brings its followers: each its own view of the state, several at a time (§5). */
export class SnapshotSending {
  readonly #parts: SnapshotSendingParts
  readonly #underWay = new Set<Sending>()
  #nextId: number

  constructor(parts: SnapshotSendingParts) {
    this.#parts = parts
    this.#nextId = parts.firstId
  }

  /** Resolves to what the follower has by it; undefined: it does not have it. Rejects where this node's disk fails. */
  async send(request: SnapshotRequest): Promise<LogPosition | undefined> {
    const sending: Sending = { request, position: undefined, transfer: undefined, cancelled: false }
    this.#underWay.add(sending)
    try {
      const snapshot = await this.#parts.snapshot()
      if (snapshot === undefined) return undefined
      try {
        return await this.#bring(sending, snapshot)
      } finally {
        await snapshot.close()
      }
    } finally {
      this.#underWay.delete(sending)
    }
  }

  /** The first entry that a follower lacks when it has the snapshot that is on its way to it; Infinity: there is none. */
  get heldIndex(): LogIndex {
    let held = Infinity
    for (const { position } of this.#underWay) held = Math.min(held, position?.index ?? Infinity)
    return held
  }

  /** To whom snapshots are on their way. */
  get receivers(): readonly NodeId[] {
    return [...this.#underWay].map(({ request }) => request.to)
  }

  /** This node leads no more, or stops. */
  cancel(): void {
    for (const sending of this.#underWay) {
      sending.cancelled = true
      sending.transfer?.cancel()
    }
  }

  async #bring(sending: Sending, snapshot: StateSnapshot): Promise<LogPosition | undefined> {
    if (sending.cancelled) return undefined
    const { to, term } = sending.request
    const { position, encoded } = snapshot.meta
    sending.position = position
    const { logger, transport } = this.#parts
    logger.info({ peer: to, index: position.index }, `bringing ${to} a snapshot`)
    const source = new Source(snapshot, { term, id: this.#nextId++, meta: encoded })
    sending.transfer = transport.sendSnapshot(to, source)
    const delivered = await sending.transfer.done
    const { chunks, bytes } = source
    if (delivered) logger.info({ peer: to, index: position.index, chunks, bytes }, `${to} has the snapshot`)
    else logger.warn({ peer: to, index: position.index, chunks, bytes }, `${to} did not get the snapshot`)
    return delivered ? position : undefined
  }
}

/** A snapshot as the transport sees it: by the numbers of its chunks. */
class Source implements SnapshotSource {
  readonly offer: SnapshotSource['offer']
  readonly #snapshot: StateSnapshot
  /** Where the newest chunks end, by how many come before. */
  readonly #cursors = new Map<number, SnapshotCursor>()
  chunks = 0
  bytes = 0

  constructor(snapshot: StateSnapshot, offer: SnapshotSource['offer']) {
    this.#snapshot = snapshot
    this.offer = offer
  }

  chunksAfter(chunks: number): ReturnType<SnapshotSource['chunksAfter']> {
    const cursor = this.#cursors.get(chunks)
    if (cursor === undefined && chunks > 0) return undefined
    return this.#read(cursor)
  }

  async *#read(from: SnapshotCursor | undefined): AsyncGenerator<{ bytes: Uint8Array; last: boolean }> {
    for await (const { bytes, end, last } of this.#snapshot.chunks(from)) {
      this.#cursors.set(end.chunks, end)
      this.#cursors.delete(end.chunks - KEPT_CURSORS)
      this.chunks = end.chunks
      this.bytes = end.bytes
      yield { bytes, last }
    }
  }
}
