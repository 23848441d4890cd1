import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { BrokenInvariantError, DamagedDataError } from '../../src/errors.ts'
import { KvStateMachine } from '../../src/kv/state-machine.ts'
import type { Disk } from '../../src/storage/disk.ts'
import { LevelStateStore } from '../../src/storage/level-state-store.ts'
import { MemoryStateStore } from '../../src/storage/memory-state-store.ts'
import { NodeDisk } from '../../src/storage/node-disk.ts'
import { createSnapshotBuilder, StateBuilder } from '../../src/storage/snapshot/builder.ts'
import { decodeSnapshotMeta } from '../../src/storage/snapshot/meta.ts'
import type { SnapshotBuilder, SnapshotChunk, StateSnapshot } from '../../src/storage/snapshot/snapshot.ts'
import { SnapshotError } from '../../src/storage/snapshot/snapshot.ts'
import type { StateStore } from '../../src/storage/state-store.ts'
import { bytes, LogMaker, put, succeeded } from '../kv/support.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const clock = systemClock({ keepAlive: true })

/** A state machine with its store. */
class Machine {
  readonly log = new LogMaker()
  readonly store: StateStore
  readonly machine: KvStateMachine

  private constructor(store: StateStore, machine: KvStateMachine) {
    this.store = store
    this.machine = machine
  }

  static async on(store: StateStore): Promise<Machine> {
    await store.open()
    return new Machine(store, await KvStateMachine.restore(store))
  }

  put(key: string, value: string, session = 0, sequence = 0): void {
    succeeded(this.machine.apply(this.log.command(put(key, value), session, sequence, sequence)))
  }

  /** Some of everything: keys, a value that fills several chunks, a tombstone, history, a session with an answer. */
  async fill(): Promise<void> {
    const session = succeeded(this.machine.apply(this.log.open())).session
    for (let i = 0; i < 2500; i++) this.put(`key ${i}`, `value ${i}`)
    this.put('long', 'x'.repeat(700_000))
    this.put('empty', '')
    this.machine.apply(this.log.command({ type: 'delete', key: bytes('key 7') }))
    this.machine.apply(this.log.time(12_345))
    this.put('of a session', 'once', session, 1)
    await this.checkpoint()
  }

  async checkpoint(): Promise<void> {
    await this.store.writeCheckpoint(this.machine.freeze()!, 100_000)
    this.machine.checkpointWritten()
  }

  async snapshot(): Promise<StateSnapshot> {
    const snapshot = await this.store.snapshot()
    assert.ok(snapshot)
    return snapshot
  }
}

async function all(snapshot: StateSnapshot): Promise<SnapshotChunk[]> {
  const chunks = []
  for await (const chunk of snapshot.chunks()) chunks.push(chunk)
  return chunks
}

async function rowsOf(store: StateStore): Promise<[string, string][]> {
  const rows: [string, string][] = []
  for await (const page of store.scan(new Uint8Array(0))) {
    for (const [key, value] of page) {
      rows.push([Buffer.from(key).toString('hex'), Buffer.from(value).toString('base64')])
    }
  }
  return rows
}

function levelStore(disk: Disk, name: string, createIfMissing: boolean): LevelStateStore {
  return new LevelStateStore({ disk, name, clock, createIfMissing })
}

/** A machine on a disk in memory, filled, and all chunks of its snapshot. */
async function filled(): Promise<{
  disk: MemoryDisk
  source: Machine
  meta: Uint8Array
  chunks: SnapshotChunk[]
}> {
  const disk = new MemoryDisk()
  const source = await Machine.on(levelStore(disk, 'state-1', true))
  await source.fill()
  const snapshot = await source.snapshot()
  return { disk, source, meta: snapshot.meta.encoded, chunks: await all(snapshot) }
}

function refused(resumable: boolean): (error: unknown) => boolean {
  return (error) => error instanceof SnapshotError && error.resumable === resumable
}

async function addAll(builder: SnapshotBuilder, chunks: Iterable<{ bytes: Uint8Array }>): Promise<void> {
  for (const chunk of chunks) await builder.add(chunk.bytes)
}

function roundTrip(name: string, open: () => Promise<{ disk: Disk; close: () => Promise<void> }>): void {
  describe(`snapshots: ${name}`, () => {
    let disk: Disk
    let close: () => Promise<void>
    before(async () => ({ disk, close } = await open()))
    after(() => close())

    it('a state that is built from one is the same, row by row, though writes went on meanwhile', async () => {
      const source = await Machine.on(levelStore(disk, 'state-1', true))
      await source.fill()
      const rows = await rowsOf(source.store)
      const hash = source.machine.stateHash()
      const snapshot = await source.snapshot()
      assert.equal(snapshot.meta.stateHash, hash)
      assert.deepEqual(snapshot.meta.position, source.machine.applied)
      const builder = await createSnapshotBuilder({
        disk,
        name: 'state-2',
        clock,
        meta: snapshot.meta.encoded,
      })
      let turn = 0
      for await (const chunk of snapshot.chunks()) {
        await builder.add(chunk.bytes)
        source.put(`key ${turn}`, 'changed')
        source.put('zzz', `${turn++}`)
        await source.checkpoint()
      }
      assert.ok(turn > 4, 'there are several chunks')
      await snapshot.close()
      await builder.finish()
      await source.store.close()
      const built = levelStore(disk, 'state-2', false)
      await built.open()
      assert.deepEqual(await rowsOf(built), rows)
      const restored = await KvStateMachine.restore(built)
      assert.equal(restored.stateHash(), hash)
      assert.equal(restored.sessionCount, 1)
      assert.equal(restored.clusterTimeMs, 12_345)
      assert.equal(restored.get(bytes('long'))?.value.length, 700_000)
      await built.close()
    })
  })
}

roundTrip('LevelDB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'balsa-snapshot-'))
  return { disk: await NodeDisk.open(directory), close: () => rm(directory, { recursive: true }) }
})

roundTrip('a disk in memory', async () => ({ disk: new MemoryDisk(), close: async () => {} }))

describe('snapshots of a state', () => {
  it('there is none before the first checkpoint', async () => {
    for (const store of [levelStore(new MemoryDisk(), 'state-1', true), new MemoryStateStore()]) {
      await store.open()
      assert.equal(await store.snapshot(), undefined)
      await store.close()
    }
  })

  it('the store in memory gives the same chunks, as of the same moment', async () => {
    const memory = await Machine.on(new MemoryStateStore())
    await memory.fill()
    const snapshot = await memory.snapshot()
    memory.put('key 1', 'changed')
    await memory.checkpoint()
    const { chunks } = await filled()
    assert.deepEqual(
      (await all(snapshot)).map(({ bytes }) => Buffer.from(bytes)),
      chunks.map(({ bytes }) => Buffer.from(bytes)),
    )
    const site = { store: new MemoryStateStore(), sync: async () => {}, remove: async () => {} }
    await site.store.open()
    const builder = new StateBuilder(snapshot.meta, site)
    await addAll(builder, chunks)
    await builder.finish()
    await site.store.open()
    assert.equal((await KvStateMachine.restore(site.store)).stateHash(), snapshot.meta.stateHash)
  })

  it('goes on after any chunk with the same chunks, also within a long value', async () => {
    const { source, chunks } = await filled()
    const snapshot = await source.snapshot()
    assert.ok(
      chunks.some(({ end }) => end.cutAt > 0),
      'a value is cut',
    )
    for (const [position, { end }] of chunks.slice(0, -1).entries()) {
      const rest = []
      for await (const chunk of snapshot.chunks(end)) rest.push(chunk)
      assert.deepEqual(rest, chunks.slice(position + 1))
    }
  })

  it('keeps its chunks small, whatever it holds', async () => {
    const { chunks } = await filled()
    for (const { bytes } of chunks) assert.ok(bytes.length < 600 * 1024, `${bytes.length} bytes`)
    assert.deepEqual(
      chunks.map(({ last }) => last),
      chunks.map((_, position) => position === chunks.length - 1),
    )
  })

  it('names a row of the sender that is not what was written', async () => {
    const { source } = await filled()
    await source.store.write([[bytes('kkey 5'), bytes('something else')]])
    await assert.rejects(all(await source.snapshot()), DamagedDataError)
  })
})

describe('building a state from a snapshot', () => {
  it('a chunk with a flipped bit, out of order or twice changes nothing: the right one can follow', async () => {
    const { disk, meta, chunks } = await filled()
    const builder = await createSnapshotBuilder({ disk, name: 'state-2', clock, meta })
    assert.equal(builder.cursor, undefined)
    for (const [position, chunk] of chunks.entries()) {
      for (const at of [0, 1, chunk.bytes.length >> 1, chunk.bytes.length - 6, chunk.bytes.length - 1]) {
        const flipped = Buffer.from(chunk.bytes)
        flipped[at]! ^= 1 << (position % 8)
        await assert.rejects(builder.add(flipped), refused(true), `byte ${at} of chunk ${position}`)
      }
      await assert.rejects(builder.add(chunk.bytes.subarray(0, -3)), refused(true))
      await assert.rejects(builder.add(new Uint8Array(0)), refused(true))
      const other = chunks[position + 1] ?? chunks[0]!
      await assert.rejects(builder.add(other.bytes), refused(true))
      assert.equal(builder.complete, false)
      await builder.add(chunk.bytes)
      assert.deepEqual(builder.cursor, chunk.end)
      await assert.rejects(builder.add(chunk.bytes), refused(true))
    }
    assert.equal(builder.complete, true)
    await builder.finish()
  })

  it('is refused before its last chunk', async () => {
    const { disk, meta, chunks } = await filled()
    const builder = await createSnapshotBuilder({ disk, name: 'state-2', clock, meta })
    await addAll(builder, chunks.slice(0, -1))
    await assert.rejects(builder.finish(), SnapshotError)
    await builder.discard()
    assert.ok(!(await disk.list()).includes('state-2'))
  })

  it('is refused where a row lacks, or is another than its meta says, though every chunk is whole', async () => {
    for (const change of [undefined, bytes('kkey 6')]) {
      const { disk, source, meta } = await filled()
      const key = bytes('kkey 5')
      // A record of this very key, of an earlier time.
      const early = await Machine.on(new MemoryStateStore())
      early.put('key 5', 'value 5')
      await early.checkpoint()
      await source.store.write([[key, change && early.store.get(key)]])
      const builder = await createSnapshotBuilder({ disk, name: 'state-2', clock, meta })
      await addAll(builder, await all(await source.snapshot()))
      await assert.rejects(builder.finish(), refused(false))
      await builder.discard()
    }
  })

  it('is refused where the chunks are of another snapshot', async () => {
    const { disk, source, chunks } = await filled()
    source.put('one', 'more')
    await source.checkpoint()
    const { meta } = await source.snapshot()
    const builder = await createSnapshotBuilder({ disk, name: 'state-2', clock, meta: meta.encoded })
    await assert.rejects(builder.add(chunks[0]!.bytes), refused(true))
  })

  it('is refused where what the snapshot says about itself is damaged', async () => {
    const { disk, meta } = await filled()
    const flipped = Buffer.from(meta)
    flipped[9]! ^= 4
    assert.throws(() => decodeSnapshotMeta(flipped), DamagedDataError)
    await assert.rejects(
      createSnapshotBuilder({ disk, name: 'state-2', clock, meta: flipped }),
      SnapshotError,
    )
  })

  it('what was built up to a crash is no state, and goes when it is begun anew', async () => {
    const { disk, meta, chunks } = await filled()
    const builder = await createSnapshotBuilder({ disk, name: 'state-2', clock, meta })
    await addAll(builder, chunks)
    // The last batch is still on its way to the disk: it may arrive.
    for (let turn = 0; turn < 1000; turn++) await new Promise((resolve) => setImmediate(resolve))
    disk.crash()
    const left = levelStore(disk, 'state-2', false)
    await left.open()
    assert.ok((await rowsOf(left)).length > 0)
    await assert.rejects(KvStateMachine.restore(left), DamagedDataError)
    await left.close()
    const again = await createSnapshotBuilder({ disk, name: 'state-2', clock, meta })
    await addAll(again, chunks)
    await again.finish()
    const built = levelStore(disk, 'state-2', false)
    await built.open()
    assert.equal((await KvStateMachine.restore(built)).stateHash(), again.meta.stateHash)
  })

  it('leaves the disk without a trace when it is discarded', async () => {
    const { source, meta, chunks } = await filled()
    const directory = await mkdtemp(join(tmpdir(), 'balsa-snapshot-'))
    try {
      const disk = await NodeDisk.open(directory)
      const builder = await createSnapshotBuilder({ disk, name: 'state-2', clock, meta })
      await addAll(builder, chunks.slice(0, 2))
      assert.deepEqual(await readdir(directory), ['state-2'])
      await builder.discard()
      assert.deepEqual(await readdir(directory), [])
    } finally {
      await rm(directory, { recursive: true })
      await source.store.close()
    }
  })

  it('a store that is closed gives no snapshot', async () => {
    const { source } = await filled()
    await source.store.close()
    await assert.rejects(source.store.snapshot(), BrokenInvariantError)
  })
})
