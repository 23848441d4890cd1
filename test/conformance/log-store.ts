import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { EntryKind, LOG_START } from '../../src/raft/types.ts'
import type { LogEntry } from '../../src/raft/types.ts'
import type { LogStore, RecoveredLog } from '../../src/storage/log-store.ts'
import { sealEntries } from '../../src/wire/entry.ts'
import { commands, endOf, positionAt, write } from '../support/entries.ts'

/** A place where logs are kept. */
export interface LogStoreHost {
  /** A store over a new, empty log, not opened yet. */
  create(): Promise<LogStore>
  /** Closes the store and gives one, not opened yet, over the same log. */
  reopen(store: LogStore): Promise<LogStore>
  close(): Promise<void>
}

const EVERYTHING = { tailBytes: 1 << 30, anchorIndex: 0 }
const shape = (entries: readonly LogEntry[]) => entries.map(({ index, term }) => [index, term])
const wholeEntry = ({ index, term, kind, checksum, size, data, encoded }: LogEntry) => {
  return { index, term, kind, checksum, size, data: Buffer.from(data), encoded: Buffer.from(encoded) }
}
const bytesOf = (entries: readonly LogEntry[]) => Buffer.concat(entries.map((entry) => entry.encoded))

/** What every log store must do. */
export function logStoreConformance(name: string, open: () => Promise<LogStoreHost>): void {
  describe(`log store: ${name}`, () => {
    let host: LogStoreHost
    before(async () => (host = await open()))
    after(() => host.close())

    async function withLog(run: (store: LogStore) => Promise<void>): Promise<RecoveredLog> {
      let store = await host.create()
      try {
        await store.open(EVERYTHING)
        await run(store)
        store = await host.reopen(store)
        return await store.open(EVERYTHING)
      } finally {
        await store.close()
      }
    }

    it('begins empty', async () => {
      const found = await withLog(async () => {})
      assert.deepEqual(found.hardState, { currentTerm: 0, votedFor: undefined })
      assert.deepEqual([found.boundary, found.last, found.tailPrevious], [LOG_START, LOG_START, LOG_START])
      assert.deepEqual([found.tail, found.termStarts, found.anchor], [[], [], LOG_START])
      assert.equal(found.stateDirectory, 'state-1')
    })

    it('keeps term and vote, with entries and without', async () => {
      const found = await withLog(async (store) => {
        await store.append([write([], { currentTerm: 3, votedFor: 'n2' })])
        await store.append([write(commands(LOG_START, 3, 2))])
      })
      assert.deepEqual(found.hardState, { currentTerm: 3, votedFor: 'n2' })
      assert.equal(found.last.index, 2)
      const voteTakenBack = await withLog(async (store) => {
        await store.append([write([], { currentTerm: 3, votedFor: 'n2' })])
        await store.append([write([], { currentTerm: 4, votedFor: undefined })])
      })
      assert.deepEqual(voteTakenBack.hardState, { currentTerm: 4, votedFor: undefined })
    })

    it('keeps entries as they were sealed', async () => {
      const kinds = [EntryKind.NoOp, EntryKind.Command, EntryKind.Configuration, EntryKind.Session]
      const entries = sealEntries(
        LOG_START,
        7,
        kinds.map((kind, i) => ({ kind, data: Buffer.alloc(i * 3, i) })),
      )
      const found = await withLog((store) => store.append([write(entries)]))
      assert.deepEqual(found.tail.map(wholeEntry), entries.map(wholeEntry))
    })

    it('says where each term begins, and what stands at the anchor', async () => {
      let store = await host.create()
      await store.open(EVERYTHING)
      const first = commands(LOG_START, 1, 3)
      const second = commands(endOf(first), 2, 1)
      const third = commands(positionAt([...first, ...second], 4), 5, 2)
      const all = [...first, ...second, ...third]
      await store.append([write(first)])
      await store.append([write(second), write(third)])
      for (const anchorIndex of [0, 1, 3, 4, 6, 7]) {
        store = await host.reopen(store)
        const found = await store.open({ tailBytes: 0, anchorIndex })
        assert.deepEqual(found.termStarts, [
          { term: 1, index: 1 },
          { term: 2, index: 4 },
          { term: 5, index: 5 },
        ])
        assert.deepEqual(found.anchor, anchorIndex === 7 ? undefined : positionAt(all, anchorIndex))
      }
      await store.close()
    })

    it('gives as much of the tail as is asked for, and what stands before it', async () => {
      let store = await host.create()
      await store.open(EVERYTHING)
      const all: LogEntry[] = []
      for (let i = 0; i < 6; i++) {
        const next = commands(positionAt(all, all.length), 1, 5, 100)
        await store.append([write(next)])
        all.push(...next)
      }
      const size = bytesOf(all).length
      for (const [tailBytes, atLeast] of [
        [0, 0],
        [10, 0],
        [size / 3, 9],
        [size / 2, 14],
        [size, 30],
      ] as const) {
        store = await host.reopen(store)
        const found = await store.open({ tailBytes, anchorIndex: 0 })
        assert.deepEqual(found.last, positionAt(all, 30))
        assert.ok(bytesOf(found.tail).length <= tailBytes, `${tailBytes}`)
        assert.ok(found.tail.length >= atLeast, `${found.tail.length} of ${atLeast}`)
        assert.deepEqual(shape(found.tail), shape(all.slice(30 - found.tail.length)))
        assert.deepEqual(found.tailPrevious, positionAt(all, 30 - found.tail.length))
      }
      await store.close()
    })

    it('replaces what stands from the first new entry on', async () => {
      // Three records: 1-4, 5-8, 9-12. Cut within one, at a border, over several, and everything.
      for (const keep of [11, 10, 8, 7, 4, 3, 1, 0]) {
        for (const added of [1, 3, 20]) {
          const all = commands(LOG_START, 1, 12)
          const replacement = commands(positionAt(all, keep), 2, added)
          const wanted = [...all.slice(0, keep), ...replacement]
          const found = await withLog(async (store) => {
            for (const start of [0, 4, 8]) await store.append([write(all.slice(start, start + 4))])
            await store.append([write(replacement)])
            const read = await store.read(1, 1000, 1 << 30)
            assert.deepEqual(shape(read.entries), shape(wanted), `read, ${keep} kept`)
            await store.append([write(commands(endOf(wanted), 3, 1))])
          })
          assert.deepEqual(shape(found.tail.slice(0, -1)), shape(wanted), `${keep} kept, ${added} added`)
        }
      }
    })

    it('merges writes that truncate each other', async () => {
      const stored = commands(LOG_START, 1, 6)
      const a = commands(endOf(stored), 2, 4) // 7-10
      const b = commands(positionAt([...stored, ...a], 8), 3, 1) // 9
      const c = commands(positionAt([...stored, ...a.slice(0, 2), ...b], 9), 3, 2) // 10-11
      const d = commands(positionAt(stored, 4), 4, 2) // 5-6
      for (const [writes, wanted] of [
        [
          [a, b, c],
          [...stored, ...a.slice(0, 2), ...b, ...c],
        ],
        [
          [a, b, d],
          [...stored.slice(0, 4), ...d],
        ],
        [[a, d, commands(LOG_START, 5, 1)], commands(LOG_START, 5, 1)],
      ] as const) {
        const found = await withLog(async (store) => {
          await store.append([write(stored)])
          await store.append(
            [...writes].map((entries, i) => write(entries, { currentTerm: 2 + i, votedFor: 'n1' })),
          )
        })
        assert.deepEqual(shape(found.tail), shape(wanted))
        assert.equal(found.hardState.currentTerm, 1 + writes.length)
      }
    })

    it('reads what fits, at least one, and what stands before', async () => {
      const all = commands(LOG_START, 1, 40, 50)
      await withLog(async (store) => {
        for (let i = 0; i < 40; i += 4) await store.append([write(all.slice(i, i + 4))])
        for (const from of [1, 2, 4, 5, 6, 17, 40]) {
          for (const upTo of [from, Math.min(40, from + 6), 40]) {
            for (const maxBytes of [1, 200, 700, 1 << 20]) {
              const { previous, entries } = await store.read(from, upTo, maxBytes)
              assert.deepEqual(previous, positionAt(all, from - 1))
              let count = 1
              while (from + count <= upTo && bytesOf(all.slice(from - 1, from + count)).length <= maxBytes)
                count++
              assert.deepEqual(shape(entries), shape(all.slice(from - 1, from - 1 + count)))
            }
          }
        }
      })
    })

    it('reads nothing behind the end', async () => {
      await withLog(async (store) => {
        await store.append([write(commands(LOG_START, 1, 3))])
        assert.deepEqual(await store.read(4, 9, 100), { previous: LOG_START, entries: [] })
        assert.equal((await store.read(3, 9, 100)).entries.length, 1)
      })
    })

    it('reads while it is written and truncated', async () => {
      const all = commands(LOG_START, 1, 30)
      const replacement = commands(positionAt(all, 10), 2, 5)
      await withLog(async (store) => {
        for (let i = 0; i < 30; i += 3) await store.append([write(all.slice(i, i + 3))])
        const appended = store.append([write(replacement)])
        const reads = await Promise.all([5, 12, 20, 28].map((from) => store.read(from, 30, 1 << 20)))
        await appended
        for (const { entries } of reads) {
          for (const { index, term } of entries) assert.equal(term, index > 10 && index <= 15 ? term : 1)
        }
        assert.deepEqual(shape((await store.read(9, 30, 1 << 20)).entries).at(-1), [15, 2])
      })
    })

    it('keeps one batch larger than a record', async () => {
      const all = commands(LOG_START, 1, 50, 20_000)
      const found = await withLog((store) => store.append([write(all)]))
      assert.deepEqual(shape(found.tail), shape(all))
      assert.ok(bytesOf(found.tail).equals(bytesOf(all)))
    })

    it('refuses what is not a log', async () => {
      const store = await host.create()
      await assert.rejects(store.append([]), /before it is open/)
      await store.open(EVERYTHING)
      const all = commands(LOG_START, 1, 5)
      await assert.rejects(
        store.append([write(all.slice(1))]),
        /Entry 2 is to be written to a log that holds 1 to 0/,
      )
      await assert.rejects(store.append([write([all[0]!, all[2]!])]), /Entry 3/)
      const appended = store.append([write(all)])
      await assert.rejects(store.append([write(all)]), /One append at a time/)
      await appended
      await assert.rejects(store.read(0, 3, 100), /Entry 0 is wanted/)
      await store.close()
    })

    it('refuses entries that are not chained to what stands before them', async () => {
      const all = commands(LOG_START, 1, 6)
      const foreign = commands(LOG_START, 2, 6)
      for (const writes of [
        [foreign.slice(4, 5)],
        [foreign.slice(2, 4)],
        [foreign.slice(1, 2)],
        [all.slice(4, 5), foreign.slice(5)],
      ]) {
        const store = await host.create()
        await store.open(EVERYTHING)
        await store.append([write(all.slice(0, 2)), write(all.slice(2, 4))])
        await assert.rejects(store.append(writes.map((entries) => write(entries))), /does not belong after/)
        await store.close()
      }
    })

    it('does nothing for an empty append', async () => {
      const found = await withLog(async (store) => {
        await store.append([])
        await store.append([write([])])
      })
      assert.equal(found.last.index, 0)
    })
  })
}
