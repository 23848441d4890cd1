import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { workloadOf } from '../../bench/workload.ts'
import type { Op } from '../../bench/workload.ts'
import { Entry } from '../../src/index.ts'

type Store = Parameters<typeof workloadOf>[1]

/** A store in memory that tells what it was asked, such as `put key-1`. */
class FakeStore implements Store {
  readonly asked: string[] = []
  readonly #entries = new Map<string, Entry>()
  #revision = 0
  /** Reads see nothing of what was written. */
  stale = false

  put(key: Uint8Array | string, value: Uint8Array | string): Promise<{ revision: number }> {
    this.asked.push(`put ${key.toString()}`)
    const revision = ++this.#revision
    const bytes = { key: Buffer.from(key), value: Buffer.from(value) }
    const entry = new Entry({
      ...bytes,
      createRevision: revision,
      modRevision: revision,
      version: 1,
      lease: 0,
    })
    if (!this.stale) this.#entries.set(key.toString(), entry)
    return Promise.resolve({ revision })
  }

  get(key: Uint8Array | string, options?: { consistency?: string | undefined }): Promise<Entry | undefined> {
    this.asked.push(`get ${key.toString()}${options?.consistency ? ` ${options.consistency}` : ''}`)
    return Promise.resolve(this.#entries.get(key.toString()))
  }
}

function workload(op: Op, store: Store, chances: number[]) {
  const options = { keys: 2, valueBytes: 3, distribution: 'uniform' as const, percent: 30 }
  return workloadOf(op, store, options, () => chances.shift()!)
}

describe('a workload', () => {
  it('puts, gets, and reads what may be old', async () => {
    const store = new FakeStore()
    const put = workload('put', store, [0.6])
    await put.run()
    await workload('get', store, [0.4]).run()
    await workload('stale-get', store, [0.4]).run()
    assert.deepEqual(store.asked, ['put key-1', 'get key-0', 'get key-0 stale'])
    assert.deepEqual(put.writes, { begun: 1, acknowledged: 1 })
  })

  it('mixes by the percentage of writes', async () => {
    const store = new FakeStore()
    const mixed = workload('mixed', store, [0.29, 0.6, 0.3, 0.4])
    await mixed.run()
    await mixed.run()
    assert.deepEqual(store.asked, ['put key-1', 'get key-0'])
    assert.deepEqual(mixed.writes, { begun: 1, acknowledged: 1 })
  })

  it('reads what it has just written by the percentage, or any key', async () => {
    const store = new FakeStore()
    const recent = workload('recent', store, [0.29, 0.6, 0.3, 0.4])
    await recent.run()
    await recent.run()
    assert.deepEqual(store.asked, ['put key-1', 'get key-1', 'get key-0'])
  })

  it('notices a read that does not see the write before it', async () => {
    const store = new FakeStore()
    store.stale = true
    await assert.rejects(workload('recent', store, [0, 0]).run(), /did not see it/)
  })
})
