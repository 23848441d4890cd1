import type { KeyEntry } from '../wire/types.ts'

/** A key's present, as a read found it. Its bytes are copies: they keep no frame of the wire in memory. */
export class Entry {
  readonly key: Uint8Array
  readonly value: Uint8Array
  /** The revision of the put that created the key. */
  readonly createRevision: number
  /** The revision of its last change. */
  readonly modRevision: number
  /** 1 at its creation, then one more with each change. */
  readonly version: number

  constructor(found: KeyEntry) {
    this.key = Buffer.from(found.key)
    this.value = Buffer.from(found.value)
    this.createRevision = found.createRevision
    this.modRevision = found.modRevision
    this.version = found.version
  }

  /** The value as UTF-8. Bytes that are not become U+FFFD. */
  text(): string {
    return Buffer.from(this.value.buffer, this.value.byteOffset, this.value.length).toString('utf8')
  }
}
