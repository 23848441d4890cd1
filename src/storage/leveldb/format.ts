/** A file of LevelDB is not what LevelDB wrote. The message says what is wrong with it, without its name. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
}

/** Reads LevelDB's varints and length-prefixed bytes, one after the other. Throws a FormatError at the end. */
export class Cursor {
  readonly #bytes: Buffer
  #position: number

  constructor(bytes: Buffer, position = 0) {
    this.#bytes = bytes
    this.#position = position
  }

  get position(): number {
    return this.#position
  }

  get done(): boolean {
    return this.#position >= this.#bytes.length
  }

  /** A varint of up to 53 bits. */
  uint(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 56; scale *= 128) {
      const byte = this.#bytes[this.#position++]
      if (byte === undefined) throw new FormatError('a number is cut off')
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break
        // LevelDB writes a number in as few bytes as it takes.
        if (byte === 0 && scale > 1) throw new FormatError('a number is longer than it has to be')
        return value
      }
    }
    throw new FormatError('a number is too large')
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Buffer {
    const end = this.#position + length
    if (end > this.#bytes.length) throw new FormatError('a string is cut off')
    const taken = this.#bytes.subarray(this.#position, end)
    this.#position = end
    return taken
  }

  /** Bytes with their length before them, as a view. */
  bytes(): Buffer {
    return this.take(this.uint())
  }
}
