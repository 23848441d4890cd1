import { bytesFieldSize, Writer } from '../wire/protobuf.ts'
import { numberedKey, Prefix, sealedRecord } from './layout.ts'
import type { KvTuning } from './limits.ts'
import type { StoredRecord } from './record.ts'
import type { StateChange } from './types.ts'

/** One change of one key. */
export interface Change {
  /** The new record; of a deletion, the tombstone. Its modRevision is the change's revision. */
  readonly record: StoredRecord
  /** What it replaced; undefined where there was nothing, not even a tombstone. */
  readonly previous: StoredRecord | undefined
}

/** About what a change takes in a pack beside its key and its two records. */
const OVERHEAD = 24

/** The newest history: the changes that are in no written checkpoint, gathered into packs. */
export class History {
  readonly #tuning: KvTuning
  #closed: (readonly Change[])[] = []
  #open: Change[] = []
  #openBytes = 0
  #bytes = 0

  constructor(tuning: KvTuning) {
    this.#tuning = tuning
  }

  /** About how many bytes the next checkpoint will write of it. */
  get bytes(): number {
    return this.#bytes
  }

  add(record: StoredRecord, previous: StoredRecord | undefined): void {
    const change = { record, previous }
    this.#open.push(change)
    const size = sizeOf(change)
    this.#openBytes += size
    this.#bytes += size
  }

  /**
   * A command's changes are complete: the pack may be closed now, and only now. A pack never ends within a
   * revision, for its first revision is its key.
   */
  endOfRevision(): void {
    if (this.#openBytes >= this.#tuning.packBytes || this.#open.length >= this.#tuning.packChanges)
      this.#close()
  }

  #close(): void {
    if (this.#open.length === 0) return
    this.#closed.push(this.#open)
    this.#open = []
    this.#openBytes = 0
  }

  /** All packs since the last call, for a checkpoint; the one that was open is closed. */
  freeze(): readonly (readonly Change[])[] {
    this.#close()
    const packs = this.#closed
    this.#closed = []
    this.#bytes = 0
    return packs
  }
}

/**
 * Encodes a pack of history:
 *
 *     message Pack {
 *       uint64 first_revision = 1; uint64 last_revision = 2;
 *       repeated Change changes = 3;  // in order of revision
 *       bytes by_key = 4;             // where each change begins in the record (fixed32, little-endian, at
 *                                     // its length), sorted by key, the changes of one key by revision
 *       fixed32 checksum = 15;        // see seal() in layout.ts
 *     }
 *     message Change { bytes key = 1; bytes record = 2; bytes previous = 3; }
 *
 * `record` and `previous` are records as they stand under the key itself.
 */
export function encodePack(changes: readonly Change[]): StateChange {
  const firstRevision = changes[0]!.record.modRevision
  const storeKey = numberedKey(Prefix.History, firstRevision)
  const writer = new Writer(changes.reduce((sum, change) => sum + sizeOf(change), 64))
  writer.uint(1, firstRevision)
  writer.uint(2, changes.at(-1)!.record.modRevision)
  const places = changes.map((change, order) => ({
    name: change.record.name,
    order,
    offset: writeChange(writer, change),
  }))
  // Latin1 names compare as their bytes do.
  places.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.order - b.order))
  const index = Buffer.allocUnsafe(4 * places.length)
  places.forEach(({ offset }, i) => index.writeUInt32LE(offset, 4 * i))
  writer.bytes(4, index)
  return [storeKey, sealedRecord(storeKey, writer.finish())]
}

/** About how many bytes a change takes in a pack. */
function sizeOf({ record, previous }: Change): number {
  return record.size + (previous?.size ?? 0) + OVERHEAD
}

/** Writes a change and returns where its length stands. */
function writeChange(writer: Writer, { record, previous }: Change): number {
  const key = record.key
  const encoded = record.encoded
  const previousEncoded = previous?.encoded
  const size =
    bytesFieldSize(key.length) +
    bytesFieldSize(encoded.length) +
    (previousEncoded === undefined ? 0 : bytesFieldSize(previousEncoded.length))
  const offset = writer.length + 1
  writer.head(3, size)
  writer.bytes(1, key)
  writer.bytes(2, encoded)
  if (previousEncoded !== undefined) writer.bytes(3, previousEncoded)
  return offset
}
