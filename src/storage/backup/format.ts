import { createHash } from 'node:crypto'
import { DamagedDataError, WrongDirectoryError } from '../../errors.ts'
import { decodeChecked, encodeChecked } from '../checked-file.ts'

/** What a backup says about itself in words. Only `meta` is built upon; the rest is for people and has to agree. */
export interface BackupFileHead {
  readonly clusterName: string
  /** Hexadecimal. */
  readonly clusterId: string
  /** Who made it, and that node's version of Balsa. */
  readonly nodeId: string
  readonly version: string
  /** ISO 8601, by the clock of the machine that wrote the file. */
  readonly createdAt: string
  readonly revision: number
  readonly index: number
  readonly term: number
  /** `SnapshotMeta.encoded`, in base64. */
  readonly meta: string
}

/** What a backup holds, as its end says. */
export interface BackupTally {
  readonly chunks: number
  readonly rows: number
  readonly keys: number
  readonly sessions: number
}

interface Trailer extends BackupTally {
  /** Of all bytes of the file before the trailer's own part, in hexadecimal. */
  readonly sha256: string
}

/** The version of the format that is written and read. */
const FORMAT = 1
const FIRST_LINE = /^balsa backup (\d+)\n/
/** No first line is longer. */
const FIRST_LINE_BYTES = 32

/** A part: its type, the length of its content in four bytes (big-endian), its content. */
const PartType = { Head: 0x48, Chunk: 0x43, Trailer: 0x54 } as const
const PART_HEAD = 5
/** Chunks are of at most about half a MiB: a longer part is damage, and not read into memory. */
const LONGEST_PART = 4 * 1024 * 1024

/**
 * Makes the bytes of a backup file: the line `balsa backup 1`, the head, the chunks of a snapshot as they are, and
 * the trailer.
 */
export class BackupEncoder {
  readonly #hash = createHash('sha256')

  begin(head: BackupFileHead): Uint8Array {
    const line = Buffer.from(`balsa backup ${FORMAT}\n`)
    return this.#hashed(Buffer.concat([line, part(PartType.Head, encodeChecked(head))]))
  }

  chunk(bytes: Uint8Array): Uint8Array {
    return this.#hashed(part(PartType.Chunk, bytes))
  }

  end(tally: BackupTally): Uint8Array {
    const trailer: Trailer = { ...tally, sha256: this.#hash.digest('hex') }
    return part(PartType.Trailer, encodeChecked(trailer))
  }

  #hashed(bytes: Buffer): Buffer {
    this.#hash.update(bytes)
    return bytes
  }
}

function part(type: number, content: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PART_HEAD + content.length)
  bytes[0] = type
  bytes.writeUInt32BE(content.length, 1)
  bytes.set(content, PART_HEAD)
  return bytes
}

/** The parts of a backup file, in order: one head, chunks, one trailer, and the trailer's hash holds. */
export type BackupPart =
  | { readonly type: 'head'; readonly head: BackupFileHead }
  | { readonly type: 'chunk'; readonly chunk: Uint8Array }
  | { readonly type: 'trailer'; readonly tally: BackupTally }

/**
 * Takes the bytes of a backup file apart, as far as its structure and its hash go; what the chunks are worth is
 * for whoever builds a state from them. Throws DamagedDataError where it is no whole backup, WrongDirectoryError
 * where it is of a format that this version does not read.
 *
 * @param name of the file, for messages
 */
export async function* partsOf(source: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<BackupPart> {
  const bytes = new ByteQueue(source)
  const hash = createHash('sha256')
  hash.update(await firstLine(bytes, name))
  let expected: 'head' | 'more' = 'head'
  for (;;) {
    const start = await bytes.take(PART_HEAD)
    if (start === undefined) throw damagedBackup(name, 'it ends too early')
    const length = start.readUInt32BE(1)
    const content = length <= LONGEST_PART ? await bytes.take(length) : undefined
    if (content === undefined) throw damagedBackup(name, 'it ends within a part')
    if (start[0] === PartType.Trailer && expected === 'more') {
      yield { type: 'trailer', tally: tallyOf(content, hash.digest('hex'), name) }
      if ((await bytes.take(1)) !== undefined) throw damagedBackup(name, 'it goes on after its end')
      return
    }
    hash.update(start).update(content)
    if (start[0] === PartType.Head && expected === 'head') yield { type: 'head', head: headOf(content, name) }
    else if (start[0] === PartType.Chunk && expected === 'more') yield { type: 'chunk', chunk: content }
    else throw damagedBackup(name, 'its parts are not those of a backup')
    expected = 'more'
  }
}

/** The error for a file that cannot be trusted. */
export function damagedBackup(name: string, what: string, cause?: unknown): DamagedDataError {
  return new DamagedDataError(
    `${name} is no whole backup: ${what}. Nothing of it was restored; use another backup.`,
    { cause },
  )
}

async function firstLine(bytes: ByteQueue, name: string): Promise<Uint8Array> {
  const start = await bytes.peek(FIRST_LINE_BYTES)
  const match = FIRST_LINE.exec(start.toString('latin1'))
  if (match === null) throw damagedBackup(name, 'it does not begin as a backup does')
  if (match[1] !== String(FORMAT)) {
    throw new WrongDirectoryError(
      `${name} is a backup in format ${match[1]}; this version of Balsa reads format ${FORMAT}. ` +
        'Use the version of Balsa that wrote it, or a newer one.',
    )
  }
  return (await bytes.take(match[0].length))!
}

function headOf(content: Uint8Array, name: string): BackupFileHead {
  const head = decodeChecked(content)
  if (typeof head !== 'object' || head === null) throw damagedBackup(name, 'its head is damaged')
  return head as BackupFileHead
}

function tallyOf(content: Uint8Array, sha256: string, name: string): BackupTally {
  const trailer = decodeChecked(content)
  if (typeof trailer !== 'object' || trailer === null) throw damagedBackup(name, 'its trailer is damaged')
  const { sha256: expected, ...tally } = trailer as Trailer
  if (sha256 !== expected) throw damagedBackup(name, 'its SHA-256 is not the one it had when it was made')
  return tally
}

/** Bytes as they come, taken in the pieces that are wanted. */
class ByteQueue {
  readonly #source: AsyncIterator<Uint8Array>
  #pieces: Uint8Array[] = []
  #length = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next so many bytes; undefined where there are not as many. */
  async take(count: number): Promise<Buffer | undefined> {
    await this.#fill(count)
    if (this.#length < count) return undefined
    const all = this.#joined()
    this.#pieces = all.length > count ? [all.subarray(count)] : []
    this.#length -= count
    return all.subarray(0, count)
  }

  /** The next so many bytes, or as many as there are, which stay. */
  async peek(count: number): Promise<Buffer> {
    await this.#fill(count)
    const all = this.#joined()
    this.#pieces = [all]
    return all.subarray(0, count)
  }

  async #fill(count: number): Promise<void> {
    while (this.#length < count) {
      const next = await this.#source.next()
      if (next.done === true) return
      this.#pieces.push(next.value)
      this.#length += next.value.length
    }
  }

  #joined(): Buffer {
    const [first] = this.#pieces
    if (first === undefined || this.#pieces.length > 1) return Buffer.concat(this.#pieces)
    return Buffer.from(first.buffer, first.byteOffset, first.length)
  }
}
