import { bytesFieldSize, WireError } from './protobuf.ts'
import type { Reader, Writer } from './protobuf.ts'

/** How a read is made: confirmed by a majority; from what one node has applied; from the leader's lease. */
export type Consistency = 'linearizable' | 'stale' | 'lease'

/** A read of several keys (ReadRequest and GetManyRequest of kv.proto, which are the same). */
export interface ReadRequest {
  readonly keys: readonly Uint8Array[]
  readonly consistency: Consistency
  /** As the keys were at that revision of the store. 0: as they are. */
  readonly revision: number
}

/**
 * How many keys a read may ask for, and how many pairs a putMany may have. Each is done in one go, during which a node
 * does nothing else: a leader that is kept busy for as long as an election time-out is deposed.
 */
export const MAX_REQUEST_ITEMS = 10_000

/** The words for a request of more than that; `items` says of what. */
export function tooManyItems(items: string): string {
  return `a request has at most ${MAX_REQUEST_ITEMS} ${items}: split it`
}

/** Throws a WireError unless a request may have one more behind `count` items. */
export function assertFew(count: number, items: string): void {
  if (count >= MAX_REQUEST_ITEMS) throw new WireError(tooManyItems(items))
}

/** The words for an answer of more than `maxBytes` bytes. */
export function answerTooLarge(maxBytes: number): string {
  return `the answer would have more than ${maxBytes} bytes: ask for fewer keys at a time`
}

/** The words for a revision that is not there yet. */
export function futureRevision(asked: number, revision: number): string {
  return `revision ${asked} is in the future: the store is at revision ${revision}`
}

/** The wire's numbers: enum Consistency of kv.proto. */
const CONSISTENCIES: readonly Consistency[] = Object.freeze(['linearizable', 'stale', 'lease'])

/** About how many bytes a read takes, and not less. */
export function readRequestSize(keys: readonly Uint8Array[]): number {
  let size = 16
  for (const key of keys) size += bytesFieldSize(key.length)
  return size
}

/** Writes the fields of a read, without a head. */
export function writeReadRequest(writer: Writer, request: ReadRequest): void {
  for (const key of request.keys) writer.bytes(1, key)
  writer.optionalUint(2, CONSISTENCIES.indexOf(request.consistency))
  writer.optionalUint(3, request.revision)
}

/**
 * Reads a read up to the reader's end; the keys are views. Throws a WireError for a consistency that this
 * version does not know, and where the read asks for what is reserved.
 */
export function readReadRequest(reader: Reader): ReadRequest {
  const keys: Uint8Array[] = []
  let consistency: Consistency = 'linearizable'
  let revision = 0
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x0a:
        assertFew(keys.length, 'keys')
        keys.push(reader.bytes())
        break
      case 0x10:
        consistency = readConsistency(reader)
        break
      case 0x18:
        revision = reader.uint()
        break
      case 0x22:
        refuseBytes(reader, 'a read context')
        break
      default:
        reader.skip(tag)
    }
  }
  return { keys, consistency, revision }
}

function readConsistency(reader: Reader): Consistency {
  const number = reader.uint()
  const consistency = CONSISTENCIES[number]
  if (consistency === undefined) {
    throw new WireError(`the request asks for the consistency ${number}, which this version does not know`)
  }
  return consistency
}

/** Reads a reserved number or truth value; throws a WireError where it asks for something. */
export function refuseNumber(reader: Reader, what: string): void {
  if (reader.uint() !== 0)
    throw new WireError(`the request asks for ${what}, which this version does not know`)
}

function refuseBytes(reader: Reader, what: string): void {
  if (reader.bytes().length > 0) {
    throw new WireError(`the request has ${what}, which this version does not know`)
  }
}
