import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { BrokenInvariantError, DiskError, UnavailableError } from '../../src/errors.ts'
import { KvStateMachine } from '../../src/kv/state-machine.ts'
import type { Checkpoint } from '../../src/kv/types.ts'
import { Checkpointer } from '../../src/server/checkpointer.ts'
import { MemoryStateStore } from '../../src/storage/memory-state-store.ts'
import { LogMaker, put } from '../kv/support.ts'

/** A store whose writes end when they are told to. */
class GatedStore extends MemoryStateStore {
  readonly waiting: { done(): void; fail(error: Error): void }[] = []

  override async writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    await new Promise<void>((done, fail) => this.waiting.push({ done, fail }))
    await super.writeCheckpoint(checkpoint)
  }
}

async function setUp() {
  const store = new GatedStore()
  await store.open()
  const machine = await KvStateMachine.restore(store)
  const log = new LogMaker()
  const settings = { checkpointIntervalMs: 0, checkpointBytes: 0 }
  const checkpointer = new Checkpointer(machine, store, systemClock(), settings)
  return { store, checkpointer, apply: (key: string) => machine.apply(log.command(put(key, '1'))) }
}

/** Everything that is due has happened. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('a checkpoint up to an entry', () => {
  it('waits for the one that is under way, and writes the rest after it', async () => {
    const { store, checkpointer, apply } = await setUp()
    apply('a')
    const due = checkpointer.writeIfDue()
    apply('b')
    const wanted = checkpointer.writeUpTo(2)
    store.waiting.shift()!.done()
    await due
    assert.equal(checkpointer.index, 1)
    await settled()
    store.waiting.shift()!.done()
    await wanted
    assert.equal(checkpointer.index, 2)
    await checkpointer.writeUpTo(1)
    assert.equal(store.waiting.length, 0)
  })

  it('is refused, and breaks nothing, while the store is being replaced', async () => {
    const { store, checkpointer, apply } = await setUp()
    apply('a')
    const wanted = checkpointer.writeUpTo(1)
    apply('b')
    const more = assert.rejects(checkpointer.writeUpTo(2), UnavailableError)
    const paused = checkpointer.pause()
    store.waiting.shift()!.done()
    await Promise.all([wanted, more, paused])
    await assert.rejects(checkpointer.writeUpTo(2), UnavailableError)
  })

  it('fails as the write does, and does not go round for ever after it', async () => {
    const { store, checkpointer, apply } = await setUp()
    apply('a')
    const failing = assert.rejects(checkpointer.writeUpTo(1), DiskError)
    store.waiting.shift()!.fail(new DiskError('the disk fails'))
    await failing
    await assert.rejects(checkpointer.writeUpTo(1), BrokenInvariantError)
  })
})

describe('the checkpoints of nodes that apply the same', () => {
  /** After which of `writes` equal puts, `everyMs` apart, a node with this head start wrote a checkpoint. */
  async function rhythm(headStart: number, writes: number, everyMs: number): Promise<number[]> {
    const store = new MemoryStateStore()
    await store.open()
    const machine = await KvStateMachine.restore(store)
    const log = new LogMaker()
    let now = 0
    const clock = { ...systemClock(), now: () => now }
    const settings = { checkpointIntervalMs: 1000, checkpointBytes: 30_000, headStart }
    const checkpointer = new Checkpointer(machine, store, clock, settings)
    const written: number[] = []
    for (let i = 1; i <= writes; i++, now += everyMs) {
      machine.apply(log.command(put(`key${i}`, 'x'.repeat(1000))))
      const before = checkpointer.index
      await checkpointer.writeIfDue()
      if (checkpointer.index > before) written.push(i)
    }
    return written
  }

  it('are equally far apart where bytes make them due', async () => {
    const [first, second, third] = await Promise.all([0, 1 / 3, 2 / 3].map((start) => rhythm(start, 100, 1)))
    const period = first![1]! - first![0]!
    assert.ok(period > 20 && period < 30, `${period} puts a period`)
    for (const [nodes, parts] of [
      [second!, 2],
      [third!, 1],
    ] as const) {
      const expected = [0, 1, 2].map((n) => Math.round((parts * period) / 3) + n * period)
      for (const [n, at] of expected.entries())
        assert.ok(Math.abs(nodes[n]! - at) <= 2, `${nodes.join()}; ${expected.join()}`)
    }
  })

  it('are written in so many pieces, and in no more where much has waited', async () => {
    const pieces: number[] = []
    const store = Object.assign(new MemoryStateStore(), {
      async writeCheckpoint(_: Checkpoint, pieceBytes: number): Promise<void> {
        pieces.push(pieceBytes)
      },
    })
    await store.open()
    const machine = await KvStateMachine.restore(store)
    const log = new LogMaker()
    const settings = { checkpointIntervalMs: 1000, checkpointBytes: 32_000 }
    const checkpointer = new Checkpointer(machine, store, systemClock(), settings)
    machine.apply(log.command(put('key', 'x'.repeat(1000))))
    await checkpointer.flush()
    assert.deepEqual(pieces, [1000])
    for (let i = 0; i < 640; i++) machine.apply(log.command(put(`key${i}`, 'x'.repeat(1000))))
    await checkpointer.flush()
    assert.ok(pieces[1]! > 20_000 && pieces[1]! < 25_000, `${pieces[1]}`)
  })

  it('are equally far apart where time makes them due', async () => {
    assert.deepEqual(await rhythm(0, 30, 100), [11, 21])
    assert.deepEqual(await rhythm(0.3, 30, 100), [8, 18, 28])
    assert.deepEqual(await rhythm(0.6, 30, 100), [5, 15, 25])
  })

  it('are due where what waits takes half of the memory that it may', async () => {
    const store = new MemoryStateStore()
    await store.open()
    const machine = await KvStateMachine.restore(store)
    const log = new LogMaker()
    const settings = { checkpointIntervalMs: 3_600_000, checkpointBytes: 300_000, maxUnwrittenBytes: 300_000 }
    const checkpointer = new Checkpointer(machine, store, systemClock(), settings)
    let most = 0
    for (let key = 0; key < 3000; key++) {
      machine.apply(log.command(put(`key${key}`, '')))
      most = Math.max(most, machine.unwrittenMemoryBytes)
      await checkpointer.writeIfDue()
    }
    assert.ok(most > 150_000 && most < 152_000, `${most}`)
  })

  it('begin anew with the head start after a pause, in which time made one due', async () => {
    const store = new MemoryStateStore()
    await store.open()
    const machine = await KvStateMachine.restore(store)
    const log = new LogMaker()
    let now = 0
    const settings = { checkpointIntervalMs: 1000, checkpointBytes: 30_000, headStart: 0.5 }
    const checkpointer = new Checkpointer(machine, store, { ...systemClock(), now: () => now }, settings)
    const bytesWritten: number[] = []
    const write = async (): Promise<void> => {
      machine.apply(log.command(put(`key${now}`, 'x'.repeat(1000))))
      const bytes = machine.unwrittenBytes
      const before = checkpointer.index
      await checkpointer.writeIfDue()
      if (checkpointer.index > before) bytesWritten.push(bytes)
    }
    for (let i = 0; i < 50; i++) await write()
    now += 5000
    await write()
    for (let i = 0; i < 50; i++) await write()
    const [half, full, late, again, fullAgain] = bytesWritten
    assert.ok(half! >= 15_000 && half! < 17_000, bytesWritten.join())
    assert.ok(full! >= 30_000 && full! < 32_000, bytesWritten.join())
    assert.ok(late! < 15_000, bytesWritten.join())
    assert.ok(again! >= 15_000 && again! < 17_000, bytesWritten.join())
    assert.ok(fullAgain! >= 30_000 && fullAgain! < 32_000, bytesWritten.join())
  })
})
