import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KeyEntry, PastRead, PastRefusal, StateMachine } from '../../src/kv/types.ts'
import { Checkpointer } from '../../src/server/checkpointer.ts'
import { COMPACTION_INTERVAL_MS, CompactionSchedule } from '../../src/server/compaction-schedule.ts'
import { PastReads } from '../../src/server/past-reads.ts'
import { stopping } from '../../src/server/refusals.ts'
import { ReplaceableMachine } from '../../src/server/replaceable-machine.ts'
import { MemoryStateStore } from '../../src/storage/memory-state-store.ts'
import type { ErrorDetail } from '../../src/wire/error-detail.ts'
import { ManualClock } from '../client/manual-clock.ts'
import { Driven, RecordedWrite } from './support/driven.ts'

const MIB = 1024 * 1024

/** A read of the past that takes so many pieces. */
class SlowRead implements PastRead {
  readonly #outcome: readonly [] | PastRefusal | Error
  pieces = 0
  readonly #wanted: number

  constructor(wanted: number, outcome: readonly [] | PastRefusal | Error = []) {
    this.#wanted = wanted
    this.#outcome = outcome
  }

  advance(maxBytes: number): readonly [] | PastRefusal | undefined {
    if (maxBytes > 0) this.pieces++
    if (this.pieces < this.#wanted) return undefined
    if (this.#outcome instanceof Error) throw this.#outcome
    return this.#outcome
  }
}

class Reply {
  readonly answers: (number | ErrorDetail)[] = []

  serve(): void {
    assert.fail('the present is not asked for')
  }

  found(revision: number, entries: readonly (KeyEntry | undefined)[]): void {
    assert.equal(entries.length, 0)
    this.answers.push(revision)
  }

  fail(detail: ErrorDetail): void {
    this.answers.push(detail)
  }
}

function queue() {
  const clock = new ManualClock()
  const failures: unknown[] = []
  return { clock, failures, reads: new PastReads(clock, (error) => failures.push(error)) }
}

const COMPACTED: PastRefusal = { refused: 'COMPACTED', message: 'in words', oldestRevision: 5 }

describe('reads of the past', () => {
  it('that cost nothing are answered at once, refusals with the oldest revision', () => {
    const { reads } = queue()
    const [one, other] = [new Reply(), new Reply()]
    reads.begin(new SlowRead(0), [], 7, one)
    reads.begin(new SlowRead(0, COMPACTED), [], 7, other)
    assert.deepEqual(one.answers, [7])
    const detail = { code: 'COMPACTED', message: 'in words', notExecuted: true, leader: undefined }
    assert.deepEqual(other.answers, [{ ...detail, oldestRevision: 5 }])
  })

  it('take turns: a long one holds up nobody', async () => {
    const { clock, reads } = queue()
    const order: string[] = []
    const begin = (name: string, pieces: number): void => {
      const reply = new Reply()
      reply.found = () => void order.push(name)
      reads.begin(new SlowRead(pieces), [], 1, reply)
    }
    begin('long', 40)
    begin('short', 3)
    begin('middling', 10)
    begin('shorter', 2)
    await clock.settle()
    assert.deepEqual(order, ['shorter', 'short', 'middling', 'long'])
  })

  it('are refused where too many wait, or the node stops', async () => {
    const { clock, reads } = queue()
    const waiting = Array.from({ length: 1000 }, () => new Reply())
    for (const reply of waiting) reads.begin(new SlowRead(2, COMPACTED), [], 1, reply)
    const late = new Reply()
    reads.begin(new SlowRead(2), [], 1, late)
    assert.equal((late.answers[0] as ErrorDetail).code, 'RESOURCE_EXHAUSTED')
    reads.stop(stopping())
    reads.begin(new SlowRead(0), [], 1, late)
    await clock.settle()
    assert.equal((late.answers[1] as ErrorDetail).code, 'UNAVAILABLE')
    for (const { answers } of waiting) assert.deepEqual(answers, [stopping()])
  })

  it('end the node where history cannot be read, and are answered when it stops', async () => {
    const { clock, failures, reads } = queue()
    const error = new Error('damaged')
    const [one, other] = [new Reply(), new Reply()]
    reads.begin(new SlowRead(2, error), [], 1, one)
    reads.begin(new SlowRead(2), [], 1, other)
    await clock.settle()
    assert.deepEqual(failures, [error])
    assert.deepEqual([one.answers, other.answers], [[], []])
    reads.stop(stopping())
    assert.deepEqual([one.answers, other.answers], [[stopping()], [stopping()]])
  })
})

describe('compaction by the leader', () => {
  const settings = { autoCompaction: true, historyRevisions: 1, historyMs: 1, maxHistoryBytes: 1 }

  function schedule(overrides: object = {}) {
    const clock = new ManualClock()
    const machine = { target: 7 as number | undefined, compactionTarget: () => machine.target }
    const made = new CompactionSchedule(machine as unknown as StateMachine, clock, {
      ...settings,
      ...overrides,
    })
    return { clock, machine, schedule: made }
  }

  it('comes at intervals, where there is something to compact', async () => {
    const { clock, machine, schedule: compaction } = schedule()
    assert.equal(compaction.due(), undefined)
    await clock.advance(COMPACTION_INTERVAL_MS)
    machine.target = undefined
    assert.equal(compaction.due(), undefined)
    machine.target = 7
    assert.equal(compaction.due(), 7)
    assert.equal(compaction.due(), undefined)
    await clock.advance(COMPACTION_INTERVAL_MS)
    assert.equal(compaction.due(), 7)
  })

  it('can be turned off', async () => {
    const { clock, schedule: compaction } = schedule({ autoCompaction: false })
    await clock.advance(COMPACTION_INTERVAL_MS)
    assert.equal(compaction.due(), undefined)
  })

  it('goes through the log, with a time stamp', async () => {
    const driven = await Driven.leading()
    for (let i = 0; i < 5; i++) driven.driver.write(new RecordedWrite('k', `${i}`))
    driven.compactTo = 3
    await driven.clock.advance(500)
    assert.equal(driven.machine.compactedRevision, 0)
    await driven.clock.advance(1000)
    assert.equal(driven.machine.compactedRevision, 3)
    assert.equal(driven.machine.revision, 5)
  })
})

describe('the space of deleted history', () => {
  it('is asked back once it is much, and once at a time', async () => {
    const clock = new ManualClock()
    const asked: string[] = []
    let finish = (): void => assert.fail('nothing is under way')
    const store = Object.assign(new MemoryStateStore(), {
      reclaim(from: Uint8Array, upTo: Uint8Array): Promise<void> {
        asked.push(`${Buffer.from(from).toString()} ${Buffer.from(upTo).toString()}`)
        return new Promise<void>((resolve) => (finish = resolve))
      },
    })
    await store.open()
    let freedBytes = 0
    const machine = {
      applied: { index: 0, term: 0, checksum: 0 },
      unwrittenBytes: 0,
      unwrittenMemoryBytes: 0,
      freeze: () => ({
        upTo: { index: 1, term: 1, checksum: 0 },
        early: [],
        final: [],
        bytes: 0,
        freed:
          freedBytes === 0
            ? undefined
            : { bytes: freedBytes, from: Buffer.from('a'), upTo: Buffer.from('b') },
      }),
      checkpointWritten() {},
    } as unknown as StateMachine
    const limits = { checkpointIntervalMs: 1000, checkpointBytes: 1 }
    const checkpointer = new Checkpointer(machine, store, clock, limits)
    const checkpoint = async (bytes: number): Promise<void> => {
      freedBytes = bytes
      await checkpointer.flush()
    }
    await checkpoint(100 * MIB)
    assert.deepEqual(asked, [])
    await checkpoint(30 * MIB)
    assert.deepEqual(asked, ['a b'])
    await checkpoint(200 * MIB)
    await checkpoint(0)
    assert.equal(asked.length, 1, 'it is under way')
    finish()
    await clock.settle()
    await checkpoint(1)
    assert.equal(asked.length, 2)
  })
})

describe('a read of the past over a change of the state machine', () => {
  it('begins anew in the one that is in force', () => {
    const made: string[] = []
    const machineOf = (name: string, pieces: number) =>
      ({
        readAt: () => {
          made.push(name)
          return new SlowRead(pieces)
        },
      }) as unknown as StateMachine
    const machine = new ReplaceableMachine(machineOf('old', 100))
    const read = machine.readAt([], 5, 1000)
    assert.equal(read.advance(1), undefined)
    machine.replace(machineOf('new', 2))
    assert.equal(read.advance(1), undefined)
    assert.deepEqual(read.advance(1), [])
    assert.deepEqual(made, ['old', 'new'])
  })
})
