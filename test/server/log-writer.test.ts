import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LOG_START } from '../../src/raft/types.ts'
import type { Message, Write } from '../../src/raft/types.ts'
import { LogWriter } from '../../src/server/log-writer.ts'
import type { LogStore } from '../../src/storage/log-store.ts'

function write(id: number, term?: number): Write {
  const hardState = term === undefined ? undefined : { currentTerm: term, votedFor: undefined }
  return { id, hardState, reset: undefined, entries: [] }
}

function reset(id: number): Write {
  return { ...write(id), reset: { boundary: LOG_START, keepSuffix: false, directory: 'state-2' } }
}

/** A vote that was granted in this term: for the writer, a promise like any other. */
function promise(term: number): Message {
  return { type: 'voteReply', from: 'n1', to: 'n2', term, granted: true }
}

/** A log whose appends end when they are told to. */
class SlowLog {
  readonly batches: (readonly Write[])[] = []
  readonly cutReady = false
  #end: (() => void) | undefined

  append(writes: readonly Write[]): Promise<void> {
    this.batches.push(writes)
    return new Promise((resolve) => (this.#end = resolve))
  }

  /** The append that is under way is on the disk. */
  async end(): Promise<void> {
    this.#end!()
    await new Promise(setImmediate)
  }
}

function writerOn(log: SlowLog): { writer: LogWriter; told: { id: number | undefined; terms: number[] }[] } {
  const told: { id: number | undefined; terms: number[] }[] = []
  const writer = new LogWriter(log as unknown as LogStore, {
    written: (id, promises) => told.push({ id, terms: promises.map(({ term }) => term) }),
    failed: (error) => assert.fail(String(error)),
  })
  return { writer, told }
}

describe('the log writer', () => {
  it('sends what promises a write when it is on the disk, and at once where nothing is on its way', async () => {
    const log = new SlowLog()
    const { writer, told } = writerOn(log)
    assert.deepEqual(writer.promise([promise(1)]), [promise(1)])
    writer.add(write(1, 1))
    assert.deepEqual(writer.promise([promise(1)]), [])
    writer.begin()
    assert.deepEqual(writer.promise([promise(1)]), [], 'nothing newer than what is under way')
    assert.deepEqual(told, [])
    await log.end()
    assert.deepEqual(told, [{ id: 1, terms: [1, 1] }])
  })

  it('writes what came meanwhile in one batch, a reset by itself, and promises with the last', async () => {
    const log = new SlowLog()
    const { writer, told } = writerOn(log)
    writer.add(write(1, 1))
    writer.begin()
    for (const each of [write(2), reset(3), write(4)]) writer.add(each)
    assert.deepEqual(writer.promise([promise(1)]), [])
    for (let i = 0; i < 4; i++) {
      await log.end()
      writer.begin()
    }
    assert.deepEqual(
      log.batches.map((batch) => batch.map(({ id }) => id)),
      [[1], [2], [3], [4]],
    )
    assert.deepEqual(
      told.slice(0, 4).map(({ terms }) => terms),
      [[], [], [], [1]],
    )
  })

  it('drops the promises of a term that ends within their batch: what they acknowledge may be replaced in it', async () => {
    const log = new SlowLog()
    const { writer, told } = writerOn(log)
    writer.add(write(1, 1))
    writer.begin()
    writer.add(write(2))
    writer.promise([promise(1)])
    writer.add(write(3, 2))
    writer.promise([promise(2)])
    await log.end()
    writer.begin()
    await log.end()
    assert.deepEqual(told, [
      { id: 1, terms: [] },
      { id: 3, terms: [2] },
    ])
  })

  it('sends the promises of a term that ends after their batch', async () => {
    const log = new SlowLog()
    const { writer, told } = writerOn(log)
    writer.add(write(1, 1))
    writer.promise([promise(1)])
    writer.begin()
    writer.add(write(2, 2))
    await log.end()
    assert.deepEqual(told, [{ id: 1, terms: [1] }])
  })
})
