import { Cursor, FormatError } from './format.ts'

/** Above what LevelDB makes of one block with the largest value that it is given here. */
const LARGEST = 256 * 1024 * 1024

/**
 * Expands a block that was compressed with Snappy (google/snappy, format_description.txt). Throws a FormatError for
 * what is none. Its speed does not matter: only indexes and the ends of tables are expanded here.
 */
export function expandSnappy(compressed: Buffer): Buffer {
  const cursor = new Cursor(compressed)
  const length = cursor.uint()
  if (length > LARGEST) throw new FormatError(`a block claims to have ${length} bytes`)
  const output = Buffer.allocUnsafe(length)
  let position = 0
  while (!cursor.done) {
    const tag = cursor.take(1)[0]!
    const element = elementOf(tag, cursor)
    if (position + element.length > length) throw new FormatError('a block is longer than it says')
    if (element.offset === 0) output.set(cursor.take(element.length), position)
    else {
      const from = position - element.offset
      if (from < 0) throw new FormatError('a block refers to what is before it')
      // Byte by byte: a copy may reach into what it writes itself.
      for (let i = 0; i < element.length; i++) output[position + i] = output[from + i]!
    }
    position += element.length
  }
  if (position !== length) throw new FormatError('a block is shorter than it says')
  return output
}

/** A literal (offset 0), whose bytes follow, or a copy of what stands `offset` bytes before. */
function elementOf(tag: number, cursor: Cursor): { length: number; offset: number } {
  const high = tag >>> 2
  switch (tag & 3) {
    case 0:
      return { length: 1 + (high < 60 ? high : little(cursor.take(high - 59))), offset: 0 }
    case 1:
      return copyOf(4 + (high & 7), ((tag >>> 5) << 8) | cursor.take(1)[0]!)
    case 2:
      return copyOf(1 + high, little(cursor.take(2)))
    default:
      return copyOf(1 + high, little(cursor.take(4)))
  }
}

function copyOf(length: number, offset: number): { length: number; offset: number } {
  if (offset === 0) throw new FormatError('a block refers to itself')
  return { length, offset }
}

function little(bytes: Buffer): number {
  return bytes.readUIntLE(0, bytes.length)
}
