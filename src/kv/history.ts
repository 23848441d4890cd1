import { bytesFieldSize, varintSize, Writer } from '../wire/protobuf.ts'
import { numberedKey, Prefix, seal, SEAL_SIZE } from './layout.ts'
import type { KvTuning } from './limits.ts'
import { type Change, type Changes, Pack, readChange } from './pack.ts'
import { nameOf, type StoredRecord } from './record.ts'
import type { StateChange } from './types.ts'

/** A pack that takes no more changes. */
export interface ClosedPack {
  readonly firstRevision: number
  readonly lastRevision: number
  /** How many keys were deleted in it. */
  readonly deletions: number
  /** How many bytes it has. */
  readonly bytes: number
  /** Their names, as `nameOf` gives them. */
  readonly deleted: readonly string[]
  /** As it is stored. */
  readonly encoded: StateChange
}

/** The newest history: the changes that are in no written checkpoint, gathered into packs. */
export class History {
  readonly #tuning: KvTuning
  #closed: ClosedPack[] = []
  #closedBytes = 0
  #open: PackBuilder | undefined
  /** In the checkpoint that is being written. */
  #frozen: readonly ClosedPack[] = []
  #frozenBytes: number

  /** @param frozenBytes how many bytes of history were ever handed out to be written */
  constructor(tuning: KvTuning, frozenBytes = 0) {
    this.#tuning = tuning
    this.#frozenBytes = frozenBytes
  }

  /** About how many bytes the next checkpoint will write of it. */
  get bytes(): number {
    return this.#closedBytes + (this.#open?.bytes ?? 0)
  }

  /** About how many bytes of history there were in the whole life of this store. */
  get totalBytes(): number {
    return this.#frozenBytes + this.bytes
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
    this.#closedBytes += pack.bytes
    this.#open = undefined
  }

  /**
   * All packs since the last call, for a checkpoint; the one that was open is closed. They are still found here,
   * until `thaw`.
   */
  freeze(): readonly ClosedPack[] {
    this.#close()
    this.#frozenBytes += this.#closedBytes
    this.#frozen = this.#closed
    this.#closed = []
    this.#closedBytes = 0
    return this.#frozen
  }

  /** What was frozen is found in the store now. Returns it. */
  thaw(): readonly ClosedPack[] {
    const packs = this.#frozen
    this.#frozen = []
    return packs
  }

  /** The changes of the pack that a revision's are in; undefined where that is in the store, or nowhere. */
  find(revision: number): Changes | undefined {
    if (this.#open !== undefined && revision >= this.#open.firstRevision) return this.#open
    const holds = (pack: ClosedPack): boolean =>
      pack.firstRevision <= revision && revision <= pack.lastRevision
    const pack = this.#closed.findLast(holds) ?? this.#frozen.findLast(holds)
    return pack && new Pack(pack.encoded[0], pack.encoded[1]!)
  }
}

/** Small changes end a pack long before its bytes do; what it was built in is much larger then, and is let go of. */
function fitted(bytes: Buffer): Buffer {
  if (bytes.length > bytes.buffer.byteLength / 2) return bytes
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  return own
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
 *     message Change {
 *       uint64 revision = 1;
 *       uint32 key_size = 2;
 *       bytes replaced = 3;           // the key in the store, of `key_size` bytes, and the record that stood under
 *                                     // it, if there was one: as they lie together in memory, in one copy
 *       bool deletion = 4;
 *     }
 *
 * The new record is not in it: it stands where it is replaced in its turn, or in the present. To write every record
 * twice cost a third of all puts.
 */
class PackBuilder implements Changes {
  readonly #tuning: KvTuning
  readonly #storeKey: Buffer
  readonly #writer: Writer
  readonly #names: string[] = []
  readonly #offsets: number[] = []
  readonly #deleted: string[] = []
  readonly firstRevision: number
  lastRevision: number

  constructor(firstRevision: number, tuning: KvTuning) {
    this.#tuning = tuning
    this.firstRevision = firstRevision
    this.lastRevision = firstRevision
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
    const { modRevision, storeKeySize, isTombstone } = record
    this.#names.push(record.name)
    this.#offsets.push(writer.length + 1 - this.#storeKey.length)
    this.lastRevision = modRevision
    if (isTombstone) this.#deleted.push(record.name)
    const numbers = 2 + varintSize(modRevision) + varintSize(storeKeySize) + (isTombstone ? 2 : 0)
    writer.head(3, numbers + bytesFieldSize(previous?.size ?? storeKeySize))
    writer.uint(1, modRevision)
    writer.uint(2, storeKeySize)
    if (previous === undefined) writer.bytes(3, record.storeKey)
    else writer.bytes(3, previous.stored)
    if (isTombstone) writer.bool(4, true)
  }

  firstChangeAfter(key: Uint8Array, revision: number): Change | undefined {
    const name = nameOf(key)
    const record = this.#writer.finish(this.#storeKey.length)
    for (let i = this.#names.indexOf(name); i !== -1; i = this.#names.indexOf(name, i + 1)) {
      const change = readChange(this.#storeKey, record, this.#offsets[i]!)
      if (change.revision > revision) return change
    }
    return undefined
  }

  finish(): ClosedPack {
    const writer = this.#writer
    writer.uint(2, this.lastRevision)
    const index = Buffer.allocUnsafe(4 * this.#offsets.length)
    this.#sorted().forEach((change, i) => index.writeUInt32LE(this.#offsets[change]!, 4 * i))
    writer.bytes(4, index)
    writer.raw(ROOM_FOR_SEAL)
    const sealed = fitted(writer.finish())
    seal(sealed)
    const record = sealed.subarray(this.#storeKey.length)
    return {
      firstRevision: this.firstRevision,
      lastRevision: this.lastRevision,
      deletions: this.#deleted.length,
      bytes: record.length,
      deleted: this.#deleted,
      encoded: [this.#storeKey, record],
    }
  }

  /** The numbers of the changes, sorted by key; those of one key stay in the order of revision. */
  #sorted(): number[] {
    const names = this.#names
    const order = names.map((_, change) => change)
    // Latin1 names compare as their bytes do.
    return order.sort((a, b) => (names[a]! < names[b]! ? -1 : names[a]! > names[b]! ? 1 : a - b))
  }
}
