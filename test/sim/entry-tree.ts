import type { LogEntry, LogIndex, Term } from '../../src/raft/types.ts'

/**
 * Every entry that any node ever wrote, with what stands before it: an entry is known by its index and its
 * checksum, which covers all before it. So an end of a log stands for the whole of it.
 */
export class EntryTree {
  /** By index and checksum, the checksum before, and the term. */
  readonly #entries = new Map<number, { readonly before: number; readonly term: Term }>()
  /** By index and term, the checksum: log matching says that there is one. */
  readonly #byTerm = new Map<number, number>()
  readonly #broken: (what: string) => void

  constructor(broken: (what: string) => void) {
    this.#broken = broken
  }

  has({ index, checksum }: LogEntry): boolean {
    return this.#entries.has(keyOf(index, checksum))
  }

  termOf(index: LogIndex, checksum: number): Term | undefined {
    return this.#entries.get(keyOf(index, checksum))?.term
  }

  /** @param before the checksum of the entry before it; undefined: the end of a log that was never seen. */
  add({ index, term, checksum }: LogEntry, before: number | undefined): void {
    const name = keyOf(index, term)
    const known = this.#byTerm.get(name)
    if (known === undefined) this.#byTerm.set(name, checksum)
    else if (known !== checksum) this.#broken(`there are two entries ${index} of term ${term}`)
    if (before === undefined) this.#broken(`entry ${index} of term ${term} was found, but never written`)
    else this.#entries.set(keyOf(index, checksum), { before, term })
  }

  /**
   * The checksums of a whole log, by index, from its end. `known` is another log, changed into this one: what
   * they have in common is not walked through.
   */
  path(lastIndex: LogIndex, lastChecksum: number, known: number[]): number[] {
    if (known.length > lastIndex + 1) known.length = lastIndex + 1
    let checksum: number | undefined = lastChecksum
    for (let index = lastIndex; index >= 0 && known[index] !== checksum; index--) {
      known[index] = checksum
      checksum = this.#entries.get(keyOf(index, checksum))?.before
      if (checksum === undefined) break
    }
    return known
  }
}

/** Safe up to index 2^21. */
function keyOf(index: LogIndex, other: number): number {
  return index * 0x1_0000_0000 + other
}
