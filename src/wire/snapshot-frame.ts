import { readHello, writeHello } from './message.ts'
import type { Hello } from './message.ts'
import { Reader, WireError, Writer } from './protobuf.ts'

/** What a leader says of the snapshot that it wants to bring (message SnapshotOffer of raft.proto). */
export interface SnapshotOffer {
  /** The leader's. */
  readonly term: number
  /** Of this very snapshot: after a broken connection it goes on under the same. */
  readonly id: number
  /** What is in it, as the state store's sealed record. */
  readonly meta: Uint8Array
}

/** What a follower says of it (message SnapshotProgress). */
export interface SnapshotProgress {
  /** So many chunks are taken. */
  readonly chunks: number
  /** All of it is in force, or was not needed. */
  readonly done: boolean
  /** Why it cannot be taken, in words; empty: it can. */
  readonly failure: string
}

/** A frame of a stream that brings a snapshot: just one of these. */
export type SnapshotFrame =
  | { readonly type: 'hello'; readonly hello: Hello }
  | { readonly type: 'offer'; readonly offer: SnapshotOffer }
  | { readonly type: 'chunk'; readonly chunk: Uint8Array }
  | { readonly type: 'progress'; readonly progress: SnapshotProgress }

/** Encodes a frame of a stream that brings a snapshot. */
export function encodeSnapshotFrame(frame: SnapshotFrame): Uint8Array {
  const writer = new Writer(frame.type === 'chunk' ? frame.chunk.length + 8 : 512)
  switch (frame.type) {
    case 'hello':
      writeHello(writer, frame.hello)
      break
    case 'offer': {
      const begun = writer.begin(2)
      writer.optionalUint(1, frame.offer.term)
      writer.optionalUint(2, frame.offer.id)
      writer.optionalBytes(3, frame.offer.meta)
      writer.end(begun)
      break
    }
    case 'chunk':
      writer.bytes(3, frame.chunk)
      break
    case 'progress': {
      const begun = writer.begin(4)
      writer.optionalUint(1, frame.progress.chunks)
      writer.optionalBool(2, frame.progress.done)
      writer.optionalString(3, frame.progress.failure)
      writer.end(begun)
      break
    }
  }
  return writer.finish()
}

/** Decodes a frame. A chunk is a view of its bytes. Throws a WireError for what is none. */
export function decodeSnapshotFrame(bytes: Uint8Array): SnapshotFrame {
  const reader = new Reader(bytes)
  let frame: SnapshotFrame | undefined
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) frame = { type: 'hello', hello: readHello(reader.nested()) }
    else if (tag === 0x12) frame = { type: 'offer', offer: readOffer(reader.nested()) }
    else if (tag === 0x1a) frame = { type: 'chunk', chunk: reader.bytes() }
    else if (tag === 0x22) frame = { type: 'progress', progress: readProgress(reader.nested()) }
    else reader.skip(tag)
  }
  if (frame === undefined) throw new WireError('a frame holds nothing that this version knows')
  return frame
}

function readOffer(reader: Reader): SnapshotOffer {
  const offer = { term: 0, id: 0, meta: new Uint8Array(0) }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) offer.term = reader.uint()
    else if (tag === 0x10) offer.id = reader.uint()
    else if (tag === 0x1a) offer.meta = Uint8Array.from(reader.bytes())
    else reader.skip(tag)
  }
  return offer
}

function readProgress(reader: Reader): SnapshotProgress {
  const progress = { chunks: 0, done: false, failure: '' }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) progress.chunks = reader.uint()
    else if (tag === 0x10) progress.done = reader.bool()
    else if (tag === 0x1a) progress.failure = reader.string()
    else reader.skip(tag)
  }
  return progress
}
