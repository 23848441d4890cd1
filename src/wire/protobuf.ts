/** Bytes that are not what the protocol says. */
export class WireError extends Error {
  override readonly name = 'WireError'
}

/** Wire types of protobuf's encoding, https://protobuf.dev/programming-guides/encoding/ */
export const WireType = { Varint: 0, Fixed64: 1, Bytes: 2, Fixed32: 5 } as const

const HIGH = 0x1_0000_0000

/** How many bytes `value` takes as a varint. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  if (value < 0x1000_0000) return 4
  if (value < 0x8_0000_0000) return 5
  if (value < 0x400_0000_0000) return 6
  if (value < 0x2_0000_0000_0000) return 7
  return 8
}

/** The size of a bytes field, with the tag of a field number below 16. */
export function bytesFieldSize(length: number): number {
  return 1 + varintSize(length) + length
}

/** The size of a bytes field that is left out where it is empty (field number below 16). */
export function optionalBytesSize(length: number): number {
  return length === 0 ? 0 : bytesFieldSize(length)
}

/** The size of a varint field that is left out where it is zero (field number below 16). */
export function optionalUintSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value)
}

/** What a bytes field holds that is not there. */
export const NO_BYTES: Buffer = Buffer.alloc(0)

/** Up to this many bytes, a text goes in and out faster by itself than through Node. */
const SHORT_TEXT = 24

/** What a buffer that has to grow has at least. */
const SMALLEST = 256

/**
 * How many items of one field a message from outside may have: tiny ones take far more memory than bytes. Requests may
 * have fewer keys and pairs (`MAX_REQUEST_ITEMS`); what stands in a log already is read whatever it has.
 */
export const MAX_ITEMS = 100_000

/** Throws a WireError unless one more may follow `count` items. `what` names them. */
export function assertRoom(count: number, what: string): void {
  if (count >= MAX_ITEMS) throw new WireError(`a message has more than ${MAX_ITEMS} ${what}`)
}

/** Writes protobuf into a buffer that grows. Zero, empty and false are written too: callers leave out what they mean to. */
export class Writer {
  #buffer: Buffer
  #position = 0

  /**
   * @param memory how many bytes to begin with (the exact size where it is known saves the growing), or where
   * to write; a buffer of more than that is only allocated where it does not suffice.
   */
  constructor(memory: number | Buffer = 256) {
    this.#buffer = typeof memory === 'number' ? Buffer.allocUnsafe(memory) : memory
  }

  get length(): number {
    return this.#position
  }

  /** What was written from `start` on. A view: it stays valid, and later writes do not change it. */
  finish(start = 0): Buffer {
    return this.#buffer.subarray(start, this.#position)
  }

  reserve(more: number): void {
    const needed = this.#position + more
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2, SMALLEST))
    this.#buffer.copy(grown, 0, 0, this.#position)
    this.#buffer = grown
  }

  /** A varint of up to 53 bits. Throws a WireError for what is not a whole number between 0 and 2^53 − 1. */
  varint(value: number): void {
    if (value >= 0 && value < 0x80 && Number.isInteger(value)) {
      this.reserve(1)
      this.#buffer[this.#position++] = value
      return
    }
    if (!Number.isSafeInteger(value) || value < 0)
      throw new WireError(`${value} cannot be encoded as a number`)
    this.reserve(varintSize(value)) // Exactly: a buffer of the right size must not grow.
    const buffer = this.#buffer
    let position = this.#position
    let rest = value
    while (rest >= HIGH / 2) {
      buffer[position++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    while (rest >= 0x80) {
      buffer[position++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    buffer[position++] = rest
    this.#position = position
  }

  tag(field: number, wireType: number): void {
    this.varint((field << 3) | wireType)
  }

  uint(field: number, value: number): void {
    this.tag(field, WireType.Varint)
    this.varint(value)
  }

  bool(field: number, value: boolean): void {
    this.uint(field, value ? 1 : 0)
  }

  fixed32(field: number, value: number): void {
    this.tag(field, WireType.Fixed32)
    if (!(value >= 0 && value <= 0xffff_ffff)) throw new WireError(`${value} is not a number of four bytes`)
    this.reserve(4)
    this.#position = this.#buffer.writeUInt32LE(value, this.#position)
  }

  bytes(field: number, value: Uint8Array): void {
    this.tag(field, WireType.Bytes)
    this.varint(value.length)
    this.raw(value)
  }

  string(field: number, value: string): void {
    if (value.length > SHORT_TEXT || !this.#shortText(field, value)) {
      this.bytes(field, Buffer.from(value, 'utf8'))
    }
  }

  /** Node ids and addresses, several in each message: written without a copy. False: it is not ASCII. */
  #shortText(field: number, value: string): boolean {
    for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0x7f) return false
    this.head(field, value.length)
    this.reserve(value.length)
    const buffer = this.#buffer
    let position = this.#position
    for (let i = 0; i < value.length; i++) buffer[position++] = value.charCodeAt(i)
    this.#position = position
    return true
  }

  /** A number, left out where it is 0: proto3's way with a field that has no presence of its own. */
  optionalUint(field: number, value: number): void {
    if (value !== 0) this.uint(field, value)
  }

  /** A number of four bytes, left out where it is 0. */
  optionalFixed32(field: number, value: number): void {
    if (value !== 0) this.fixed32(field, value)
  }

  /** A truth value, left out where it is false. */
  optionalBool(field: number, value: boolean): void {
    if (value) this.bool(field, value)
  }

  /** Bytes, left out where there are none. */
  optionalBytes(field: number, value: Uint8Array): void {
    if (value.length > 0) this.bytes(field, value)
  }

  /** A text, left out where it is empty. */
  optionalString(field: number, value: string): void {
    if (value !== '') this.string(field, value)
  }

  /** Bytes that are encoded already. */
  raw(value: Uint8Array): void {
    this.reserve(value.length)
    this.#buffer.set(value, this.#position)
    this.#position += value.length
  }

  /** The head of a nested message whose size is known. */
  head(field: number, length: number): void {
    this.tag(field, WireType.Bytes)
    this.varint(length)
  }

  /** Begins a nested message whose size is not known yet. Give what it returns to `end`. */
  begin(field: number): number {
    this.tag(field, WireType.Bytes)
    this.reserve(1)
    return ++this.#position
  }

  end(begun: number): void {
    const length = this.#position - begun
    const extra = varintSize(length) - 1
    if (extra > 0) {
      this.reserve(extra)
      this.#buffer.copyWithin(begun + extra, begun, this.#position)
    }
    const end = this.#position + extra
    this.#position = begun - 1
    this.varint(length)
    this.#position = end
  }
}

/** Reads protobuf. Bytes come out as views of the input: copy what must outlive it. */
export class Reader {
  readonly buffer: Buffer
  position: number
  readonly end: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = start
    this.end = end
  }

  /** The next field's tag, 0 at the end. Its field number is `tag >>> 3`, its wire type `tag & 7`. */
  tag(): number {
    if (this.position >= this.end) return 0
    const tag = this.uint()
    if (tag < 8 || tag > 0xffff_ffff) throw new WireError(`a field has the impossible tag ${tag}`)
    return tag
  }

  /** Passes over a tag of one byte that must stand here. `what` names the message, for the error. */
  expect(tag: number, what: string): void {
    if (this.position >= this.end || this.buffer[this.position] !== tag) {
      throw new WireError(`${what} is not encoded as it has to be`)
    }
    this.position++
  }

  /** A varint. Throws where it does not fit in 53 bits. */
  uint(): number {
    if (this.position < this.end) {
      const byte = this.buffer[this.position]!
      if (byte < 0x80) {
        this.position++
        return byte
      }
    }
    return this.#longUint()
  }

  /** A varint of a field of type uint32 or of an enum. Throws where it does not fit in 32 bits. */
  uint32(): number {
    const value = this.uint()
    if (value > 0xffff_ffff) throw new WireError('a number does not fit in 32 bits')
    return value
  }

  bool(): boolean {
    return this.uint() !== 0
  }

  fixed32(): number {
    if (this.end - this.position < 4) throw new WireError('the message ends within a fixed32')
    const value = this.buffer.readUInt32LE(this.position)
    this.position += 4
    return value
  }

  bytes(): Buffer {
    const length = this.uint()
    const start = this.position
    if (length > this.end - start) throw new WireError('the message ends within a field')
    if (length === 0) return NO_BYTES
    this.position = start + length
    return this.buffer.subarray(start, this.position)
  }

  /** What has not been read yet. A view. */
  rest(): Buffer {
    const start = this.position
    this.position = this.end
    return this.buffer.subarray(start, this.end)
  }

  string(): string {
    const length = this.uint()
    const start = this.position
    if (length > this.end - start) throw new WireError('the message ends within a text')
    this.position = start + length
    if (length <= SHORT_TEXT) {
      const text = shortText(this.buffer, start, this.position)
      if (text !== undefined) return text
    }
    return this.buffer.toString('utf8', start, this.position)
  }

  /** A reader of the nested message that begins here. */
  nested(): Reader {
    const length = this.uint()
    const start = this.position
    if (length > this.end - start) throw new WireError('the message ends within a nested message')
    this.position = start + length
    return new Reader(this.buffer, start, this.position)
  }

  /** Passes over a field that is not known here (or is of another wire type than it is known with). */
  skip(tag: number): void {
    switch (tag & 7) {
      case WireType.Varint:
        this.#skipVarint()
        return
      case WireType.Bytes:
        this.#advance(this.uint())
        return
      case WireType.Fixed32:
        this.#advance(4)
        return
      case WireType.Fixed64:
        this.#advance(8)
        return
      default:
        throw new WireError(`a field has the unknown wire type ${tag & 7}`)
    }
  }

  #longUint(): number {
    const buffer = this.buffer
    let value = 0
    let scale = 1
    for (let count = 0; count < 10; count++) {
      if (this.position >= this.end) throw new WireError('the message ends within a number')
      const byte = buffer[this.position++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new WireError('a number does not fit in 53 bits')
        return value
      }
      scale *= 0x80
    }
    throw new WireError('a number is longer than ten bytes')
  }

  /** Of a field that is not known it does not matter whether it fits in 53 bits. */
  #skipVarint(): void {
    for (let count = 0; count < 10; count++) {
      if (this.position >= this.end) throw new WireError('the message ends within a number')
      if (this.buffer[this.position++]! < 0x80) return
    }
    throw new WireError('a number is longer than ten bytes')
  }

  #advance(length: number): void {
    if (this.end - this.position < length) throw new WireError('the message ends within a field')
    this.position += length
  }
}

/** A text as it stands there; undefined where it is not ASCII. */
function shortText(buffer: Buffer, start: number, end: number): string | undefined {
  let text = ''
  for (let i = start; i < end; i++) {
    const code = buffer[i]!
    if (code > 0x7f) return undefined
    text += String.fromCharCode(code)
  }
  return text
}
