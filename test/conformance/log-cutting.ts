import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { LOG_START } from '../../src/raft/types.ts'
import type { LogEntry, LogPosition } from '../../src/raft/types.ts'
import type { LogStore, OpenLogOptions, RecoveredLog } from '../../src/storage/log-store.ts'
import { commands, endOf, positionAt, write } from '../support/entries.ts'
import type { LogStoreHost } from './log-store.ts'

const EVERYTHING: OpenLogOptions = { tailBytes: 1 << 30, anchorIndex: 0 }
const shape = (entries: readonly LogEntry[]) => entries.map(({ index, term }) => [index, term])
const bytesOf = (entries: readonly LogEntry[]) => Buffer.concat(entries.map((entry) => entry.encoded))

/** Appends nothing until what is to be cut is off the disk: the store looks for the pieces beside. */
async function cutAway(store: LogStore, upTo: LogPosition): Promise<void> {
  const deadline = performance.now() + 10_000
  while ((await store.read(upTo.index, upTo.index, 1)).entries.length > 0) {
    assert.ok(performance.now() < deadline, 'it is never cut')
    if (store.cutReady) await store.append([])
    else await new Promise((resolve) => setImmediate(resolve))
  }
}

/** How every log store is cut at its begin: behind a checkpoint, and by a snapshot (§5). */
export function logCuttingConformance(name: string, open: () => Promise<LogStoreHost>): void {
  describe(`log store, cut: ${name}`, () => {
    let host: LogStoreHost
    before(async () => (host = await open()))
    after(() => host.close())

    async function withLog(
      run: (store: LogStore) => Promise<void>,
      options = EVERYTHING,
    ): Promise<RecoveredLog> {
      let store = await host.create()
      try {
        await store.open(options)
        await run(store)
        store = await host.reopen(store)
        return await store.open(options)
      } finally {
        await store.close()
      }
    }

    /** Thirty entries in ten records of three; of those up to 20 may go. */
    async function cutLog(store: LogStore, all: readonly LogEntry[]): Promise<LogPosition> {
      for (let i = 0; i < 30; i += 3) await store.append([write(all.slice(i, i + 3))])
      const point = store.cutPoint(20, 0)
      assert.ok(point !== undefined && point.index <= 20 && point.index >= 18, `${point?.index}`)
      assert.deepEqual(point, positionAt(all, point.index))
      store.cut(point)
      await cutAway(store, point)
      return point
    }

    it('is cut piece by piece, and keeps what stood before: position and all that follows', async () => {
      const all = commands(LOG_START, 1, 30, 60)
      let point = LOG_START
      const found = await withLog(
        async (store) => {
          point = await cutLog(store, all)
          assert.ok(store.bytes < bytesOf(all).length / 2)
          assert.deepEqual(await store.read(point.index, 30, 1 << 20), { previous: LOG_START, entries: [] })
          const { previous, entries } = await store.read(point.index + 1, 30, 1 << 20)
          assert.deepEqual([previous, entries.length], [point, 30 - point.index])
          await store.append([write(commands(endOf(all), 2, 2))])
        },
        { ...EVERYTHING, cutStepBytes: 1 },
      )
      assert.deepEqual([found.boundary, found.last.index], [point, 32])
      assert.deepEqual(found.termStarts, [
        { term: 1, index: point.index + 1 },
        { term: 2, index: 31 },
      ])
      assert.deepEqual(found.tail[0]?.index, point.index + 1)
    })

    it('is cut no further than it may, and keeps as many bytes as are asked for', async () => {
      const all = commands(LOG_START, 1, 30, 60)
      await withLog(
        async (store) => {
          for (let i = 0; i < 30; i += 3) await store.append([write(all.slice(i, i + 3))])
          assert.equal(store.cutPoint(0, 0), undefined)
          assert.equal(store.cutPoint(30, 1 << 20), undefined)
          const half = store.cutPoint(30, bytesOf(all).length / 2)
          assert.ok(half !== undefined && half.index >= 12 && half.index <= 15, `${half?.index}`)
          assert.ok((store.cutPoint(7, 0)?.index ?? 0) <= 7)
        },
        { ...EVERYTHING, cutStepBytes: 1 },
      )
    })

    it('takes term, vote and entries along while it is cut, and truncations too', async () => {
      const all = commands(LOG_START, 1, 30, 60)
      const found = await withLog(
        async (store) => {
          for (let i = 0; i < 30; i += 3) await store.append([write(all.slice(i, i + 3))])
          const point = store.cutPoint(12, 0)!
          store.cut(point)
          const replacement = commands(positionAt(all, 13), 2, 3)
          await store.append([write(replacement, { currentTerm: 2, votedFor: 'n3' })])
          await cutAway(store, point)
        },
        { ...EVERYTHING, cutStepBytes: 1 },
      )
      assert.deepEqual(found.hardState, { currentTerm: 2, votedFor: 'n3' })
      assert.deepEqual([found.boundary.index, found.last.index], [12, 16])
    })

    it('begins behind a snapshot, with its state directory, and drops what contradicts it', async () => {
      const all = commands(LOG_START, 1, 30, 60)
      const boundary = { index: 50, term: 4, checksum: 1234 }
      const reset = { boundary, keepSuffix: false, directory: 'state-7' }
      const after = commands(boundary, 5, 2)
      const found = await withLog(async (store) => {
        for (let i = 0; i < 30; i += 3) await store.append([write(all.slice(i, i + 3))])
        await store.append([{ ...write([], { currentTerm: 5, votedFor: undefined }), reset }])
        assert.deepEqual(await store.read(20, 30, 1 << 20), { previous: LOG_START, entries: [] })
        await store.append([write(after)])
        assert.deepEqual((await store.read(51, 60, 1 << 20)).previous, boundary)
      })
      assert.deepEqual([found.boundary, found.stateDirectory], [boundary, 'state-7'])
      assert.deepEqual(shape(found.tail), shape(after))
      assert.equal(found.hardState.currentTerm, 5)
    })

    it('keeps what follows a snapshot’s very last entry, wherever that stands in its record', async () => {
      const all = commands(LOG_START, 1, 12, 60)
      for (const index of [1, 3, 4, 6, 11, 12]) {
        const boundary = positionAt(all, index)
        const found = await withLog(async (store) => {
          for (let i = 0; i < 12; i += 3) await store.append([write(all.slice(i, i + 3))])
          await store.append([{ ...write([]), reset: { boundary, keepSuffix: true, directory: 'state-2' } }])
          await store.append([write(commands(endOf(all), 2, 1))])
        })
        assert.deepEqual(found.boundary, boundary)
        assert.deepEqual(shape(found.tail.slice(0, -1)), shape(all.slice(index)))
        assert.equal(found.stateDirectory, 'state-2')
      }
    })

    it('refuses a reset that comes with something else, or goes back', async () => {
      const all = commands(LOG_START, 1, 6)
      const reset = { boundary: positionAt(all, 4), keepSuffix: true, directory: 'state-2' }
      const store = await host.create()
      await store.open(EVERYTHING)
      await store.append([write(all)])
      await assert.rejects(store.append([{ ...write([]), reset }, write([])]), /comes alone/)
      await store.append([{ ...write([]), reset }])
      const back = { ...reset, boundary: positionAt(all, 3) }
      await assert.rejects(store.append([{ ...write([]), reset: back }]), /is to be reset to 3/)
      await store.close()
    })

    it('is read while it is cut', async () => {
      const all = commands(LOG_START, 1, 30, 60)
      await withLog(
        async (store) => {
          for (let i = 0; i < 30; i += 3) await store.append([write(all.slice(i, i + 3))])
          const point = store.cutPoint(21, 0)!
          store.cut(point)
          for (let going = true; going; going = (await store.read(point.index, 30, 1)).entries.length > 0) {
            const appended = store.append([])
            const reads = [1, 10, 20, 22, 23, 30].map((from) => store.read(from, 30, 1 << 20))
            for (const { entries } of await Promise.all(reads)) {
              assert.ok(entries.length === 0 || entries.at(-1)!.index === 30)
            }
            await appended
          }
          assert.equal((await store.read(22, 30, 1 << 20)).entries.length, 9)
        },
        { ...EVERYTHING, cutStepBytes: 1 },
      )
    })
  })
}
