import { readExpectation, readOnlyNumber, writeExpectation } from './command.ts'
import { NO_BYTES, optionalUintSize, Reader, WireError, Writer } from './protobuf.ts'
import {
  assertFew,
  readReadRequest,
  readRequestSize,
  refuseNumber,
  writeReadRequest,
} from './read-request.ts'
import type { ReadRequest } from './read-request.ts'
import {
  keyEntrySize,
  readCommandResult,
  writeCommandResult,
  readKeyEntry,
  readReadResult,
  readResultSize,
  writeKeyEntry,
  writeReadResult,
} from './result.ts'
import type { ReadResult } from './result.ts'
import type { Command, Expectation, KeyEntry, Operation } from './types.ts'

/**
 * Codecs for the messages of the unary calls of kv.proto. A write's request is decoded into the command that
 * will stand in the log. Whatever asks for what is reserved, or has a number above 2^53 − 1, is a WireError: the
 * service calls `decode` itself (its methods carry bytes, see services.ts) and answers INVALID_ARGUMENT.
 */
export interface Codec<T> {
  readonly encode: (value: T) => Buffer
  /** Throws a WireError. Keys and values are views of `bytes`. */
  readonly decode: (bytes: Uint8Array) => T
}

/** A command with one kind of operation. */
export type CommandOf<Type extends Operation['type']> = Command & {
  readonly operation: Extract<Operation, { readonly type: Type }>
}

/** Answers a read of one key. */
export interface GetResponse {
  readonly revision: number
  readonly entry: KeyEntry | undefined
}

export interface CompareAndSwapResponse {
  readonly revision: number
  readonly succeeded: boolean
  /** Where it did not succeed and the key exists. */
  readonly current: KeyEntry | undefined
}

/** A codec from what writes and what reads a message's fields, and about how many bytes it takes. */
function codec<T>(
  size: (value: T) => number,
  write: (writer: Writer, value: T) => void,
  read: (reader: Reader) => T,
): Codec<T> {
  return Object.freeze({
    encode: (value: T) => {
      const writer = new Writer(size(value))
      write(writer, value)
      return writer.finish()
    },
    decode: (bytes: Uint8Array) => read(new Reader(bytes)),
  })
}

/** What tags, heads and numbers of a message take at most, beside keys and values. */
const OVERHEAD = 64

// ---- reads ----

/** A read of one key. */
export interface GetRequest extends Omit<ReadRequest, 'keys'> {
  readonly key: Uint8Array
}

export const getRequest: Codec<GetRequest> = codec(
  ({ key }) => OVERHEAD + key.length,
  (writer, { key, consistency, revision }) =>
    writeReadRequest(writer, { keys: [key], consistency, revision }),
  (reader) => {
    // GetRequest is a ReadRequest whose key is not repeated: the last one counts.
    const { keys, consistency, revision } = readReadRequest(reader)
    return { key: keys.at(-1) ?? NO_BYTES, consistency, revision }
  },
)

export const getResponse: Codec<GetResponse> = codec(
  ({ entry }) => OVERHEAD + (entry === undefined ? 0 : keyEntrySize(entry)),
  (writer, { revision, entry }) => {
    writer.optionalUint(1, revision)
    if (entry !== undefined) writeKeyEntry(writer, 2, entry, keyEntrySize(entry))
  },
  (reader) => {
    let revision = 0
    let entry: KeyEntry | undefined
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 0x08) revision = reader.uint()
      else if (tag === 0x12) entry = readKeyEntry(reader.nested())
      else reader.skip(tag)
    }
    return { revision, entry }
  },
)

export const getManyRequest: Codec<ReadRequest> = codec(
  ({ keys }) => readRequestSize(keys),
  writeReadRequest,
  readReadRequest,
)

export const getManyResponse: Codec<ReadResult> = codec(
  ({ revision, entries }) => readResultSize(revision, entries),
  (writer, { revision, entries }) => writeReadResult(writer, revision, entries),
  readReadResult,
)

// ---- writes ----

interface Header {
  session: number
  sequence: number
  firstUnacked: number
}

const NO_SESSION: Readonly<Header> = Object.freeze({ session: 0, sequence: 0, firstUnacked: 0 })

function writeHeader(writer: Writer, field: number, { session, sequence, firstUnacked }: Header): void {
  const size = optionalUintSize(session) + optionalUintSize(sequence) + optionalUintSize(firstUnacked)
  if (size === 0) return
  writer.head(field, size)
  writer.optionalUint(1, session)
  writer.optionalUint(2, sequence)
  writer.optionalUint(3, firstUnacked)
}

function readHeader(reader: Reader): Header {
  const header: Header = { session: 0, sequence: 0, firstUnacked: 0 }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) header.session = reader.uint()
    else if (tag === 0x10) header.sequence = reader.uint()
    else if (tag === 0x18) header.firstUnacked = reader.uint()
    else reader.skip(tag)
  }
  return header
}

/** Field by field: to spread an object costs more than to decode the rest of the request. */
function commandOf<O extends Operation>(header: Header, operation: O): Command & { readonly operation: O } {
  const { session, sequence, firstUnacked } = header
  return { session, sequence, firstUnacked, operation }
}

export const putRequest: Codec<CommandOf<'put'>> = codec(
  ({ operation }) => OVERHEAD + operation.key.length + operation.value.length,
  (writer, command) => {
    writer.optionalBytes(1, command.operation.key)
    writer.optionalBytes(2, command.operation.value)
    writeHeader(writer, 3, command)
  },
  (reader) => {
    let key: Uint8Array = NO_BYTES
    let value: Uint8Array = NO_BYTES
    let header: Header = NO_SESSION
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 0x0a) key = reader.bytes()
      else if (tag === 0x12) value = reader.bytes()
      else if (tag === 0x1a) header = readHeader(reader.nested())
      else if (tag === 0x20) refuseNumber(reader, 'a lease')
      else if (tag === 0x28) refuseNumber(reader, 'the previous value')
      else reader.skip(tag)
    }
    return commandOf(header, { type: 'put', key, value })
  },
)

export const putManyRequest: Codec<CommandOf<'putMany'>> = codec(
  ({ operation }) =>
    operation.puts.reduce((sum, put) => sum + 16 + put.key.length + put.value.length, OVERHEAD),
  (writer, command) => {
    for (const { key, value } of command.operation.puts) {
      const pair = writer.begin(1)
      writer.optionalBytes(1, key)
      writer.optionalBytes(2, value)
      writer.end(pair)
    }
    writeHeader(writer, 2, command)
  },
  (reader) => {
    const puts: { key: Uint8Array; value: Uint8Array }[] = []
    let header: Header = NO_SESSION
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 0x0a) {
        assertFew(puts.length, 'pairs')
        puts.push(readPair(reader.nested()))
      } else if (tag === 0x12) header = readHeader(reader.nested())
      else reader.skip(tag)
    }
    return commandOf(header, { type: 'putMany', puts })
  },
)

function readPair(reader: Reader): { key: Uint8Array; value: Uint8Array } {
  let key: Uint8Array = NO_BYTES
  let value: Uint8Array = NO_BYTES
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) key = reader.bytes()
    else if (tag === 0x12) value = reader.bytes()
    else if (tag === 0x18) refuseNumber(reader, 'a lease')
    else reader.skip(tag)
  }
  return { key, value }
}

export const deleteRequest: Codec<CommandOf<'delete'>> = codec(
  ({ operation }) => OVERHEAD + operation.key.length,
  (writer, command) => {
    writer.optionalBytes(1, command.operation.key)
    writeHeader(writer, 2, command)
  },
  (reader) => {
    let key: Uint8Array = NO_BYTES
    let header: Header = NO_SESSION
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 0x0a) key = reader.bytes()
      else if (tag === 0x12) header = readHeader(reader.nested())
      else if (tag === 0x18) refuseNumber(reader, 'the previous value')
      else reader.skip(tag)
    }
    return commandOf(header, { type: 'delete', key })
  },
)

export const compareAndSwapRequest: Codec<CommandOf<'cas'>> = codec(
  ({ operation }) => OVERHEAD + operation.key.length + operation.newValue.length,
  (writer, command) => {
    writer.optionalBytes(1, command.operation.key)
    writeExpectation(writer, command.operation.expected)
    writer.optionalBytes(5, command.operation.newValue)
    writeHeader(writer, 6, command)
  },
  (reader) => {
    let key: Uint8Array = NO_BYTES
    let newValue: Uint8Array = NO_BYTES
    let expected: Expectation | undefined
    let header: Header = NO_SESSION
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 0x0a) key = reader.bytes()
      else if (tag === 0x2a) newValue = reader.bytes()
      else if (tag === 0x32) header = readHeader(reader.nested())
      else if (tag === 0x38) refuseNumber(reader, 'a lease')
      else {
        const condition = readExpectation(reader, tag)
        if (condition === undefined) reader.skip(tag)
        else expected = condition
      }
    }
    if (expected === undefined) throw new WireError('a compare-and-swap has no condition')
    return commandOf(header, { type: 'cas', key, expected, newValue })
  },
)

/** A message whose only field is a number, with field number 1. */
function numberCodec<Name extends string>(name: Name): Codec<Readonly<Record<Name, number>>> {
  return codec(
    () => 16,
    (writer, value) => writer.optionalUint(1, value[name]),
    (reader) => ({ [name]: readOnlyNumber(reader) }) as Record<Name, number>,
  )
}

export const putResponse = numberCodec('revision')
export const putManyResponse = numberCodec('revision')
export const compactResponse = numberCodec('revision')

export const deleteResponse: Codec<{ readonly revision: number; readonly deleted: boolean }> = codec(
  () => 16,
  (writer, { revision, deleted }) => {
    writer.optionalUint(1, revision)
    writer.optionalBool(2, deleted)
  },
  (reader) => {
    let revision = 0
    let deleted = false
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 0x08) revision = reader.uint()
      else if (tag === 0x10) deleted = reader.bool()
      else reader.skip(tag)
    }
    return { revision, deleted }
  },
)

export const compactRequest: Codec<CommandOf<'compact'>> = codec(
  () => OVERHEAD,
  (writer, command) => {
    writer.optionalUint(1, command.operation.revision)
    writeHeader(writer, 2, command)
  },
  (reader) => {
    let revision = 0
    let header: Header = NO_SESSION
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 0x08) revision = reader.uint()
      else if (tag === 0x12) header = readHeader(reader.nested())
      else reader.skip(tag)
    }
    return commandOf(header, { type: 'compact', revision })
  },
)

/** CompareAndSwapResponse is laid out as the first fields of a CommandResult are. */
export const compareAndSwapResponse: Codec<CompareAndSwapResponse> = codec(
  ({ current }) => OVERHEAD + (current === undefined ? 0 : keyEntrySize(current)),
  (writer, response) => writeCommandResult(writer, { ...response, session: 0 }),
  (reader) => {
    const { revision, succeeded, current } = readCommandResult(reader)
    return { revision, succeeded, current }
  },
)

// ---- sessions ----

export const openSessionRequest = numberCodec('ttlMs')
export const openSessionResponse = numberCodec('session')
export const closeSessionRequest = numberCodec('session')

export const closeSessionResponse: Codec<Readonly<Record<never, never>>> = codec(
  () => 0,
  () => undefined,
  (reader) => {
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) reader.skip(tag)
    return {}
  },
)
