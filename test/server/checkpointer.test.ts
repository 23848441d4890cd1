import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { BrokenInvariantError, DiskError, UnavailableError } from '../../src/errors.ts'
import { KvStateMachine } from '../../src/kv/state-machine.ts'
import type { StateChange } from '../../src/kv/types.ts'
import { Checkpointer } from '../../src/server/checkpointer.ts'
import { MemoryStateStore } from '../../src/storage/memory-state-store.ts'
import { LogMaker, put } from '../kv/support.ts'

/** A store whose writes end when they are told to. */
class GatedStore extends MemoryStateStore {
  readonly waiting: { done(): void; fail(error: Error): void }[] = []

  override async write(changes: Iterable<StateChange>): Promise<void> {
    await new Promise<void>((done, fail) => this.waiting.push({ done, fail }))
    await super.write(changes)
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
