/**
 * CRC32C (Castagnoli), the checksum in LevelDB's files. Node has CRC32 only, so this is by tables: sixteen bytes
 * a round ("slicing", Kounavis and Berry, 2005), over 1 GB/s. It takes words as little-endian machines have them,
 * as LevelDB's prebuilt binaries do.
 */

/** Reversed polynomial. */
const POLYNOMIAL = 0x82f6_3b78
const ROUND = 16

/** 16 tables of 256 entries: table `k` has what a byte comes to after `k` more bytes. */
const TABLES = tables()

const NO_WORDS = new Int32Array(0)

function tables(): Int32Array {
  const table = new Int32Array(256 * ROUND)
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
    table[byte] = value
  }
  for (let k = 1; k < ROUND; k++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = table[(k - 1) * 256 + byte]!
      table[k * 256 + byte] = (before >>> 8) ^ table[before & 0xff]!
    }
  }
  return table
}

/** The CRC32C of the bytes from `start` up to `end`. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const t = TABLES
  let crc = -1
  let i = start
  // Up to where whole words of memory begin.
  while (i < end && ((bytes.byteOffset + i) & 3) !== 0) crc = (crc >>> 8) ^ t[(crc ^ bytes[i++]!) & 0xff]!
  // What is too short for a round may not have come to where a word begins.
  const rounds = ((end - i) >> 2) & ~3
  const words = rounds === 0 ? NO_WORDS : new Int32Array(bytes.buffer, bytes.byteOffset + i, rounds)
  for (let w = 0; w < rounds; w += 4) {
    const a = crc ^ words[w]!
    const b = words[w + 1]!
    const c = words[w + 2]!
    const d = words[w + 3]!
    crc =
      t[3840 + (a & 0xff)]! ^
      t[3584 + ((a >>> 8) & 0xff)]! ^
      t[3328 + ((a >>> 16) & 0xff)]! ^
      t[3072 + (a >>> 24)]! ^
      t[2816 + (b & 0xff)]! ^
      t[2560 + ((b >>> 8) & 0xff)]! ^
      t[2304 + ((b >>> 16) & 0xff)]! ^
      t[2048 + (b >>> 24)]! ^
      t[1792 + (c & 0xff)]! ^
      t[1536 + ((c >>> 8) & 0xff)]! ^
      t[1280 + ((c >>> 16) & 0xff)]! ^
      t[1024 + (c >>> 24)]! ^
      t[768 + (d & 0xff)]! ^
      t[512 + ((d >>> 8) & 0xff)]! ^
      t[256 + ((d >>> 16) & 0xff)]! ^
      t[d >>> 24]!
  }
  for (i += rounds * 4; i < end; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!
  return ~crc >>> 0
}

/** A checksum as LevelDB stores it: rotated, and with a constant added, so that no CRC is taken of a CRC. */
export function maskedCrc32c(bytes: Uint8Array, start: number, end: number): number {
  const crc = crc32c(bytes, start, end)
  return (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0
}
