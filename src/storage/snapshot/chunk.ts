import { crc32 } from 'node:zlib'
import { bytesFieldSize, optionalUintSize, Reader, Writer } from '../../wire/protobuf.ts'
import type { SnapshotChunk, SnapshotCursor } from './snapshot.ts'

/** About how many bytes of rows a chunk has. A longer value is cut, so none has more than about twice as many. */
export const CHUNK_BYTES = 256 * 1024

/** How many rows it has at most: they are checked in one turn of the event loop, on both sides. */
const CHUNK_ROWS = 1000

const CHECKSUM_SIZE = 5

/** The place before the first chunk of the snapshot that has this meta: the meta's checksum seeds the chain. */
export function startOf(meta: { readonly encoded: Uint8Array }): SnapshotCursor {
  const lastKey = new Uint8Array(0)
  return { chunks: 0, rows: 0, bytes: 0, lastKey, cutAt: 0, checksum: crc32(meta.encoded) }
}

/**
 * Gathers rows into a chunk:
 *
 *     message SnapshotChunk {
 *       uint64 number = 1;         // from 1 on
 *       repeated Piece pieces = 2; // in the order of their keys
 *       uint64 rows = 3;           // of the snapshot, up to the end of this chunk
 *       bool last = 4;
 *       fixed32 checksum = 15;     // CRC32 of all of the above, seeded with that of the chunk before
 *     }
 *     message Piece {
 *       bytes key = 1;             // absent: this goes on with the value of the piece before
 *       bytes value = 2;
 *       uint64 missing = 3;        // bytes of the value that are still to come
 *     }
 */
export class ChunkWriter {
  readonly #start: SnapshotCursor
  readonly #writer = new Writer(CHUNK_BYTES + 16 * 1024)
  #pieces = 0
  #rows: number
  #lastKey: Uint8Array
  #cutAt: number

  /** @param start the place where the chunk begins */
  constructor(start: SnapshotCursor) {
    this.#start = start
    this.#rows = start.rows
    this.#lastKey = start.lastKey
    this.#cutAt = start.cutAt
    this.#writer.uint(1, start.chunks + 1)
  }

  /** Nothing more is to be added. */
  get full(): boolean {
    return this.#writer.length >= CHUNK_BYTES || this.#pieces >= CHUNK_ROWS
  }

  /**
   * Adds a row, or what of its value comes after `from` bytes, as far as it has room. Returns up to where it is
   * in: the value's length where all of it is.
   */
  add(key: Uint8Array, value: Uint8Array, from: number): number {
    const end = Math.min(value.length, from + CHUNK_BYTES)
    const missing = value.length - end
    const keySize = from === 0 ? bytesFieldSize(key.length) : 0
    const writer = this.#writer
    writer.head(2, keySize + bytesFieldSize(end - from) + optionalUintSize(missing))
    if (from === 0) writer.bytes(1, key)
    writer.bytes(2, value.subarray(from, end))
    writer.optionalUint(3, missing)
    if (from === 0) this.#rows++
    this.#pieces++
    this.#lastKey = key
    this.#cutAt = missing === 0 ? 0 : end
    return end
  }

  /** Ends the chunk. */
  finish(last: boolean): SnapshotChunk {
    const writer = this.#writer
    writer.uint(3, this.#rows)
    writer.bool(4, last)
    const checksum = crc32(writer.finish(), this.#start.checksum)
    writer.fixed32(15, checksum)
    const bytes = writer.finish()
    const end = {
      chunks: this.#start.chunks + 1,
      rows: this.#rows,
      bytes: this.#start.bytes + bytes.length,
      // A view of a page of rows would keep all of it.
      lastKey: Uint8Array.from(this.#lastKey),
      cutAt: this.#cutAt,
      checksum,
    }
    return { bytes, end, last }
  }
}

/** A row, or a part of one, in a chunk. Its bytes are views of the chunk. */
export interface Piece {
  /** Undefined: this goes on with the value of the piece before. */
  readonly key: Uint8Array | undefined
  readonly value: Uint8Array
  /** Bytes of the value that are still to come. */
  readonly missing: number
}

/** A chunk taken apart. */
export interface DecodedChunk {
  readonly number: number
  readonly pieces: readonly Piece[]
  readonly rows: number
  readonly last: boolean
  readonly checksum: number
}

/** The checksum that a chunk must have after another. */
export function chunkChecksum(bytes: Uint8Array, previousChecksum: number): number {
  return crc32(bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM_SIZE)), previousChecksum)
}

/** Takes a chunk apart, its checksum unchecked. Throws a WireError for what is none. */
export function decodeChunk(bytes: Uint8Array): DecodedChunk {
  const reader = new Reader(bytes)
  const pieces: Piece[] = []
  const chunk = { number: 0, pieces, rows: 0, last: false, checksum: 0 }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) chunk.number = reader.uint()
    else if (tag === 0x12) pieces.push(decodePiece(reader.nested()))
    else if (tag === 0x18) chunk.rows = reader.uint()
    else if (tag === 0x20) chunk.last = reader.bool()
    else if (tag === 0x7d) chunk.checksum = reader.fixed32()
    else reader.skip(tag)
  }
  return chunk
}

function decodePiece(reader: Reader): Piece {
  let key: Uint8Array | undefined
  let value: Uint8Array = new Uint8Array(0)
  let missing = 0
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) key = reader.bytes()
    else if (tag === 0x12) value = reader.bytes()
    else if (tag === 0x18) missing = reader.uint()
    else reader.skip(tag)
  }
  return { key, value, missing }
}
