import { crc32 } from 'node:zlib'

/**
 * A small file that people can read and that notices when it was changed: one line of JSON, and a line with
 * the CRC32 of the first.
 */
export function encodeChecked(value: unknown): Uint8Array {
  const line = JSON.stringify(value)
  return Buffer.from(`${line}\ncrc32 ${checksumOf(line)}\n`, 'utf8')
}

/** The value of a checked file; undefined where the bytes are not what was written. */
export function decodeChecked(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  const end = text.indexOf('\n')
  const line = text.slice(0, end)
  if (end === -1 || text.slice(end + 1) !== `crc32 ${checksumOf(line)}\n`) return undefined
  return JSON.parse(line)
}

function checksumOf(line: string): string {
  return crc32(line).toString(16).padStart(8, '0')
}
