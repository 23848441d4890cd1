import { maskedCrc32c } from './crc32c.ts'

/** LevelDB's log format (doc/log_format.md): blocks of 32 KiB, each record in one fragment or several. */
export const BLOCK_SIZE = 32 * 1024

/** Masked CRC32C of type and content, length, type. */
const HEADER_SIZE = 7

const Fragment = { Zero: 0, Full: 1, First: 2, Middle: 3, Last: 4 } as const

/** Where in the file something is wrong, and what. */
export interface Flaw {
  readonly offset: number
  readonly what: string
}

/** What a file in the log format was found to hold. */
export interface RecordLog {
  /** The records, each cut to the bytes that were asked for, in order. */
  readonly records: readonly Buffer[]
  /**
   * Where an unfinished end begins: as a crash leaves it in the middle of a write. No whole record follows it.
   */
  readonly torn: Flaw | undefined
  /** What no crash can have left: a flaw with whole records behind it. */
  readonly damage: Flaw | undefined
}

/**
 * Reads a file in LevelDB's log format (write-ahead files, MANIFEST) block by block, and checks every fragment.
 *
 * LevelDB itself passes over flaws and reads on behind them. Here, a flaw is an unfinished end where nothing
 * begins behind it: whoever writes one record at a time, each synced before the next, leaves nothing else at a
 * crash. Anything else is damage.
 */
export class RecordLogReader {
  readonly #keep: number
  readonly #records: Buffer[] = []
  #offset = 0
  #flaw: Flaw | undefined
  #damage: Flaw | undefined
  /** The parts of the record that has begun, and where it did. */
  #parts: Buffer[] | undefined
  #partBytes = 0
  #recordOffset = 0

  /** @param keep how many of a record's first bytes to return */
  constructor(keep: number) {
    this.#keep = keep
  }

  /** Takes the next block: all of them have BLOCK_SIZE bytes, but for the last. */
  block(bytes: Buffer): void {
    let position = 0
    while (position + HEADER_SIZE <= bytes.length) {
      const length = this.#fragment(bytes, position)
      // What comes behind a flaw, within its block, cannot be told from content.
      if (length === undefined) break
      position += length
    }
    if (position + HEADER_SIZE > bytes.length) this.#trailer(bytes, position)
    this.#offset += bytes.length
  }

  /** After the last block. */
  finish(): RecordLog {
    if (this.#parts !== undefined) this.#flawAt(this.#recordOffset, 'a record has no end')
    return { records: this.#records, torn: this.#flaw, damage: this.#damage }
  }

  /** Takes the fragment at `position`; returns its length with its header, or undefined where it is none. */
  #fragment(bytes: Buffer, position: number): number | undefined {
    const at = this.#offset + position
    const length = bytes.readUInt16LE(position + 4)
    const type = bytes[position + 6]!
    const start = position + HEADER_SIZE
    const end = start + length
    if (type === Fragment.Zero && length === 0) return this.#flawAt(at, 'zeros where a record should be')
    if (end > bytes.length) return this.#flawAt(at, 'a record is cut off')
    if (maskedCrc32c(bytes, position + 6, end) !== bytes.readUInt32LE(position)) {
      return this.#flawAt(at, 'the checksum of a record does not fit')
    }
    if (type === Fragment.Full || type === Fragment.First) {
      if (this.#parts !== undefined) this.#flawAt(this.#recordOffset, 'a record has no end')
      if (this.#flaw !== undefined) this.#damage ??= this.#flaw
      this.#parts = []
      this.#partBytes = 0
      this.#recordOffset = at
    } else if (type !== Fragment.Middle && type !== Fragment.Last) {
      this.#damage ??= { offset: at, what: `a record of the unknown type ${type}` }
      return end - position
    }
    if (this.#parts === undefined) {
      // The rest of a record whose beginning was lost is part of the unfinished end; without a flaw, of nothing.
      if (this.#flaw === undefined) this.#damage ??= { offset: at, what: 'a record has no beginning' }
    } else {
      this.#append(this.#parts, bytes.subarray(start, end))
      if (type === Fragment.Full || type === Fragment.Last) this.#complete(this.#parts)
    }
    return end - position
  }

  #append(parts: Buffer[], content: Buffer): void {
    const wanted = content.subarray(0, this.#keep - this.#partBytes)
    this.#partBytes += wanted.length
    // Copied: the block's memory is used again.
    parts.push(Buffer.from(wanted))
  }

  #complete(parts: Buffer[]): void {
    this.#records.push(Buffer.concat(parts))
    this.#parts = undefined
  }

  /** Fewer bytes than a header has: zeros at the end of a whole block, the beginning of a header at the file's end. */
  #trailer(bytes: Buffer, position: number): void {
    if (position === bytes.length) return
    const isZero = bytes.subarray(position).every((byte) => byte === 0)
    if (bytes.length < BLOCK_SIZE || !isZero) this.#flawAt(this.#offset + position, 'a record is cut off')
  }

  #flawAt(offset: number, what: string): undefined {
    this.#flaw ??= { offset, what }
    this.#parts = undefined
  }
}
