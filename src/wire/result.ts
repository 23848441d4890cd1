import {
  assertRoom,
  bytesFieldSize,
  NO_BYTES,
  optionalBytesSize,
  optionalUintSize,
  Reader,
  Writer,
} from './protobuf.ts'
import type { CommandResult, KeyEntry, KeyRecord } from './types.ts'

/** The answer to a read: for each key, in the order in which they were asked for, its entry or undefined. */
export interface ReadResult {
  /** The store's revision that the answer shows. */
  readonly revision: number
  readonly entries: readonly (KeyEntry | undefined)[]
}

/** How many bytes a KeyValue takes, without its head. */
export function keyEntrySize(entry: KeyEntry): number {
  return recordSize(entry.key, entry)
}

function recordSize(key: Uint8Array, record: KeyRecord): number {
  return (
    optionalBytesSize(key.length) +
    optionalBytesSize(record.value.length) +
    optionalUintSize(record.createRevision) +
    optionalUintSize(record.modRevision) +
    optionalUintSize(record.version) +
    optionalUintSize(record.lease)
  )
}

/** Writes a KeyValue as field `field`; `size` is its `keyEntrySize`. */
export function writeKeyEntry(writer: Writer, field: number, entry: KeyEntry, size: number): void {
  writer.head(field, size)
  writer.optionalBytes(1, entry.key)
  writer.optionalBytes(2, entry.value)
  writer.optionalUint(3, entry.createRevision)
  writer.optionalUint(4, entry.modRevision)
  writer.optionalUint(5, entry.version)
  writer.optionalUint(6, entry.lease)
}

/** Reads a KeyValue up to the reader's end. Key and value are views. */
export function readKeyEntry(reader: Reader): KeyEntry {
  let key: Uint8Array = NO_BYTES
  let value: Uint8Array = NO_BYTES
  let createRevision = 0
  let modRevision = 0
  let version = 0
  let lease = 0
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x0a:
        key = reader.bytes()
        break
      case 0x12:
        value = reader.bytes()
        break
      case 0x18:
        createRevision = reader.uint()
        break
      case 0x20:
        modRevision = reader.uint()
        break
      case 0x28:
        version = reader.uint()
        break
      case 0x30:
        lease = reader.uint()
        break
      default:
        reader.skip(tag)
    }
  }
  return { key, value, createRevision, modRevision, version, lease }
}

/** Encodes the result of a command. */
export function encodeCommandResult(result: CommandResult): Uint8Array {
  const writer = new Writer(32 + (result.current === undefined ? 0 : 8 + keyEntrySize(result.current)))
  writeCommandResult(writer, result)
  return writer.finish()
}

/** Decodes the result of a command. Throws a WireError for what is none. Key and value are views. */
export function decodeCommandResult(bytes: Uint8Array): CommandResult {
  return readCommandResult(new Reader(bytes))
}

/** How many bytes the result of a command takes, without its head. */
export function commandResultSize(result: CommandResult): number {
  const { current } = result
  return (
    optionalUintSize(result.revision) +
    (result.succeeded ? 2 : 0) +
    (current === undefined ? 0 : bytesFieldSize(keyEntrySize(current))) +
    optionalUintSize(result.session)
  )
}

/** Writes the fields of a command's result, without a head. */
export function writeCommandResult(writer: Writer, result: CommandResult): void {
  writer.optionalUint(1, result.revision)
  writer.optionalBool(2, result.succeeded)
  if (result.current !== undefined) writeKeyEntry(writer, 3, result.current, keyEntrySize(result.current))
  writer.optionalUint(4, result.session)
}

/** Reads the result of a command up to the reader's end. Key and value are views. */
export function readCommandResult(reader: Reader): CommandResult {
  let revision = 0
  let succeeded = false
  let current: KeyEntry | undefined
  let session = 0
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x08:
        revision = reader.uint()
        break
      case 0x10:
        succeeded = reader.bool()
        break
      case 0x1a:
        current = readKeyEntry(reader.nested())
        break
      case 0x20:
        session = reader.uint()
        break
      default:
        reader.skip(tag)
    }
  }
  return { revision, succeeded, current, session }
}

/** How many bytes the answer to a read takes, without its head. */
export function readResultSize(revision: number, entries: ReadResult['entries']): number {
  let size = optionalUintSize(revision)
  for (const entry of entries) size += bytesFieldSize(foundSize(entry))
  return size
}

/** More than what goes around an answer in its message, in bytes: heads and the request's id. */
export const ANSWER_OVERHEAD_BYTES = 32

/**
 * Adds up the answer to a read key by key, so that one that gets too large is given up before the rest is looked for.
 * The answer for one key alone always fits: no other request could bring it.
 */
export class AnswerSize {
  readonly #maxBytes: number
  #bytes: number
  #keys = 0

  /**
   * @param revision the store's revision that the answer shows
   * @param maxBytes how many bytes the answer may have, with what goes around it
   */
  constructor(revision: number, maxBytes: number) {
    this.#bytes = optionalUintSize(revision) + ANSWER_OVERHEAD_BYTES
    this.#maxBytes = maxBytes
  }

  /** Counts what was found for the next key. False: the answer is too large with it. */
  fits(key: Uint8Array, record: KeyRecord | undefined): boolean {
    this.#keys++
    const size = record === undefined ? 0 : bytesFieldSize(recordSize(key, record))
    this.#bytes += bytesFieldSize(size)
    return this.#keys === 1 || this.#bytes <= this.#maxBytes
  }
}

/** Writes the fields of the answer to a read (of ReadResult as of GetManyResponse), without a head. */
export function writeReadResult(writer: Writer, revision: number, entries: ReadResult['entries']): void {
  writer.optionalUint(1, revision)
  for (const entry of entries) {
    writer.head(2, foundSize(entry))
    if (entry !== undefined) writeKeyEntry(writer, 1, entry, keyEntrySize(entry))
  }
}

/** Reads the answer to a read up to the reader's end. Keys and values are views. */
export function readReadResult(reader: Reader): ReadResult {
  let revision = 0
  const entries: (KeyEntry | undefined)[] = []
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) revision = reader.uint()
    else if (tag === 0x12) {
      assertRoom(entries.length, 'entries')
      entries.push(readFound(reader.nested()))
    } else reader.skip(tag)
  }
  return { revision, entries }
}

/** The size of a FoundEntry: that of a field with the entry, or nothing where there is no such key. */
function foundSize(entry: KeyEntry | undefined): number {
  return entry === undefined ? 0 : bytesFieldSize(keyEntrySize(entry))
}

function readFound(reader: Reader): KeyEntry | undefined {
  let entry: KeyEntry | undefined
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) entry = readKeyEntry(reader.nested())
    else reader.skip(tag)
  }
  return entry
}
