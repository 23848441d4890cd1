import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { EntryKind, LOG_START } from '../../src/raft/types.ts'
import type { LogEntry, Proposal } from '../../src/raft/types.ts'
import {
  ChecksumError,
  concatEntries,
  decodeEntries,
  encodedRuns,
  sealEntries,
} from '../../src/wire/entry.ts'
import { decodePeerFrame, encodePeerFrame } from '../../src/wire/message.ts'
import { WireError } from '../../src/wire/protobuf.ts'
import { normal, oracleOf, RUNS } from './oracle.ts'
import { position, proposals } from './values.ts'

const command = (data: string): Proposal => ({ kind: EntryKind.Command, data: Buffer.from(data) })
const sample = sealEntries({ index: 6, term: 2, checksum: 0xdeadbeef }, 3, [
  { kind: EntryKind.NoOp, data: Buffer.alloc(0) },
  command('a command'),
  command('x'.repeat(200)),
])

/** An entry as the .proto says, with whatever numbers. */
function forge(seed: number, index: number, term: number, kind: number, data: string): Buffer {
  const fields = oracleOf('Entry').serialize({ index, term, kind, data: Buffer.from(data) })
  const tail = Buffer.from([0x2d, 0, 0, 0, 0])
  tail.writeUInt32LE(crc32(fields, seed), 1)
  const body = Buffer.concat([fields, tail])
  return Buffer.concat([Buffer.from([0x0a, body.length]), body])
}

describe('sealing', () => {
  it('writes the one encoding that there is: every field, in order, zeros too, the checksum last', () => {
    const [entry] = sealEntries(LOG_START, 0, [{ kind: EntryKind.NoOp, data: Buffer.alloc(0) }])
    // CRC32 of 08 01 10 00 18 00 22 00, seeded with 0.
    assert.equal(Buffer.from(entry!.encoded).toString('hex'), '0a0d08011000180022002da3f47921')
    assert.equal(entry!.checksum, 0x2179f4a3)
  })

  it('seeds each checksum with the one before, and the first with that of `previous`', () => {
    const [first, second] = sealEntries({ index: 1, term: 1, checksum: 7 }, 2, [command('k'), command('k')])
    assert.equal(first!.checksum, crc32(Buffer.from('080210021801' + '22016b', 'hex'), 7))
    assert.equal(second!.checksum, crc32(Buffer.from('080310021801' + '22016b', 'hex'), first!.checksum))
  })

  it('makes what any protobuf implementation reads as a LogRecord, and decodes what it writes', () => {
    fc.assert(
      fc.property(position, proposals, (previous, proposals) => {
        const entries = sealEntries(previous, previous.term, proposals)
        const fields = entries.map(({ index, term, kind, data, checksum }) => ({
          index,
          term,
          kind,
          data,
          checksum,
        }))
        const oracle = oracleOf('LogRecord')
        const theirs = oracle.serialize({ entries: fields })
        assert.deepEqual(
          normal(oracle.deserialize(concatEntries(entries))),
          normal(oracle.deserialize(theirs)),
        )
        // It writes the fields that are set, in their order, as the canonical encoding has them.
        assert.deepEqual(normal(concatEntries(entries)), normal(theirs))
        assert.deepEqual(normal(decodeEntries(theirs, previous.checksum)), normal(entries))
      }),
      RUNS,
    )
  })

  it('puts a batch into one buffer that holds nothing else', () => {
    const whole = concatEntries(sample)
    assert.equal(whole.buffer, sample[0]!.encoded.buffer)
    assert.equal(whole.buffer.byteLength, whole.length)
    for (const { data, encoded } of sample) {
      assert.equal(data.buffer, whole.buffer)
      assert.equal(data.byteOffset + data.length + 5, encoded.byteOffset + encoded.length)
    }
    assert.deepEqual(sealEntries(LOG_START, 1, []), [])
  })

  it('refuses a kind that does not exist', () => {
    const unknown = { kind: 6 as EntryKind, data: Buffer.alloc(0) }
    assert.throws(() => sealEntries(LOG_START, 1, [unknown]), /entry 1 is of kind 6, which this version/)
  })
})

describe('concatenating', () => {
  it('copies nothing where entries lie together, and one run after the other where they do not', () => {
    const more = sealEntries(sample[2]!, 4, [command('later')])
    assert.deepEqual(
      encodedRuns([...sample, ...more]).map((run) => run.length),
      [concatEntries(sample).length, more[0]!.encoded.length],
    )
    assert.equal(concatEntries(sample.slice(1)).buffer, sample[0]!.encoded.buffer)
    const both = concatEntries([...sample, ...more])
    assert.deepEqual(normal(decodeEntries(both, 0xdeadbeef)), normal([...sample, ...more]))
    // A gap in one buffer is not passed over.
    const gap = concatEntries([sample[0]!, sample[2]!])
    assert.deepEqual(gap, Buffer.concat([sample[0]!.encoded, sample[2]!.encoded]))
    assert.equal(concatEntries([]).length, 0)
  })
})

describe('decoding', () => {
  it('finds every flipped bit of a batch', () => {
    const whole = Buffer.from(concatEntries(sample))
    for (let at = 0; at < whole.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        whole[at]! ^= 1 << bit
        assert.throws(() => decodeEntries(whole, 0xdeadbeef), WireError, `bit ${bit} of byte ${at}`)
        whole[at]! ^= 1 << bit
      }
    }
    assert.equal(decodeEntries(whole, 0xdeadbeef).length, 3)
  })

  it('finds every flipped bit of an append on its way to a peer', () => {
    const frame = Buffer.from(encodePeerFrame([append(sample)]))
    const start = frame.indexOf(concatEntries(sample))
    const end = start + concatEntries(sample).length
    for (let at = start; at < end; at++) {
      frame[at]! ^= 0x10
      try {
        const [message] = decodePeerFrame(frame).messages
        // Only so may it pass: the last entry's tag became one that is not known, and the append is a shorter one.
        assert.equal(at, end - sample[2]!.encoded.length)
        assert.ok(message?.type === 'append')
        assert.deepEqual(normal(message.entries), normal(sample.slice(0, 2)))
      } catch (error) {
        assert.ok(error instanceof WireError, `byte ${at}: ${String(error)}`)
      }
      frame[at]! ^= 0x10
    }
  })

  it('names the entry whose checksum does not fit', () => {
    for (const broken of sample) {
      const whole = Buffer.from(concatEntries(sample))
      const tagOfIndex = whole.indexOf(broken.encoded) + (broken.encoded.length < 130 ? 2 : 3)
      whole[tagOfIndex + 1]! ^= 1 // Its index, so that its own word for it is wrong.
      const expected = broken === sample[0] ? broken.index ^ 1 : broken.index
      assert.throws(
        () => decodeEntries(whole, 0xdeadbeef),
        (error: unknown) =>
          error instanceof ChecksumError &&
          error.index === expected &&
          error.message.includes(`entry ${expected}`),
      )
    }
  })

  it('tells entries of another log apart, though each is whole', () => {
    assert.throws(() => decodeEntries(concatEntries(sample), 0xdeadbeee), { name: 'WireError', index: 7 })
    const other = sealEntries({ index: 7, term: 2, checksum: 1 }, 3, [command('a command')])
    const spliced = Buffer.concat([sample[0]!.encoded, other[0]!.encoded])
    assert.throws(() => decodeEntries(spliced, 0xdeadbeef), { index: 8 })
  })

  it('takes the first checksum at its word where the one before is not known, and no other', () => {
    assert.deepEqual(normal(decodeEntries(concatEntries(sample), undefined)), normal(sample))
    const spliced = Buffer.concat([sample[0]!.encoded, sample[2]!.encoded])
    assert.throws(() => decodeEntries(spliced, undefined), ChecksumError)
  })

  it('refuses what is checksummed well but cannot follow', () => {
    const first = forge(0, 5, 4, 1, 'x')
    const seed = first.readUInt32LE(first.length - 4)
    const after = (index: number, term: number): Buffer =>
      Buffer.concat([first, forge(seed, index, term, 1, 'y')])
    assert.equal(decodeEntries(after(6, 4), 0).length, 2)
    assert.throws(() => decodeEntries(after(7, 4), 0), /entry 7 stands after entry 5/)
    assert.throws(() => decodeEntries(after(5, 4), 0), /entry 5 stands after entry 5/)
    assert.throws(() => decodeEntries(after(6, 3), 0), /entry 6 is of term 3, the one before it of term 4/)
    assert.throws(() => decodeEntries(forge(0, 0, 0, 0, ''), 0), WireError)
  })

  it('says of which kind an entry is that it does not know', () => {
    assert.throws(
      () => decodeEntries(forge(0, 17, 1, 9, 'x'), 0),
      /^WireError: entry 17 is of kind 9, which this version does not know: it was written by a newer/,
    )
  })

  it('refuses every other encoding of an entry', () => {
    const good = forge(0, 17, 1, 1, 'x')
    const body = good.subarray(2)
    const wrapped = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes])
    assert.equal(decodeEntries(wrapped(body), 0).length, 1)
    const more = Buffer.concat([body, Buffer.from([0x30, 1])])
    assert.throws(() => decodeEntries(wrapped(more), 0), /not as long as it says/)
    assert.throws(() => decodeEntries(wrapped(body.subarray(2)), 0), /not encoded as it has to be/)
    assert.throws(() => decodeEntries(Buffer.concat([good, Buffer.from([0x10, 1])]), 0), WireError)
  })

  it('refuses every cut, and lengths beyond the end', () => {
    const whole = concatEntries(sample)
    const ends = new Set([0])
    for (const { encoded } of sample) ends.add(Math.max(...ends) + encoded.length)
    for (let cut = 0; cut <= whole.length; cut++) {
      const decode = (): LogEntry[] => decodeEntries(whole.subarray(0, cut), 0xdeadbeef)
      if (ends.has(cut)) assert.doesNotThrow(decode)
      else assert.throws(decode, WireError, `cut at ${cut}`)
    }
    assert.throws(() => decodeEntries(Buffer.from('0affffffffffffff0f', 'hex'), 0), WireError)
  })
})

describe('entries that came in a frame', () => {
  it('lie in memory of their own, as long as they are', () => {
    const frame = Buffer.concat([encodePeerFrame([append(sample)]), encodePeerFrame([append(sample)])])
    const { messages } = decodePeerFrame(frame)
    assert.equal(messages.length, 2)
    for (const message of messages) {
      assert.ok(message.type === 'append')
      assert.deepEqual(normal(message.entries), normal(sample))
      const bytes = concatEntries(message.entries)
      assert.notEqual(bytes.buffer, frame.buffer)
      assert.equal(bytes.buffer.byteLength, bytes.length)
    }
  })

  it('stay where they came, copied by nobody, where next to nothing else is there', () => {
    const [large] = sealEntries(LOG_START, 1, [{ kind: EntryKind.Command, data: Buffer.alloc(100_000, 7) }])
    const encoded = encodePeerFrame([
      { ...append([large!]), prevLogIndex: 0, prevLogTerm: 0, prevChecksum: 0 },
    ])
    const entriesOf = (frame: Buffer): readonly LogEntry[] => {
      const message = decodePeerFrame(frame).messages[0]!
      assert.ok(message.type === 'append')
      assert.deepEqual(normal(message.entries), normal([large!]))
      return message.entries
    }
    const own = Buffer.allocUnsafeSlow(encoded.length)
    own.set(encoded)
    assert.equal(concatEntries(entriesOf(own)).buffer, own.buffer)
    const shared = Buffer.allocUnsafeSlow(2 * encoded.length)
    shared.set(encoded)
    assert.notEqual(concatEntries(entriesOf(shared.subarray(0, encoded.length))).buffer, shared.buffer)
  })

  it('have to follow what the append says stands before them', () => {
    assert.throws(() => decodePeerFrame(encodePeerFrame([{ ...append(sample), prevLogIndex: 5 }])), WireError)
    assert.throws(() => decodePeerFrame(encodePeerFrame([{ ...append(sample), prevLogTerm: 4 }])), WireError)
    assert.throws(
      () => decodePeerFrame(encodePeerFrame([{ ...append(sample), prevChecksum: 1 }])),
      ChecksumError,
    )
  })

  it('may stand between other fields, as other encoders have it', () => {
    const [first, second, third] = sample.map(({ encoded }) => Buffer.from(encoded))
    const rest = oracleOf('AppendEntries').serialize({
      prevLogIndex: 6,
      prevLogTerm: 2,
      prevChecksum: 0xdeadbeef,
    })
    const body = Buffer.concat([first!, Buffer.from('f80401', 'hex'), second!, rest, third!])
    const size = Buffer.from([0x42, (body.length & 0x7f) | 0x80, body.length >> 7])
    const length = size.length + body.length
    const frame = Buffer.concat([Buffer.from([0x12, (length & 0x7f) | 0x80, length >> 7]), size, body])
    const [message] = decodePeerFrame(frame).messages
    assert.ok(message?.type === 'append')
    assert.deepEqual(normal(message.entries), normal(sample))
  })
})

function append(entries: readonly LogEntry[]) {
  return {
    type: 'append' as const,
    from: 'n1',
    to: 'n2',
    term: 3,
    prevLogIndex: 6,
    prevLogTerm: 2,
    prevChecksum: 0xdeadbeef,
    entries,
    leaderCommit: 6,
  }
}
