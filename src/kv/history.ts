import { bytesFieldSize, varintSize, Writer } from '../wire/protobuf.ts'
import { numberedKey, Prefix, seal, SEAL_SIZE } from './layout.ts'
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

/** The newest history: the changes that are in no written checkpoint, gathered into packs. */
export class History {
  readonly #tuning: KvTuning
  #closed: StateChange[] = []
  #closedBytes = 0
  #open: PackBuilder | undefined

  constructor(tuning: KvTuning) {
    this.#tuning = tuning
  }

  /** About how many bytes the next checkpoint will write of it. */
  get bytes(): number {
    return this.#closedBytes + (this.#open?.bytes ?? 0)
  }

  /** Takes a change in, encoded at once: nothing here keeps a record in memory for longer than others need it. */
  add(record: StoredRecord, previous: StoredRecord | undefined): void {
    this.#open ??= new PackBuilder(record.modRevision, this.#tuning)
    this.#open.add(record, previous)
  }

  /**
   * A command's changes are complete: the pack may be closed now, and only now. A pack never ends within a
   * revision, for its first revision is its key.
   */
  endOfRevision(): void {
    if (this.#open?.full) this.#close()
  }

  #close(): void {
    if (this.#open === undefined) return
    const pack = this.#open.finish()
    this.#closed.push(pack)
    this.#closedBytes += pack[1]!.length
    this.#open = undefined
  }

  /** All packs since the last call, for a checkpoint; the one that was open is closed. */
  freeze(): readonly StateChange[] {
    this.#close()
    const packs = this.#closed
    this.#closed = []
    this.#closedBytes = 0
    return packs
  }
}

const ROOM_FOR_SEAL = new Uint8Array(SEAL_SIZE)

/**
 * Builds a pack of history:
 *
 *     message Pack {
 *       uint64 first_revision = 1;
 *       repeated Change changes = 3;  // in order of revision
 *       uint64 last_revision = 2;
 *       bytes by_key = 4;             // where each change begins in the record (fixed32, little-endian, at
 *                                     // its length), sorted by key, the changes of one key by revision
 *       fixed32 checksum = 15;        // see seal() in layout.ts
 *     }
 *     message Change { uint32 key_size = 1; bytes record = 2; bytes previous = 3; }
 *
 * `record` and `previous` are the key in the store, of `key_size` bytes, and the record that stands under it: as
 * they lie together in memory, so that each is one copy.
 */
class PackBuilder {
  readonly #tuning: KvTuning
  readonly #storeKey: Buffer
  readonly #writer: Writer
  readonly #names: string[] = []
  readonly #offsets: number[] = []
  #lastRevision: number

  constructor(firstRevision: number, tuning: KvTuning) {
    this.#tuning = tuning
    this.#lastRevision = firstRevision
    this.#storeKey = numberedKey(Prefix.History, firstRevision)
    // The key stands before the record, because the checksum covers both.
    this.#writer = new Writer(tuning.packBytes + tuning.packBytes / 8)
    this.#writer.raw(this.#storeKey)
    this.#writer.uint(1, firstRevision)
  }

  get bytes(): number {
    return this.#writer.length + 4 * this.#offsets.length
  }

  get full(): boolean {
    return this.bytes >= this.#tuning.packBytes || this.#offsets.length >= this.#tuning.packChanges
  }

  add(record: StoredRecord, previous: StoredRecord | undefined): void {
    const writer = this.#writer
    const previousSize = previous === undefined ? 0 : bytesFieldSize(previous.size)
    const size = 1 + varintSize(record.storeKeySize) + bytesFieldSize(record.size) + previousSize
    this.#names.push(record.name)
    this.#offsets.push(writer.length + 1 - this.#storeKey.length)
    this.#lastRevision = record.modRevision
    writer.head(3, size)
    writer.uint(1, record.storeKeySize)
    writer.bytes(2, record.stored)
    if (previous !== undefined) writer.bytes(3, previous.stored)
  }

  finish(): StateChange {
    const writer = this.#writer
    writer.uint(2, this.#lastRevision)
    const index = Buffer.allocUnsafe(4 * this.#offsets.length)
    this.#sorted().forEach((change, i) => index.writeUInt32LE(this.#offsets[change]!, 4 * i))
    writer.bytes(4, index)
    writer.raw(ROOM_FOR_SEAL)
    const sealed = writer.finish()
    seal(sealed)
    return [this.#storeKey, sealed.subarray(this.#storeKey.length)]
  }

  /** The numbers of the changes, sorted by key; those of one key stay in the order of revision. */
  #sorted(): number[] {
    const names = this.#names
    const order = names.map((_, change) => change)
    // Latin1 names compare as their bytes do.
    return order.sort((a, b) => (names[a]! < names[b]! ? -1 : names[a]! > names[b]! ? 1 : a - b))
  }
}
