import type { StoredRecord } from './record.ts'

/** About what a record takes in memory beside its bytes: object, buffer, name, place in a Map. */
const OVERHEAD = 300

/**
 * Records kept for reads, bounded in bytes, in two generations. What is stored or read goes into the young one;
 * when that is half of the bound, it becomes the old one, and the old one goes. A hit in the old one moves the
 * record back into the young. So what was used lately stays, and no list has to be kept in order at each read.
 */
export class GenerationalCache {
  readonly #generationBytes: number
  #young = new Map<string, StoredRecord>()
  #old = new Map<string, StoredRecord>()
  #youngBytes = 0

  constructor(bytes: number) {
    this.#generationBytes = bytes / 2
  }

  /** How many records it holds; one that stands in both generations counts twice. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(name: string): StoredRecord | undefined {
    const young = this.#young.get(name)
    if (young !== undefined) return young
    const old = this.#old.get(name)
    if (old !== undefined) this.set(old)
    return old
  }

  /** Keeps a record in place of the one that was kept under its name. */
  set(record: StoredRecord): void {
    const before = this.#young.get(record.name)
    if (before !== undefined) this.#youngBytes -= before.size + OVERHEAD
    this.#young.set(record.name, record)
    this.#youngBytes += record.size + OVERHEAD
    if (this.#youngBytes < this.#generationBytes) return
    this.#old = this.#young
    this.#young = new Map()
    this.#youngBytes = 0
  }
}
