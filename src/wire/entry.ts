import { crc32 } from 'node:zlib'
import { assert } from '../raft/assert.ts'
import { EntryKind } from '../raft/types.ts'
import type { LogEntry, LogPosition, Proposal, SealEntries, Term } from '../raft/types.ts'
import { Reader, varintSize, WireError, Writer } from './protobuf.ts'

/**
 * The encoding of log entries, the same on disk and on the wire: field `entries` (1) of LogRecord and of
 * AppendEntries in raft.proto.
 *
 * An entry has one encoding: fields 1 to 5 in their order, each once, zeros written too. The checksum covers
 * the bytes, so anything else is refused, fields that are not known included; what a later version adds to an
 * entry goes into its data, or behind a feature level.
 *
 * Who owns the memory: entries that are made together (sealed, or decoded from one buffer) are views of one
 * buffer, and whoever keeps one of them keeps that buffer. `sealEntries` makes one that holds these entries
 * and nothing else. `decodeEntries` makes views of what it is given: its caller sees to it that this is no
 * much larger than the entries (a record of the log store is; of a received frame they are copied out where they are
 * less than three quarters of it). State that outlives the log's tail in memory copies what it takes from an entry's
 * data.
 */

const ENTRY_TAG = 0x0a

/** What every entry takes beside index, term and data: five tags, the kind, the checksum. */
const FIXED_BODY_SIZE = 10

/** An entry's checksum does not fit what stands before it: the bytes were changed, or belong to another log. */
export class ChecksumError extends WireError {
  /** Where in the log. */
  readonly index: number

  constructor(index: number) {
    super(`the checksum of entry ${index} does not fit its bytes and the entry before it`)
    this.index = index
  }
}

/** The bytes of the checksum field, the last one of an entry. */
const CHECKSUM_SIZE = 5

/**
 * An entry as a place in the buffer that it stands in. Views are made when they are asked for: tens of thousands
 * of entries wait in the log's tail, and two views for each would be most of what the garbage collector sees.
 */
class EncodedEntry implements LogEntry {
  readonly index: number
  readonly term: Term
  readonly kind: EntryKind
  readonly checksum: number
  readonly #buffer: Buffer
  readonly #start: number
  readonly #dataStart: number
  readonly #dataEnd: number

  constructor(
    index: number,
    term: Term,
    kind: EntryKind,
    checksum: number,
    buffer: Buffer,
    start: number,
    dataStart: number,
    dataEnd: number,
  ) {
    this.index = index
    this.term = term
    this.kind = kind
    this.checksum = checksum
    this.#buffer = buffer
    this.#start = start
    this.#dataStart = dataStart
    this.#dataEnd = dataEnd
  }

  get data(): Buffer {
    return this.#buffer.subarray(this.#dataStart, this.#dataEnd)
  }

  get encoded(): Buffer {
    return this.#buffer.subarray(this.#start, this.#dataEnd + CHECKSUM_SIZE)
  }

  get size(): number {
    return this.#dataEnd + CHECKSUM_SIZE - this.#start
  }

  /** Whether `next` is there and begins where this one ends. */
  isFollowedBy(next: LogEntry | undefined): next is EncodedEntry {
    return (
      next instanceof EncodedEntry &&
      next.#buffer === this.#buffer &&
      next.#start === this.#dataEnd + CHECKSUM_SIZE
    )
  }

  /** The bytes from `first` to `last`, between which there is nothing but entries. */
  static run(first: EncodedEntry, last: EncodedEntry): Buffer {
    return first.#buffer.subarray(first.#start, last.#dataEnd + CHECKSUM_SIZE)
  }
}

/**
 * Encodes proposals as the entries after `previous`, into one buffer that holds nothing else.
 *
 * Throws a WireError for a kind that does not exist.
 */
export const sealEntries: SealEntries = (
  previous: LogPosition,
  term: Term,
  proposals: readonly Proposal[],
): readonly LogEntry[] => {
  let size = 0
  for (let i = 0; i < proposals.length; i++) {
    const body = bodySize(previous.index + 1 + i, term, proposals[i]!.data.length)
    size += 1 + varintSize(body) + body
  }
  // Not from Node's pool: an entry lives long, and would keep its neighbours there alive.
  const buffer = Buffer.allocUnsafeSlow(size)
  const writer = new Writer(buffer)
  const entries: LogEntry[] = []
  let index = previous.index
  let checksum = previous.checksum
  for (const { kind, data } of proposals) {
    assertKnownKind(++index, kind)
    const start = writer.length
    writer.head(1, bodySize(index, term, data.length))
    const body = writer.length
    writer.uint(1, index)
    writer.uint(2, term)
    writer.uint(3, kind)
    writer.bytes(4, data)
    const end = writer.length
    checksum = crc32(buffer.subarray(body, end), checksum)
    writer.fixed32(5, checksum)
    entries.push(new EncodedEntry(index, term, kind, checksum, buffer, start, end - data.length, end))
  }
  assert(writer.length === size, 'the size of sealed entries is known before they are encoded')
  return entries
}

function bodySize(index: number, term: number, length: number): number {
  return FIXED_BODY_SIZE + varintSize(index) + varintSize(term) + varintSize(length) + length
}

/**
 * Decodes a concatenation of encoded entries and verifies that they follow each other: indexes without a gap,
 * terms that do not fall, chained checksums. The entries are views of `bytes`.
 *
 * @param previousChecksum of the entry before the first one. Undefined where it is not known: then the first
 * entry's own checksum is taken at its word.
 *
 * Throws a ChecksumError where a checksum does not fit, and another WireError for what is not a run of
 * entries or has an entry of an unknown kind.
 */
export function decodeEntries(bytes: Uint8Array, previousChecksum: number | undefined): LogEntry[] {
  const reader = new Reader(bytes)
  const entries: LogEntry[] = []
  let seed = previousChecksum
  let previous: LogEntry | undefined
  while (reader.position < reader.end) {
    const entry = readEntry(reader, seed, previous)
    entries.push(entry)
    seed = entry.checksum
    previous = entry
  }
  return entries
}

function readEntry(reader: Reader, seed: number | undefined, previous: LogEntry | undefined): LogEntry {
  const start = reader.position
  reader.expect(ENTRY_TAG, 'an entry')
  const size = reader.uint()
  const body = reader.position
  if (size > reader.end - body) throw new WireError('the message ends within an entry')
  reader.expect(0x08, 'an entry')
  const index = reader.uint()
  reader.expect(0x10, 'an entry')
  const term = reader.uint()
  reader.expect(0x18, 'an entry')
  const kind = reader.uint()
  reader.expect(0x22, 'an entry')
  const length = reader.uint()
  if (length > reader.end - reader.position) throw new WireError('the message ends within an entry')
  reader.position += length
  const covered = reader.position
  reader.expect(0x2d, 'an entry')
  const checksum = reader.fixed32()
  if (reader.position !== body + size) throw new WireError('an entry is not as long as it says')
  if (seed !== undefined && crc32(reader.buffer.subarray(body, covered), seed) !== checksum) {
    // What the entry says of its own index may be what is wrong with it.
    throw new ChecksumError(previous === undefined ? index : previous.index + 1)
  }
  assertFollows(previous, index, term)
  assertKnownKind(index, kind)
  return new EncodedEntry(index, term, kind, checksum, reader.buffer, start, covered - length, covered)
}

function assertFollows(previous: LogEntry | undefined, index: number, term: number): void {
  if (previous === undefined) {
    if (index === 0) throw new WireError('an entry has the index 0')
    return
  }
  if (index !== previous.index + 1) throw new WireError(`entry ${index} stands after entry ${previous.index}`)
  if (term < previous.term) {
    throw new WireError(`entry ${index} is of term ${term}, the one before it of term ${previous.term}`)
  }
}

function assertKnownKind(index: number, kind: number): asserts kind is EntryKind {
  if (kind > EntryKind.FeatureLevel) {
    throw new WireError(
      `entry ${index} is of kind ${kind}, which this version does not know: ` +
        'it was written by a newer version of Balsa, and only such a one can read it',
    )
  }
}

/**
 * The encoded bytes of entries, one after the other. Where they lie next to each other in one buffer (as those
 * do that were sealed or decoded together) this is a view and nothing is copied.
 */
export function concatEntries(entries: readonly LogEntry[]): Uint8Array {
  const runs = encodedRuns(entries)
  return runs.length === 1 ? runs[0]! : Buffer.concat(runs)
}

/** The encoded bytes of entries as views, as few as possible: one for each run that lies together in memory. */
export function encodedRuns(entries: readonly LogEntry[]): Uint8Array[] {
  const runs: Uint8Array[] = []
  for (let i = 0; i < entries.length;) {
    const first = entries[i++]!
    if (!(first instanceof EncodedEntry)) {
      runs.push(first.encoded)
      continue
    }
    let last = first
    for (let next = entries[i]; last.isFollowedBy(next); next = entries[++i]) last = next
    runs.push(EncodedEntry.run(first, last))
  }
  return runs
}
