import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { DamagedDataError } from '../../src/errors.ts'
import { crc32c, maskedCrc32c } from '../../src/storage/leveldb/crc32c.ts'
import { FileDamage, readLiveFiles } from '../../src/storage/leveldb/live-files.ts'
import { BLOCK_SIZE, RecordLogReader } from '../../src/storage/leveldb/record-log.ts'
import type { RecordLog } from '../../src/storage/leveldb/record-log.ts'
import { expandSnappy } from '../../src/storage/leveldb/snappy.ts'
import { verifyTable } from '../../src/storage/leveldb/table.ts'
import { verifyDatabase } from '../../src/storage/leveldb/verify.ts'
import { NodeDisk } from '../../src/storage/node-disk.ts'

const OPTIONS = { createIfMissing: true, writeBufferSize: 64 * 1024, cacheSize: 1024 * 1024 }

describe('CRC32C', () => {
  it('gives what RFC 3720 (B.4) has, wherever in memory the bytes begin', () => {
    const ascending = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
    for (const [bytes, expected] of [
      [Buffer.alloc(32), 0x8a91_36aa],
      [Buffer.alloc(32, 0xff), 0x62a8_ab43],
      [ascending, 0x46dd_794e],
      [Buffer.from('123456789'), 0xe306_9283],
      [Buffer.alloc(0), 0],
    ] as const) {
      for (let offset = 0; offset < 8; offset++) {
        const memory = new Uint8Array(new ArrayBuffer(48)).subarray(offset, offset + bytes.length)
        memory.set(bytes)
        assert.equal(crc32c(memory), expected)
      }
    }
  })

  it('is the same in rounds as byte by byte', () => {
    const bytes = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 7919) >>> 3))
    for (let start = 0; start < 20; start++) {
      for (let end = start; end < 300; end += 13)
        assert.equal(crc32c(bytes, start, end), slowly(bytes, start, end))
    }
  })
})

function slowly(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1
  for (let i = start; i < end; i++) {
    crc ^= bytes[i]!
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  }
  return ~crc >>> 0
}

describe('Snappy', () => {
  it('expands literals and copies, also into what they write', () => {
    const compressed = Buffer.from([11, 0x08, 0x61, 0x62, 0x63, 0x11, 0x03])
    assert.equal(expandSnappy(compressed).toString(), 'abcabcabcab')
    assert.equal(expandSnappy(Buffer.from([5, 0x04, 0x78, 0x79, 0x0a, 0x02, 0x00])).toString(), 'xyxyx')
  })

  it('refuses what is none', () => {
    for (const bytes of [
      [],
      [3, 0x08, 0x61],
      [2, 0x08, 0x61, 0x62, 0x63],
      [4, 0x08, 0x61, 0x62, 0x63],
      [8, 0x00, 0x61, 0x01, 0x05],
      [8, 0x00, 0x61, 0x01, 0x00],
    ]) {
      assert.throws(() => expandSnappy(Buffer.from(bytes)), { name: 'FormatError' }, bytes.join())
    }
  })
})

describe('a file in the log format', () => {
  it('gives its records, cut to what is asked for', () => {
    const log = read(records(['one', 'x'.repeat(2 * BLOCK_SIZE), 'three']), 4)
    assert.deepEqual(log.records.map(String), ['one', 'xxxx', 'thre'])
    assert.deepEqual([log.torn, log.damage], [undefined, undefined])
  })

  it('may end anywhere in its last record, in zeros or in nonsense', () => {
    const whole = records(['one', 'two'])
    const last = records(['one', 'two', 'y'.repeat(BLOCK_SIZE)])
    for (const length of [1, 6, 7, 100, BLOCK_SIZE - 30, BLOCK_SIZE + 3]) {
      const torn = last.subarray(0, whole.length + length)
      for (const bytes of [
        torn,
        Buffer.concat([torn, Buffer.alloc(5000)]),
        Buffer.concat([torn, Buffer.alloc(5000, 0xa5)]),
      ]) {
        const log = read(bytes)
        assert.deepEqual(log.records.map(String), ['one', 'two'])
        assert.equal(log.damage, undefined)
        assert.ok(log.torn)
      }
    }
  })

  it('may have a hole within the record that was on its way', () => {
    const bytes = records(['one', 'z'.repeat(3 * BLOCK_SIZE)])
    bytes.fill(0, 5000, BLOCK_SIZE + 500)
    const log = read(bytes)
    assert.deepEqual([log.records.map(String), log.damage], [['one'], undefined])
  })

  it('is damaged where a record follows a flaw', () => {
    const content = ['one', 'x'.repeat(BLOCK_SIZE), 'three', 'y'.repeat(BLOCK_SIZE), 'five']
    const whole = records(content)
    const lastBlock = Math.floor(whole.length / BLOCK_SIZE) * BLOCK_SIZE
    for (let at = 0; at < lastBlock - BLOCK_SIZE; at += 97) {
      const bytes = Buffer.from(whole)
      bytes[at]! ^= 4
      assert.ok(read(bytes).damage, `byte ${at}`)
    }
  })
})

/** Writes records as LevelDB does (log_writer.cc). */
function records(contents: readonly string[]): Buffer {
  const parts: Buffer[] = []
  let position = 0
  for (const content of contents) {
    let rest = Buffer.from(content)
    let first = true
    do {
      const room = BLOCK_SIZE - (position % BLOCK_SIZE)
      if (room < 7) {
        parts.push(Buffer.alloc(room))
        position += room
        continue
      }
      const piece = rest.subarray(0, room - 7)
      rest = rest.subarray(piece.length)
      const type = first ? (rest.length === 0 ? 1 : 2) : rest.length === 0 ? 4 : 3
      const fragment = Buffer.concat([Buffer.alloc(6), Buffer.of(type), piece])
      fragment.writeUInt32LE(maskedCrc32c(fragment, 6, fragment.length), 0)
      fragment.writeUInt16LE(piece.length, 4)
      parts.push(fragment)
      position += fragment.length
      first = false
    } while (rest.length > 0)
  }
  return Buffer.concat(parts)
}

function read(bytes: Buffer, keep = 100): RecordLog {
  const reader = new RecordLogReader(keep)
  for (let at = 0; at < bytes.length; at += BLOCK_SIZE) reader.block(bytes.subarray(at, at + BLOCK_SIZE))
  return reader.finish()
}

describe('a database of LevelDB', () => {
  let parent = ''
  let count = 0
  before(() => {
    parent = mkdtempSync(join(tmpdir(), 'balsa-leveldb-'))
  })
  after(() => rmSync(parent, { recursive: true, force: true }))

  /** A database with one small table and something in its write-ahead file, as a crash leaves it. */
  async function makeDatabase(): Promise<string> {
    const disk = await NodeDisk.open(join(parent, `made-${++count}`))
    for (const round of [1, 2]) {
      const database = await disk.openDatabase('db', OPTIONS)
      for (let i = 10; i < 30; i++) {
        const value = Buffer.from(`${round}/${i}`.repeat(20))
        await database
          .batch()
          .put(Buffer.from(`key ${i}`), value)
          .write({ sync: true })
      }
      if (round === 2) cpSync(join(disk.path, 'db'), join(disk.path, 'crashed'), { recursive: true })
      await database.close()
    }
    return join(disk.path, 'crashed')
  }

  function fileOf(directory: string, pattern: RegExp): string {
    return join(
      directory,
      readdirSync(directory).find((name) => pattern.test(name))!,
    )
  }

  it('is whole as a crash leaves it, and as a clean stop does', async () => {
    const directory = await makeDatabase()
    assert.equal((await verifyDatabase(directory)).files, 4)
    assert.equal((await verifyDatabase(join(directory, '..', 'db'))).files, 4)
  })

  it('is damaged by any flipped bit of a table', async () => {
    const directory = await makeDatabase()
    const { tables } = await readLiveFiles(directory, () => {})
    const [entry] = tables.values()
    const bytes = readFileSync(fileOf(directory, /ldb$/))
    const part = async (offset: number, length: number) => bytes.subarray(offset, offset + length)
    await verifyTable(part, bytes.length, entry!)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >>> 3]! ^= 1 << (bit & 7)
      await assert.rejects(verifyTable(part, bytes.length, entry!), `bit ${bit & 7} of byte ${bit >>> 3}`)
      bytes[bit >>> 3]! ^= 1 << (bit & 7)
    }
  })

  it('is damaged by any flipped bit of CURRENT', async () => {
    const directory = await makeDatabase()
    const file = join(directory, 'CURRENT')
    const bytes = readFileSync(file)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >>> 3]! ^= 1 << (bit & 7)
      writeFileSync(file, bytes)
      await assert.rejects(verifyDatabase(directory), FileDamage)
      bytes[bit >>> 3]! ^= 1 << (bit & 7)
    }
  })

  it('is damaged by a missing file, which is named', async () => {
    for (const pattern of [/^CURRENT$/, /^MANIFEST/, /ldb$/, /log$/]) {
      const directory = await makeDatabase()
      const file = fileOf(directory, pattern)
      rmSync(file)
      await assert.rejects(verifyDatabase(directory), isDamageOf(file))
      const disk = await NodeDisk.open(join(directory, '..'))
      await assert.rejects(disk.openDatabase('crashed', OPTIONS), DamagedDataError)
    }
  })

  it('is damaged where a write-ahead file does not go on where the one before ended', async () => {
    const directory = await makeDatabase()
    const file = fileOf(directory, /log$/)
    // LevelDB went on in a second file when the first was full; then the end of the first is lost.
    const [first] = /\d+/.exec(file.slice(directory.length))!
    const second = join(directory, `${String(Number(first) + 7).padStart(6, '0')}.log`)
    const bytes = readFileSync(file)
    const half = bytes.length / 2
    writeFileSync(second, bytes.subarray(half))
    truncateSync(file, half)
    await verifyDatabase(directory)
    truncateSync(file, half - bytes.length / 20)
    await assert.rejects(verifyDatabase(directory), isDamageOf(second))
    truncateSync(file, half - 3)
    await assert.rejects(verifyDatabase(directory), isDamageOf(file))
  })

  it('can be checked while it is written to and compacted', async () => {
    const disk = await NodeDisk.open(join(parent, 'busy'))
    const database = await disk.openDatabase('db', OPTIONS)
    let writing = true
    const writer = (async () => {
      for (let i = 0; i < 3000 && writing; i++) {
        const batch = database.batch()
        for (let j = 0; j < 8; j++) batch.put(Buffer.from(`${(i * 7919 + j) % 500}`), Buffer.alloc(400, i))
        await batch.write({ sync: false })
      }
    })()
    for (let i = 0; i < 15; i++) {
      await disk.verifyDatabase('db', { pace: () => new Promise((resolve) => setImmediate(resolve)) })
    }
    writing = false
    await writer
    await database.close()
    await disk.verifyDatabase('db')
  })
})

function isDamageOf(file: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof FileDamage, String(error))
    assert.ok(error.message.startsWith(file), error.message)
    return true
  }
}
