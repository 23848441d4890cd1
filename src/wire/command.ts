import {
  assertRoom,
  bytesFieldSize,
  NO_BYTES,
  optionalBytesSize,
  optionalUintSize,
  Reader,
  WireError,
  Writer,
} from './protobuf.ts'
import { refuseNumber } from './read-request.ts'
import type { Command, Expectation, Operation, SessionChange } from './types.ts'

/** More than the numbers and tags of a command ever take: session, sequence, firstUnacked, heads. */
const OVERHEAD = 64

/**
 * Encodes a write as it will stand in the log (message Command of kv.proto). The result is a buffer of its
 * own: it holds copies of key and value.
 *
 * @throws WireError where a number is not a whole one between 0 and 2^53 − 1.
 */
export function encodeCommand(command: Command): Uint8Array {
  const writer = new Writer(OVERHEAD + operationSize(command.operation))
  writer.optionalUint(1, command.session)
  writer.optionalUint(2, command.sequence)
  writer.optionalUint(3, command.firstUnacked)
  writeOperation(writer, command.operation)
  return writer.finish()
}

/**
 * Decodes a write. Keys and values are views of `bytes`: what keeps one keeps them all in memory.
 *
 * Throws a WireError for what is not a command, has no operation, or asks for something that this version
 * does not do (a lease, the previous value): better refused than done by half.
 */
export function decodeCommand(bytes: Uint8Array): Command {
  const reader = new Reader(bytes)
  let session = 0
  let sequence = 0
  let firstUnacked = 0
  let operation: Operation | undefined
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x08:
        session = reader.uint()
        break
      case 0x10:
        sequence = reader.uint()
        break
      case 0x18:
        firstUnacked = reader.uint()
        break
      case 0x22: {
        const { key, value } = readPut(reader.nested())
        operation = { type: 'put', key, value }
        break
      }
      case 0x2a:
        operation = readDelete(reader.nested())
        break
      case 0x32:
        operation = readCompareAndSwap(reader.nested())
        break
      case 0x3a:
        operation = readPutMany(reader.nested())
        break
      case 0x42:
        operation = { type: 'compact', revision: readOnlyNumber(reader.nested()) }
        break
      default:
        reader.skip(tag)
    }
  }
  if (operation === undefined) throw new WireError('a command has no operation that this version knows')
  return { session, sequence, firstUnacked, operation }
}

/** How many bytes the operation takes, but for its own head and tags. */
function operationSize(operation: Operation): number {
  switch (operation.type) {
    case 'put':
      return operation.key.length + operation.value.length
    case 'delete':
      return operation.key.length
    case 'cas': {
      const { expected } = operation
      const condition = expected.type === 'value' ? expected.value.length : 0
      return operation.key.length + condition + operation.newValue.length
    }
    case 'putMany':
      return operation.puts.reduce((sum, put) => sum + bytesFieldSize(putSize(put)), 0)
    case 'compact':
      return 0
  }
}

function writeOperation(writer: Writer, operation: Operation): void {
  switch (operation.type) {
    case 'put':
      writer.head(4, putSize(operation))
      writePut(writer, operation)
      return
    case 'delete':
      writer.head(5, optionalBytesSize(operation.key.length))
      writer.optionalBytes(1, operation.key)
      return
    case 'cas': {
      const begun = writer.begin(6)
      writer.optionalBytes(1, operation.key)
      writeExpectation(writer, operation.expected)
      writer.optionalBytes(5, operation.newValue)
      writer.end(begun)
      return
    }
    case 'putMany': {
      const begun = writer.begin(7)
      for (const put of operation.puts) {
        writer.head(1, putSize(put))
        writePut(writer, put)
      }
      writer.end(begun)
      return
    }
    case 'compact':
      writer.head(8, optionalUintSize(operation.revision))
      writer.optionalUint(1, operation.revision)
      return
  }
}

interface Put {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

function putSize({ key, value }: Put): number {
  return optionalBytesSize(key.length) + optionalBytesSize(value.length)
}

function writePut(writer: Writer, { key, value }: Put): void {
  writer.optionalBytes(1, key)
  writer.optionalBytes(2, value)
}

/** Writes a condition, which has the same field numbers wherever it stands. Always there: it is a oneof. */
export function writeExpectation(writer: Writer, expected: Expectation): void {
  switch (expected.type) {
    case 'value':
      writer.bytes(2, expected.value)
      return
    case 'modRevision':
      writer.uint(3, expected.modRevision)
      return
    case 'absent':
      writer.bool(4, true)
      return
  }
}

/**
 * Reads the field of a condition that begins with `tag`; undefined where it is not one, and then nothing was
 * read.
 */
export function readExpectation(reader: Reader, tag: number): Expectation | undefined {
  switch (tag) {
    case 0x12:
      return { type: 'value', value: reader.bytes() }
    case 0x18:
      return { type: 'modRevision', modRevision: reader.uint() }
    case 0x20:
      if (!reader.bool()) throw new WireError('the condition "absent" can only be true')
      return { type: 'absent' }
    default:
      return undefined
  }
}

function readPut(reader: Reader): { key: Uint8Array; value: Uint8Array } {
  let key: Uint8Array = NO_BYTES
  let value: Uint8Array = NO_BYTES
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x0a:
        key = reader.bytes()
        break
      case 0x12:
        value = reader.bytes()
        break
      case 0x18:
        refuseNumber(reader, 'a lease')
        break
      case 0x20:
        refuseNumber(reader, 'the previous value')
        break
      default:
        reader.skip(tag)
    }
  }
  return { key, value }
}

function readDelete(reader: Reader): Operation {
  let key: Uint8Array = NO_BYTES
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) key = reader.bytes()
    else if (tag === 0x10) refuseNumber(reader, 'the previous value')
    else reader.skip(tag)
  }
  return { type: 'delete', key }
}

function readCompareAndSwap(reader: Reader): Operation {
  let key: Uint8Array = NO_BYTES
  let newValue: Uint8Array = NO_BYTES
  let expected: Expectation | undefined
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x0a:
        key = reader.bytes()
        break
      case 0x2a:
        newValue = reader.bytes()
        break
      case 0x30:
        refuseNumber(reader, 'a lease')
        break
      default: {
        const condition = readExpectation(reader, tag)
        if (condition === undefined) reader.skip(tag)
        else expected = condition
      }
    }
  }
  if (expected === undefined) throw new WireError('a compare-and-swap has no condition')
  return { type: 'cas', key, expected, newValue }
}

function readPutMany(reader: Reader): Operation {
  const puts: { key: Uint8Array; value: Uint8Array }[] = []
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) {
      assertRoom(puts.length, 'pairs')
      puts.push(readPut(reader.nested()))
    } else reader.skip(tag)
  }
  return { type: 'putMany', puts }
}

/** Encodes the data of a log entry of kind SESSION. */
export function encodeSessionChange(change: SessionChange): Uint8Array {
  const writer = new Writer(16)
  const number = change.type === 'open' ? change.ttlMs : change.session
  writer.head(change.type === 'open' ? 1 : 2, optionalUintSize(number))
  writer.optionalUint(1, number)
  return writer.finish()
}

/** Decodes the data of a log entry of kind SESSION. Throws a WireError for what is none. */
export function decodeSessionChange(bytes: Uint8Array): SessionChange {
  const reader = new Reader(bytes)
  let change: SessionChange | undefined
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) change = { type: 'open', ttlMs: readOnlyNumber(reader.nested()) }
    else if (tag === 0x12) change = { type: 'close', session: readOnlyNumber(reader.nested()) }
    else reader.skip(tag)
  }
  if (change === undefined) throw new WireError('a session change neither opens nor closes a session')
  return change
}

/** Encodes the data of a log entry of kind TIME: `ms` milliseconds of cluster life. */
export function encodeTimeStamp(ms: number): Uint8Array {
  const writer = new Writer(16)
  writer.optionalUint(1, ms)
  return writer.finish()
}

/** Decodes the data of a log entry of kind TIME: milliseconds of cluster life. Throws a WireError. */
export function decodeTimeStamp(bytes: Uint8Array): number {
  return readOnlyNumber(new Reader(bytes))
}

/** Reads a message whose only field is a number, with field number 1. */
export function readOnlyNumber(reader: Reader): number {
  let value = 0
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) value = reader.uint()
    else reader.skip(tag)
  }
  return value
}
