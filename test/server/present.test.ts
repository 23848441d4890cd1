import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { StateMachine } from '../../src/kv/types.ts'
import { EntryKind } from '../../src/raft/types.ts'
import type { WriteCall } from '../../src/server/calls.ts'
import { KvFront } from '../../src/server/kv-front.ts'
import { presentOfAll } from '../../src/server/present.ts'
import { encodeCommand } from '../../src/wire/command.ts'
import type { ErrorDetail } from '../../src/wire/error-detail.ts'
import { MAX_REQUEST_ITEMS } from '../../src/wire/read-request.ts'
import { ANSWER_OVERHEAD_BYTES, readResultSize } from '../../src/wire/result.ts'
import type { CommandResult } from '../../src/wire/types.ts'

const MiB = 1024 * 1024

/** A state in which every key but `none` has a value of 4000 bytes. */
class Counted {
  readonly revision = 300
  looks = 0

  get(key: Uint8Array) {
    this.looks++
    if (Buffer.from(key).toString() === 'none') return undefined
    return { value: Buffer.alloc(4000), createRevision: 1, modRevision: 200, version: 3, lease: 0 }
  }
}

function read(keys: readonly string[], maxBytes: number) {
  const machine = new Counted()
  const buffers = keys.map((key) => Buffer.from(key))
  const entries = presentOfAll(machine as unknown as StateMachine, buffers, maxBytes)
  return { entries, looks: machine.looks }
}

describe('the present of many keys', () => {
  it('is given up as soon as the answer is too large: what is beyond is not read', () => {
    const { entries, looks } = read(Array<string>(10_000).fill('k'), 4 * MiB)
    assert.equal(entries, undefined)
    assert.ok(looks > 1000 && looks < 1050, `${looks} of 10,000 keys were read`)
  })

  it('may have just as many bytes as is said, also where keys are not there', () => {
    const keys = ['a', 'none', 'b', 'none']
    const { entries } = read(keys, MiB)
    assert.deepEqual(
      entries?.map((entry) => entry && Buffer.from(entry.key).toString()),
      ['a', undefined, 'b', undefined],
    )
    const size = readResultSize(300, entries) + ANSWER_OVERHEAD_BYTES
    assert.equal(read(keys, size).entries?.length, 4)
    assert.equal(read(keys, size - 1).entries, undefined)
  })

  it('is answered for one key alone, whatever its size', () => {
    assert.equal(read(['k'], 10).entries?.[0]?.value.length, 4000)
    assert.equal(read(['none'], 0).entries?.length, 1)
  })
})

describe('a write of many pairs', () => {
  function write(count: number): { proposed: WriteCall[]; refused: ErrorDetail[] } {
    const proposed: WriteCall[] = []
    const refused: ErrorDetail[] = []
    const never = (): void => assert.fail('nobody reads here')
    const limits = { maxKeyBytes: 100, maxValueBytes: 100, maxRequestBytes: MiB }
    const replication = {
      write: (call: WriteCall) => void proposed.push(call),
      read: never,
      readApplied: never,
    }
    const front = new KvFront(replication, limits, { begin: never })
    const puts = Array.from({ length: count }, (_, i) => ({
      key: Buffer.from(`${i}`),
      value: Buffer.from('v'),
    }))
    front.command(
      encodeCommand({ session: 0, sequence: 0, firstUnacked: 0, operation: { type: 'putMany', puts } }),
      {
        result: (result: CommandResult) => assert.fail(`${result.revision}`),
        fail: (detail) => refused.push(detail),
      },
    )
    return { proposed, refused }
  }

  it('has as many as a request may have, and no more', () => {
    const { proposed, refused } = write(MAX_REQUEST_ITEMS)
    assert.deepEqual([proposed.map(({ kind }) => kind), refused], [[EntryKind.Command], []])
    const more = write(MAX_REQUEST_ITEMS + 1)
    assert.deepEqual(
      [
        more.proposed.length,
        more.refused.map(({ code, message, notExecuted }) => [code, message, notExecuted]),
      ],
      [0, [['INVALID_ARGUMENT', 'a request has at most 10000 pairs: split it', true]]],
    )
  })
})
