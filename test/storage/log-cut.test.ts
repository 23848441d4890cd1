import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DamagedDataError } from '../../src/errors.ts'
import { LOG_START } from '../../src/raft/types.ts'
import type { LogReset } from '../../src/raft/types.ts'
import type { Database } from '../../src/storage/disk.ts'
import { LevelLogStore } from '../../src/storage/level-log-store.ts'
import { indexKey } from '../../src/storage/log-records.ts'
import { Mark } from '../../src/storage/mark.ts'
import { concatEntries } from '../../src/wire/entry.ts'
import { commands, endOf, positionAt, write } from '../support/entries.ts'
import { CrashHere, FailingDisk } from '../support/failing-disk.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const OPTIONS = { createIfMissing: true, writeBufferSize: 1 << 20, cacheSize: 1 << 20 }
const ALL = { tailBytes: 1 << 20, anchorIndex: 0, cutStepBytes: 1 }

/** Five records of four entries each. */
const LOG = commands(LOG_START, 1, 20, 40)

async function storeOn(disk: MemoryDisk | FailingDisk): Promise<LevelLogStore> {
  const database = await disk.openDatabase('log', OPTIONS)
  return new LevelLogStore({ database, mark: await Mark.open(disk), path: disk.path })
}

async function written(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const store = await storeOn(disk)
  await store.create('state-1')
  await store.open(ALL)
  for (let i = 0; i < 20; i += 4) await store.append([write(LOG.slice(i, i + 4))])
  await store.close()
  return disk
}

async function ready(store: LevelLogStore): Promise<void> {
  for (let turn = 0; turn < 100 && !store.cutReady; turn++)
    await new Promise((resolve) => setImmediate(resolve))
}

/** Cuts the log behind entry 12, a record at a time. */
async function cut(store: LevelLogStore): Promise<void> {
  for (const upTo of [4, 8, 12]) {
    store.cut(store.cutPoint(upTo, 0)!)
    await ready(store)
    await store.append([])
  }
}

/** Runs `change` on a disk that ends after each number of steps in turn, and looks at what is there afterwards. */
async function crashAnywhere(
  change: (store: LevelLogStore) => Promise<void>,
  look: (found: Awaited<ReturnType<LevelLogStore['open']>>, crashed: boolean) => void,
): Promise<number> {
  let crashes = 0
  for (let steps = 3; ; steps++) {
    const disk = await written()
    let crashed = false
    try {
      const store = await storeOn(new FailingDisk(disk, steps))
      await store.open(ALL)
      await change(store)
    } catch (error) {
      assert.ok(error instanceof CrashHere, String(error))
      crashed = true
      crashes++
    }
    disk.crash()
    look(await (await storeOn(disk)).open(ALL), crashed)
    if (!crashed) return crashes
  }
}

describe('a log that is cut (§5)', () => {
  it('is whole after a crash between any two I/O steps: it begins at a record, its boundary before it', async () => {
    const begins = new Set<number>()
    const crashes = await crashAnywhere(cut, ({ boundary, last, tail }, crashed) => {
      begins.add(boundary.index)
      assert.deepEqual(boundary, positionAt(LOG, boundary.index))
      assert.deepEqual(last, positionAt(LOG, 20))
      assert.deepEqual(
        tail.map(({ index }) => index),
        LOG.slice(boundary.index).map(({ index }) => index),
      )
      if (!crashed) assert.equal(boundary.index, 12)
    })
    assert.ok(crashes >= 6, `${crashes}`)
    assert.deepEqual(
      [...begins].sort((a, b) => a - b),
      [0, 4, 8, 12],
    )
  })

  it('goes as fast as it comes, however large the appends are', async () => {
    const store = await storeOn(new MemoryDisk())
    await store.create('state-1')
    await store.open({ ...ALL, cutStepBytes: 1000 })
    let end = LOG_START
    let most = 0
    for (let append = 0; append < 200; append++) {
      const entries = commands(end, 1, 4, 1000)
      await store.append([write(entries)])
      end = endOf(entries)
      store.cut(store.cutPoint(end.index, 20_000) ?? LOG_START)
      most = Math.max(most, store.bytes)
    }
    // An append comes at once after the one before it: a piece is ready for every second one.
    assert.ok(most < 40_000, `${most} bytes`)
    await store.close()
  })

  it('is cut at most a thousand records at a time', async () => {
    const disk = new MemoryDisk()
    const store = await storeOn(disk)
    await store.create('state-1')
    await store.open({ ...ALL, cutStepBytes: 20_000 })
    for (const entry of commands(LOG_START, 1, 5000, 40)) await store.append([write([entry])])
    const most = store.bytes
    store.cut(store.cutPoint(4900, 0)!)
    const gone: number[] = []
    for (await ready(store); store.cutReady; await ready(store)) {
      const before = store.bytes
      await store.append([])
      gone.push(before - store.bytes)
    }
    assert.ok(store.bytes < most / 10, `${store.bytes} bytes are left`)
    assert.ok(Math.max(...gone) <= most / 5, gone.join())
    assert.ok(gone.length <= 8, `${gone.length} pieces`)
    await store.close()
    const { boundary } = await (await storeOn(disk)).open(ALL)
    assert.ok(boundary.index > 4500, `it begins behind ${boundary.index}`)
  })

  it('gives its space back once enough of it is gone', async () => {
    const ranges: [Uint8Array, Uint8Array][] = []
    const disk = new MemoryDisk()
    const database = await disk.openDatabase('log', OPTIONS)
    const compactRange = async (from: Uint8Array, upTo: Uint8Array): Promise<void> =>
      void ranges.push([from, upTo])
    const watched: Database = {
      ...{ compactRange, getSync: (key) => database.getSync(key), get: (key) => database.get(key) },
      ...{ batch: () => database.batch(), iterator: (range) => database.iterator(range) },
      ...{ snapshot: () => database.snapshot(), close: () => database.close() },
    }
    const store = new LevelLogStore({ database: watched, mark: await Mark.open(disk), path: disk.path })
    await store.create('state-1')
    await store.open(ALL)
    let end = LOG_START
    for (let mebibytes = 0; mebibytes < 300; mebibytes += 4) {
      const entries = commands(end, 1, 4, 1024 * 1024)
      await store.append([write(entries)])
      end = endOf(entries)
      store.cut(store.cutPoint(end.index, 8 * 1024 * 1024) ?? LOG_START)
    }
    assert.equal(ranges.length, 2)
    const [[from, upTo]] = ranges as [[Uint8Array, Uint8Array]]
    assert.ok(Buffer.compare(from, indexKey(1)) <= 0)
    assert.ok(Buffer.compare(upTo, indexKey(128)) >= 0 && Buffer.compare(upTo, indexKey(160)) < 0)
    await store.close()
  })

  it('is the old one or the new one after a crash at any step of a reset, never a mixture', async () => {
    const resets: LogReset[] = [
      { boundary: positionAt(LOG, 10), keepSuffix: true, directory: 'state-2' },
      { boundary: { index: 10, term: 3, checksum: 5 }, keepSuffix: false, directory: 'state-2' },
      { boundary: { index: 90, term: 3, checksum: 5 }, keepSuffix: false, directory: 'state-2' },
    ]
    for (const reset of resets) {
      const states = new Set<string>()
      await crashAnywhere(
        (store) => store.append([{ ...write([]), reset }]),
        ({ boundary, last, stateDirectory }, crashed) => {
          states.add(stateDirectory)
          if (!crashed) assert.equal(stateDirectory, 'state-2')
          const isNew = stateDirectory === 'state-2'
          assert.deepEqual(boundary, isNew ? reset.boundary : LOG_START)
          assert.deepEqual(last, isNew && !reset.keepSuffix ? reset.boundary : positionAt(LOG, 20))
        },
      )
      assert.deepEqual([...states].sort(), ['state-1', 'state-2'])
    }
  })

  const damages: [string, (database: Database) => Promise<void>, RegExp][] = [
    [
      'a record that was cut is there again: a batch was lost',
      (database) =>
        database
          .batch()
          .put(indexKey(5), concatEntries(LOG.slice(4, 8)))
          .write({ sync: true }),
      /begins with entry 5, where entry 13 was expected/,
    ],
    [
      'the first record behind the cut is gone',
      (database) => database.batch().del(indexKey(13)).write({ sync: true }),
      /entries 13 to 16 are missing/,
    ],
    [
      'the first record behind the cut is of another log',
      (database) => {
        const other = commands({ ...positionAt(LOG, 12), checksum: 77 }, 1, 4, 40)
        return database.batch().put(indexKey(13), concatEntries(other)).write({ sync: true })
      },
      /entry 13 is broken/,
    ],
  ]
  for (const [what, damage, message] of damages) {
    it(`is refused where ${what}`, async () => {
      const disk = await written()
      const store = await storeOn(disk)
      await store.open(ALL)
      await cut(store)
      await store.close()
      const database = await disk.openDatabase('log', OPTIONS)
      await damage(database)
      await database.close()
      await assert.rejects((await storeOn(disk)).open(ALL), (error: unknown) => {
        assert.ok(error instanceof DamagedDataError)
        assert.match(error.message, message)
        return true
      })
    })
  }
})
