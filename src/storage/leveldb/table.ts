import { maskedCrc32c } from './crc32c.ts'
import { Cursor, FormatError } from './format.ts'
import type { TableEntry } from './manifest.ts'
import { expandSnappy } from './snappy.ts'

/** LevelDB's table format (doc/table_format.md): data blocks, filter, metaindex, index, footer, without gaps. */
const FOOTER_SIZE = 48
const MAGIC = 0xdb47_7524_8b80_fb57n
/** Behind each block: its type, and the masked CRC32C of both. */
const TRAILER_SIZE = 5

const BlockType = { Plain: 0, Snappy: 1 } as const

/** Data blocks are read together up to this. */
const READ_BYTES = 1024 * 1024

/** Where a block stands. Its trailer is not counted in its size. */
interface Handle {
  readonly offset: number
  readonly size: number
}

/** Reads a part of the file; the bytes are valid until the next call. Throws a FormatError where the file ends before. */
export type ReadPart = (offset: number, length: number) => Promise<Buffer>

/**
 * Checks a whole table: its size, the footer, the checksum of every block, that the blocks leave no gap, and that
 * its first and last key (with their sequence numbers) are those that MANIFEST names. Throws a FormatError.
 */
export async function verifyTable(read: ReadPart, size: number, entry: TableEntry): Promise<void> {
  if (size !== entry.size) throw new FormatError(`it has ${size} bytes instead of ${entry.size}`)
  if (size < FOOTER_SIZE) throw new FormatError('it is too short for a table')
  const { metaindex, index } = footerOf(await read(size - FOOTER_SIZE, FOOTER_SIZE))
  assertEnd(index, size - FOOTER_SIZE, 'index')
  assertEnd(metaindex, index.offset, 'metaindex')
  const blocks = handlesOf(contentOf(await readBlock(read, index)))
  const filters = handlesOf(contentOf(await readBlock(read, metaindex)))
  let end = 0
  for (const block of [...blocks, ...filters]) {
    if (block.offset !== end) throw new FormatError(`it has a gap at byte ${end}`)
    end = endOf(block)
  }
  if (end !== metaindex.offset) throw new FormatError(`it has a gap at byte ${end}`)
  if (blocks.length === 0) throw new FormatError('it holds nothing')
  for (const run of runsOf([...blocks, ...filters])) {
    const [first] = run
    const part = await read(first.offset, endOf(run[run.length - 1]!) - first.offset)
    for (const block of run) {
      const raw = part.subarray(block.offset - first.offset, endOf(block) - first.offset)
      checkBlock(raw, block.offset)
      if (block === blocks[0]) assertKey(firstKey(contentOf(raw)), entry.smallest, 'first')
      if (block === blocks[blocks.length - 1]) assertKey(lastKey(contentOf(raw)), entry.largest, 'last')
    }
  }
}

function footerOf(footer: Buffer): { metaindex: Handle; index: Handle } {
  if (footer.readBigUInt64LE(FOOTER_SIZE - 8) !== MAGIC)
    throw new FormatError('its end is not that of a table')
  const cursor = new Cursor(footer.subarray(0, FOOTER_SIZE - 8))
  const metaindex = handleOf(cursor)
  const index = handleOf(cursor)
  while (!cursor.done) {
    if (cursor.take(1)[0] !== 0) throw new FormatError('its end is not that of a table')
  }
  return { metaindex, index }
}

function handleOf(cursor: Cursor): Handle {
  return { offset: cursor.uint(), size: cursor.uint() }
}

function endOf(block: Handle): number {
  return block.offset + block.size + TRAILER_SIZE
}

function assertEnd(block: Handle, end: number, name: string): void {
  if (endOf(block) !== end) throw new FormatError(`its ${name} block is not where it should be`)
}

async function readBlock(read: ReadPart, block: Handle): Promise<Buffer> {
  const raw = await read(block.offset, block.size + TRAILER_SIZE)
  checkBlock(raw, block.offset)
  return raw
}

/** Checks a block with its trailer. */
function checkBlock(raw: Buffer, offset: number): void {
  const end = raw.length - 4
  if (maskedCrc32c(raw, 0, end) !== raw.readUInt32LE(end)) {
    throw new FormatError(`the checksum of its block at byte ${offset} does not fit`)
  }
  const type = raw[end - 1]
  if (type !== BlockType.Plain && type !== BlockType.Snappy) {
    throw new FormatError(`its block at byte ${offset} has the unknown type ${type}`)
  }
}

function contentOf(raw: Buffer): Buffer {
  const content = raw.subarray(0, raw.length - TRAILER_SIZE)
  return raw[content.length] === BlockType.Snappy ? expandSnappy(content) : content
}

/** The values of an index or metaindex block: where other blocks stand. */
function handlesOf(content: Buffer): Handle[] {
  return [...entriesOf(content)].map(({ value }) => handleOf(new Cursor(value)))
}

/** The entries of a block; a key is stored as what it adds to the one before it. */
function* entriesOf(content: Buffer): Generator<{ shared: number; suffix: Buffer; value: Buffer }> {
  if (content.length < 4) throw new FormatError('one of its blocks is too short')
  const restarts = content.readUInt32LE(content.length - 4)
  const end = content.length - 4 - restarts * 4
  if (end < 0) throw new FormatError('one of its blocks is too short')
  const cursor = new Cursor(content.subarray(0, end))
  while (!cursor.done) {
    const shared = cursor.uint()
    const unshared = cursor.uint()
    const valueLength = cursor.uint()
    const suffix = cursor.take(unshared)
    yield { shared, suffix, value: cursor.take(valueLength) }
  }
}

function firstKey(content: Buffer): Buffer {
  for (const { suffix } of entriesOf(content)) return suffix
  throw new FormatError('its first block is empty')
}

function lastKey(content: Buffer): Buffer {
  let key: Buffer = Buffer.alloc(0)
  for (const { shared, suffix } of entriesOf(content)) key = Buffer.concat([key.subarray(0, shared), suffix])
  return key
}

function assertKey(found: Buffer, named: Buffer, which: string): void {
  if (!found.equals(named)) throw new FormatError(`its ${which} key is not the one that MANIFEST names`)
}

/** Consecutive blocks in runs that are read at once. */
function* runsOf(blocks: readonly Handle[]): Generator<[Handle, ...Handle[]]> {
  let run: Handle[] = []
  for (const block of blocks) {
    const [first] = run
    if (first !== undefined && endOf(block) - first.offset > READ_BYTES) {
      yield run as [Handle, ...Handle[]]
      run = []
    }
    run.push(block)
  }
  if (run.length > 0) yield run as [Handle, ...Handle[]]
}
