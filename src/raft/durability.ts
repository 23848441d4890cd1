import { assert } from './assert.ts'
import type { LogIndex } from './types.ts'

/**
 * What of this node's log is on its disk. The driver hands back the id of a write once it is durable; which
 * entries that vouches for is decided here, because meanwhile some of them may have been replaced.
 */
export class Durability {
  #persistedIndex: LogIndex
  #lastWriteId = 0
  #persistedWriteId = 0
  /** Writes on their way, in order, with the last index that each of them still vouches for. */
  readonly #waiting: { id: number; upTo: LogIndex }[] = []

  constructor(persistedIndex: LogIndex) {
    this.#persistedIndex = persistedIndex
  }

  /** Everything up to here is on disk, as it stands in the log now. */
  get persistedIndex(): LogIndex {
    return this.#persistedIndex
  }

  /** The id of the newest write handed out. */
  get lastWriteId(): number {
    return this.#lastWriteId
  }

  /** Whether a write is on its way. */
  get busy(): boolean {
    return this.#persistedWriteId < this.#lastWriteId
  }

  /** Gives out the id of the next write, after which the log is on disk up to `upTo`. */
  handOut(upTo: LogIndex): number {
    this.#lastWriteId++
    this.#waiting.push({ id: this.#lastWriteId, upTo })
    return this.#lastWriteId
  }

  /** The entries from `from` on are being replaced: no write handed out so far vouches for what comes there. */
  truncated(from: LogIndex): void {
    this.#persistedIndex = Math.min(this.#persistedIndex, from - 1)
    for (const write of this.#waiting) write.upTo = Math.min(write.upTo, from - 1)
  }

  /** The write and all before it are durable. */
  persisted(writeId: number): void {
    assert(
      writeId > this.#persistedWriteId && writeId <= this.#lastWriteId,
      `write ${writeId} is reported durable, between ${this.#persistedWriteId} and ${this.#lastWriteId}`,
    )
    this.#persistedWriteId = writeId
    while (this.#waiting.length > 0 && this.#waiting[0]!.id <= writeId) {
      this.#persistedIndex = Math.max(this.#persistedIndex, this.#waiting.shift()!.upTo)
    }
  }
}
