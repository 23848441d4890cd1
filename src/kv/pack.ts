import { Reader } from '../wire/protobuf.ts'
import { bufferOf, damaged, keyNumber, openRecord } from './layout.ts'
import { StoredRecord } from './record.ts'

/** One change of one key. What it made of the key is what the key's next change replaced, or else its present. */
export interface Change {
  readonly key: Buffer
  readonly revision: number
  /** The key was deleted. */
  readonly isDeletion: boolean
  /**
   * What it replaced; undefined where there was nothing, not even a tombstone. Throws DamagedDataError where it is not
   * what was written.
   */
  readonly previous: StoredRecord | undefined
}

/** What a read of the past needs of a pack, wherever that is. */
export interface Changes {
  readonly lastRevision: number
  /** About how many bytes had to be looked through for it, or will have to be. */
  readonly bytes: number
  /**
   * The key's first change after `revision`, undefined where the pack has none. What it replaced is what the
   * key was at `revision`, where no earlier pack has a change of it after that.
   */
  firstChangeAfter(key: Uint8Array, revision: number): Change | undefined
}

/** A pack of history as it is read from the store; `PackBuilder` in history.ts has its format. */
export class Pack implements Changes {
  readonly firstRevision: number
  readonly lastRevision: number
  readonly #storeKey: Uint8Array
  readonly #record: Buffer
  /** Where each change begins, sorted by key and revision. */
  readonly #byKey: Buffer

  /**
   * Checks the pack and finds its index. Its changes are decoded when they are asked for.
   *
   * @throws DamagedDataError where it is not what was written under this key.
   */
  constructor(storeKey: Uint8Array, record: Uint8Array) {
    this.#storeKey = storeKey
    this.#record = bufferOf(record)
    const reader = openRecord(storeKey, record)
    let first = 0
    let last = 0
    let byKey: Buffer | undefined
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 0x08) first = reader.uint()
      else if (tag === 0x10) last = reader.uint()
      else if (tag === 0x22) byKey = reader.bytes()
      else reader.skip(tag)
    }
    if (byKey === undefined || first !== keyNumber(storeKey))
      throw damaged(storeKey, 'it is no pack of history')
    this.firstRevision = first
    this.lastRevision = last
    this.#byKey = byKey
  }

  get bytes(): number {
    return this.#record.length
  }

  /** How many changes it holds. */
  get size(): number {
    return this.#byKey.length / 4
  }

  /** Its changes in the order in which they were made. */
  *changes(): Iterable<Change> {
    const offsets = Array.from({ length: this.size }, (_, i) => this.#byKey.readUInt32LE(4 * i))
    for (const offset of offsets.sort((a, b) => a - b)) yield this.#changeAt(offset)
  }

  firstChangeAfter(key: Uint8Array, revision: number): Change | undefined {
    let low = 0
    let high = this.size
    while (low < high) {
      const middle = (low + high) >>> 1
      const change = this.#changeAt(this.#byKey.readUInt32LE(4 * middle))
      const order = Buffer.compare(change.key, key)
      if (order < 0 || (order === 0 && change.revision <= revision)) low = middle + 1
      else high = middle
    }
    if (low === this.size) return undefined
    const found = this.#changeAt(this.#byKey.readUInt32LE(4 * low))
    return found.key.equals(key) ? found : undefined
  }

  #changeAt(offset: number): Change {
    return readChange(this.#storeKey, this.#record, offset)
  }
}

/** Reads the change whose length stands at `offset` of a pack. Throws a DamagedDataError where there is none. */
export function readChange(storeKey: Uint8Array, pack: Buffer, offset: number): Change {
  const reader = new Reader(pack, offset).nested()
  let revision = 0
  let keySize = 0
  let replaced: Buffer | undefined
  let isDeletion = false
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) revision = reader.uint()
    else if (tag === 0x10) keySize = reader.uint()
    else if (tag === 0x1a) replaced = reader.bytes()
    else if (tag === 0x20) isDeletion = reader.bool()
    else reader.skip(tag)
  }
  if (revision === 0 || keySize < 1 || replaced === undefined || replaced.length < keySize)
    throw damaged(storeKey, 'it has half a change')
  return new PackedChange(revision, isDeletion, replaced, keySize)
}

/** A change as it stands in a pack. A search looks at many keys, and at what one of them replaced. */
class PackedChange implements Change {
  readonly revision: number
  readonly isDeletion: boolean
  readonly #replaced: Buffer
  readonly #keySize: number

  constructor(revision: number, isDeletion: boolean, replaced: Buffer, keySize: number) {
    this.revision = revision
    this.isDeletion = isDeletion
    this.#replaced = replaced
    this.#keySize = keySize
  }

  get key(): Buffer {
    return this.#replaced.subarray(1, this.#keySize)
  }

  get previous(): StoredRecord | undefined {
    if (this.#replaced.length === this.#keySize) return undefined
    return StoredRecord.decodeStored(this.#replaced, this.#keySize)
  }
}
