import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DamagedDataError, DiskError } from '../../src/errors.ts'
import { EntryKind, LOG_START } from '../../src/raft/types.ts'
import type { Database, SlotFile } from '../../src/storage/disk.ts'
import { LevelLogStore } from '../../src/storage/level-log-store.ts'
import { ENTRY_KEYS, indexKey, readState, STATE_KEY, stateRecord } from '../../src/storage/log-records.ts'
import { Mark } from '../../src/storage/mark.ts'
import { concatEntries, sealEntries } from '../../src/wire/entry.ts'
import type { LogState } from '../../src/wire/log-state.ts'
import { commands, positionAt, write } from '../support/entries.ts'
import { CrashHere, FailingDisk } from '../support/failing-disk.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const OPTIONS = { createIfMissing: true, writeBufferSize: 1 << 20, cacheSize: 1 << 20 }
const ALL = { tailBytes: 1 << 20, anchorIndex: 0 }

// Records 1-4 of term 1, 5-8 of term 2 and 9-12 of term 2; batches 2, 3, 4, after batch 1 that made the log.
const FIRST = commands(LOG_START, 1, 4)
const LOG = [...FIRST, ...commands(positionAt(FIRST, 4), 2, 8)]

interface Parts {
  readonly disk: MemoryDisk
  readonly database: Database
}

async function storeOn(disk: MemoryDisk, through: FailingDisk | MemoryDisk = disk): Promise<LevelLogStore> {
  const database = await through.openDatabase('log', OPTIONS)
  return new LevelLogStore({ database, mark: await Mark.open(through), path: disk.path })
}

/** A log of twelve entries, closed, with what `damage` did to it. */
async function logWith(damage: (parts: Parts) => Promise<void>): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const store = await storeOn(disk)
  await store.create('state-1')
  await store.open(ALL)
  await store.append([write(LOG.slice(0, 4), { currentTerm: 1, votedFor: 'n1' })])
  await store.append([write(LOG.slice(4, 8), { currentTerm: 2, votedFor: 'n2' })])
  await store.append([write(LOG.slice(8))])
  await store.close()
  const database = await disk.openDatabase('log', OPTIONS)
  await damage({ disk, database })
  await database.close()
  return disk
}

async function assertRefused(damage: (parts: Parts) => Promise<void>, message: RegExp): Promise<void> {
  const store = await storeOn(await logWith(damage))
  await assert.rejects(store.open(ALL), (error: unknown) => {
    assert.ok(error instanceof DamagedDataError, String(error))
    assert.match(error.message, message)
    assert.match(error.message, /in memory/)
    assert.match(error.message, /balsa recover --data DIR/)
    return true
  })
}

const put = (database: Database, key: Uint8Array, value: Uint8Array) =>
  database.batch().put(key, value).write({ sync: true })
const remove = (database: Database, index: number) =>
  database.batch().del(indexKey(index)).write({ sync: true })

async function putState(database: Database, change: Partial<LogState>): Promise<void> {
  await put(database, ...stateRecord({ ...readState(database, 'memory')!, ...change }))
}

async function putMark(
  disk: MemoryDisk,
  batchNumber: number,
  currentTerm: number,
  votedFor: string,
): Promise<void> {
  const mark = await Mark.open(disk)
  mark.write({ batchNumber, currentTerm, votedFor })
}

async function breakSlot(disk: MemoryDisk, slot: number): Promise<void> {
  const content = (await disk.readFile('mark'))!
  content[slot * 4096 + 9]! ^= 0x40
  await disk.replaceFile('mark', content)
}

describe('a damaged log', () => {
  it('is not what the undamaged one is', async () => {
    const store = await storeOn(await logWith(async () => {}))
    const found = await store.open(ALL)
    assert.deepEqual(found.last, positionAt(LOG, 12))
    assert.deepEqual(found.hardState, { currentTerm: 2, votedFor: 'n2' })
  })

  it('is refused for every single flipped bit of a record', async () => {
    const record = Buffer.from(concatEntries(LOG.slice(4, 8)))
    for (let position = 0; position < record.length; position++) {
      const flipped = Buffer.from(record)
      flipped[position]! ^= 1 << (position % 8)
      await assertRefused(
        ({ database }) => put(database, indexKey(5), flipped),
        /record of entry 5 is broken/,
      )
    }
  })

  it('is refused for every single flipped bit of the state record', async () => {
    const [key, record] = stateRecord({ ...(await currentState()), votedFor: 'n2' })
    for (let position = 0; position < record.length; position++) {
      const flipped = Buffer.from(record)
      flipped[position]! ^= 1 << (position % 8)
      await assertRefused(({ database }) => put(database, key, flipped), /checksum of its state record/)
    }
    await assertRefused(
      ({ database }) => database.batch().del(key).write({ sync: true }),
      /has no state record/,
    )
  })

  it('is refused where a record is missing, cut short, or another one', async () => {
    await assertRefused(({ database }) => remove(database, 1), /entries 1 to 4 are missing/)
    await assertRefused(({ database }) => remove(database, 5), /entries 5 to 8 are missing/)
    await assertRefused(
      ({ database }) => remove(database, 9),
      /ends with entry 8, but entry 12 had been written/,
    )
    const shorter = concatEntries(LOG.slice(4, 7))
    await assertRefused(({ database }) => put(database, indexKey(5), shorter), /entries 8 to 8 are missing/)
    const lastShorter = concatEntries(LOG.slice(8, 11))
    await assertRefused(({ database }) => put(database, indexKey(9), lastShorter), /ends with entry 11/)
    await assertRefused(({ database }) => put(database, indexKey(5), new Uint8Array(0)), /entry 5 is empty/)
    const elsewhere = concatEntries(LOG.slice(8))
    await assertRefused(({ database }) => put(database, indexKey(5), elsewhere), /checksum of entry 9/)
    await assertRefused(({ database }) => put(database, indexKey(13), elsewhere), /entry 9/)
    await assertRefused(
      ({ database }) => put(database, indexKey(7), elsewhere),
      /a record begins with entry 7/,
    )
    await assertRefused(({ database }) => put(database, Buffer.of(0, 1), elsewhere), /whose key is no index/)
  })

  it('is refused where an older, whole record stands in the place of the last', async () => {
    const older = commands(positionAt(LOG, 8), 2, 4, 64)
    await assertRefused(
      ({ database }) => put(database, indexKey(9), concatEntries(older)),
      /last entry 12 is not the one that had been written/,
    )
  })

  it('is refused where terms fall between records', async () => {
    const fallen = sealEntries(positionAt(LOG, 8), 1, [{ kind: EntryKind.NoOp, data: new Uint8Array(0) }])
    await assertRefused(
      ({ database }) => put(database, indexKey(9), concatEntries(fallen)),
      /begins with entry 9 of term 1, after term 2/,
    )
  })

  it('is refused where the state record does not fit the entries', async () => {
    await assertRefused(({ database }) => putState(database, { firstIndex: 2 }), /has it begin with entry 2/)
    await assertRefused(
      ({ database }) => putState(database, { membershipIndex: 3 }),
      /entry 3 had been written/,
    )
    await assertRefused(({ database }) => putState(database, { lastIndex: 11 }), /entry 11 had been written/)
  })

  it('is refused where it is behind its mark', async () => {
    await assertRefused(
      ({ disk }) => putMark(disk, 5, 2, 'n2'),
      /ends with batch 4, but batch 5 had been written/,
    )
    await assertRefused(
      ({ disk }) => putMark(disk, 4, 3, 'n2'),
      /knows of term 2, but term 3 had been written/,
    )
    await assertRefused(({ disk }) => putMark(disk, 4, 2, 'n3'), /a vote for n2, but a vote for n3/)
    await assertRefused(
      async ({ database }) => putState(database, { batchNumber: 3, currentTerm: 1, votedFor: 'n1' }),
      /ends with batch 3/,
    )
    await assertRefused(
      async ({ database }) => putState(database, { currentTerm: 3 }),
      /with batch 4 the log has term 3 and a vote for n2/,
    )
    await assertRefused(
      ({ database }) => putState(database, { batchNumber: 5, votedFor: undefined }),
      /no vote, but a vote for n2/,
    )
  })

  it('is refused where the mark is missing, or broken in both slots', async () => {
    await assertRefused(async ({ disk }) => disk.removeFile('mark'), /mark in memory is missing, or broken/)
    await assertRefused(async ({ disk }) => {
      await breakSlot(disk, 0)
      await breakSlot(disk, 1)
    }, /mark in memory is missing, or broken/)
    await assertRefused(
      ({ disk }) => disk.replaceFile('mark', new Uint8Array(10)),
      /mark in memory is missing/,
    )
  })

  it('is none where one slot of the mark is torn: the other one counts, and the torn one is written next', async () => {
    for (const slot of [0, 1]) {
      const disk = await logWith(({ disk }) => breakSlot(disk, slot))
      const store = await storeOn(disk)
      await store.open(ALL)
      await store.append([write([], { currentTerm: 9, votedFor: 'n3' })])
      await store.close()
      assert.deepEqual(await Mark.read(disk), { batchNumber: 5, currentTerm: 9, votedFor: 'n3' })
      await breakSlot(disk, 1 - slot)
      assert.deepEqual(await Mark.read(disk), { batchNumber: 5, currentTerm: 9, votedFor: 'n3' })
    }
  })

  it('is found by a read, too', async () => {
    const disk = await logWith(async () => {})
    const store = await storeOn(disk)
    await store.open(ALL)
    disk.crash()
    const database = await disk.openDatabase('log', OPTIONS)
    const reader = new LevelLogStore({ database, mark: await Mark.open(disk), path: disk.path })
    await reader.open(ALL)
    await remove(database, 5)
    await assert.rejects(reader.read(3, 12, 1 << 20), /entry 5 is missing/)
    await assert.rejects(reader.read(6, 12, 1 << 20), /entry 5 is missing/)
    const flipped = Buffer.from(concatEntries(LOG.slice(4, 8)))
    flipped[20]! ^= 2
    await put(database, indexKey(5), flipped)
    for (const from of [1, 4, 5, 6, 8, 9]) {
      await assert.rejects(reader.read(from, 12, 1 << 20), DamagedDataError, `from ${from}`)
    }
    assert.equal((await reader.read(1, 4, 1 << 20)).entries.length, 4)
  })
})

describe('the keys of a log', () => {
  it('have its state before all entries, which LevelDB would merge with each new one', () => {
    for (const index of [1, 255, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      assert.ok(Buffer.compare(STATE_KEY, indexKey(index)) < 0)
      assert.ok(Buffer.compare(ENTRY_KEYS.gte, indexKey(index)) <= 0)
      assert.ok(Buffer.compare(indexKey(index), ENTRY_KEYS.lt) < 0)
    }
    assert.ok(Buffer.compare(STATE_KEY, ENTRY_KEYS.gte) < 0)
  })
})

describe('a log whose process ends', () => {
  it('holds what was acknowledged, whatever the step, and fits its mark', async () => {
    const replacement = commands(positionAt(LOG, 6), 3, 2)
    for (let steps = 0, crashed = true; crashed; steps++) {
      const disk = await logWith(async () => {})
      const through = new FailingDisk(disk, steps + 4)
      const store = await storeOn(disk, through)
      await store.open(ALL)
      crashed = await store.append([write(replacement, { currentTerm: 3, votedFor: undefined })]).then(
        () => false,
        (error: unknown) => {
          assert.ok(error instanceof CrashHere)
          return true
        },
      )
      if (crashed) await assert.rejects(store.append([write(replacement)]), CrashHere, 'a failure is final')
      disk.crash()
      const again = await storeOn(disk)
      const { last, hardState } = await again.open(ALL)
      const isNew = last.index === 8
      if (!crashed) assert.ok(isNew)
      assert.deepEqual(
        last,
        isNew ? positionAt([...LOG.slice(0, 6), ...replacement], 8) : positionAt(LOG, 12),
      )
      assert.equal(hardState.currentTerm, isNew ? 3 : 2)
    }
  })

  it('syncs the mark with a new term or vote, and only then', async () => {
    const calls: string[] = []
    const disk = new RecordingDisk(calls)
    const store = await storeOn(disk)
    await store.create('state-1')
    await store.open(ALL)
    const steps: [Parameters<typeof write>, string[]][] = [
      [
        [[], { currentTerm: 1, votedFor: undefined }],
        ['write', 'sync'],
      ],
      [
        [[], { currentTerm: 1, votedFor: 'n2' }],
        ['write', 'sync'],
      ],
      [[LOG.slice(0, 4), { currentTerm: 1, votedFor: 'n2' }], ['write']],
      [[LOG.slice(4, 8)], ['write']],
    ]
    for (const [args, wanted] of steps) {
      calls.length = 0
      await store.append([write(...args)])
      assert.deepEqual(calls, wanted)
    }
  })

  it('does not call a failed write done', async () => {
    const disk = new MemoryDisk()
    const store = await storeOn(disk)
    await store.create('state-1')
    await store.open(ALL)
    disk.crash()
    await assert.rejects(store.append([write(LOG)]), DiskError)
  })

  it('takes nothing more after a write that failed, though the disk may work again: what is there, nobody knows', async () => {
    const disk = new MemoryDisk()
    const database = await disk.openDatabase('log', OPTIONS)
    let fails = false
    const once: Database = {
      getSync: (key) => database.getSync(key),
      get: (key) => database.get(key),
      iterator: (range) => database.iterator(range),
      snapshot: () => database.snapshot(),
      compactRange: (from, upTo) => database.compactRange(from, upTo),
      close: () => database.close(),
      batch: () => {
        if (fails) throw new DiskError('it fails now')
        return database.batch()
      },
    }
    const store = new LevelLogStore({ database: once, mark: await Mark.open(disk), path: disk.path })
    await store.create('state-1')
    await store.open(ALL)
    fails = true
    await assert.rejects(store.append([write(LOG.slice(0, 4))]), /it fails now/)
    fails = false
    await assert.rejects(store.append([write(LOG.slice(0, 4))]), /it fails now/)
  })
})

class RecordingDisk extends MemoryDisk {
  readonly #calls: string[]

  constructor(calls: string[]) {
    super()
    this.#calls = calls
  }

  override async openSlotFile(): Promise<SlotFile> {
    return {
      write: () => void this.#calls.push('write'),
      sync: async () => void this.#calls.push('sync'),
      close: async () => {},
    }
  }
}

async function currentState(): Promise<LogState> {
  let state: LogState | undefined
  await logWith(async ({ database }) => {
    state = readState(database, 'memory')
  })
  return state!
}
