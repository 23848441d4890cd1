import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { DamagedDataError, StopError, UnavailableError, WrongDirectoryError } from '../../src/errors.ts'
import type { RecoveredLog } from '../../src/storage/log-store.ts'
import { positionOf } from '../../src/storage/merge-writes.ts'
import { NodeDisk } from '../../src/storage/node-disk.ts'
import { examine } from '../../src/storage/recovery/examination.ts'
import { rebuildFromLog, rebuildFromPeer } from '../../src/storage/recovery/rebuild.ts'
import type { ForeignState, WholeLog } from '../../src/storage/recovery/rebuild.ts'
import { SnapshotError } from '../../src/storage/snapshot/snapshot.ts'
import { contentOf, load, replay } from '../damage/content.ts'
import type { Content } from '../damage/content.ts'
import { append, makeImage } from '../damage/images.ts'
import { Dice } from '../sim/engine/dice.ts'

const CLOCK = systemClock()

describe('recovery', () => {
  let parent = ''
  let image = ''
  let whole: Content
  let count = 0

  before(async () => {
    parent = mkdtempSync(join(tmpdir(), 'balsa-recovery-'))
    image = (await makeImage(parent, 7, 2)).directory
    whole = await contentOf(fresh())
  })
  after(() => rmSync(parent, { recursive: true, force: true }))

  function fresh(): string {
    const directory = join(parent, `node-${++count}`)
    cpSync(image, directory, { recursive: true })
    return directory
  }

  /** A node whose log begins after `index`, and whose state is damaged. */
  async function withCutLog(index: number): Promise<string> {
    const directory = fresh()
    const loaded = await load(directory)
    await replay(loaded)
    const { entries } = await loaded.directory.logStore.read(index, index, 1)
    const reset = {
      boundary: positionOf(entries[0]!),
      keepSuffix: true,
      directory: loaded.recovered.stateDirectory,
    }
    await loaded.directory.logStore.append([{ id: 1, hardState: undefined, reset, entries: [] }])
    await loaded.directory.close()
    breakTable(directory)
    return directory
  }

  function breakTable(directory: string): void {
    const tables = join(directory, 'state-1')
    const table = join(
      tables,
      readdirSync(tables).find((name) => name.endsWith('.ldb'))!,
    )
    const bytes = readFileSync(table)
    bytes[1000]! ^= 1
    writeFileSync(table, bytes)
  }

  /** Another node's state, once that has applied everything up to `index` of the log that it has with `more` entries. */
  async function peerState(index = Infinity, more = 0): Promise<ForeignState & { readonly hash: string }> {
    const loaded = await load(fresh())
    await replay(loaded, index)
    for (let i = 0; i < more; i++) await append(loaded, loaded.machine.applied, 9, Dice.of(i, 'more'))
    await replay(loaded, 0)
    const snapshot = (await loaded.directory.stateStore.snapshot())!
    const chunks: Uint8Array[] = []
    for await (const { bytes } of snapshot.chunks()) chunks.push(bytes)
    await snapshot.close()
    await loaded.directory.close()
    return { meta: snapshot.meta.encoded, chunks: listed(chunks), hash: snapshot.meta.stateHash }
  }

  async function rebuild(
    directory: string,
    work: (disk: NodeDisk, log: WholeLog) => Promise<string | undefined>,
  ): Promise<string | undefined> {
    const disk = await NodeDisk.open(directory)
    const found = await examine(disk, CLOCK)
    try {
      assert.equal(found.damage?.part, 'state')
      return await work(disk, found.log!)
    } finally {
      await found.close()
    }
  }

  it('finds nothing where nothing is damaged, and changes nothing', async () => {
    const directory = fresh()
    const found = await examine(await NodeDisk.open(directory), CLOCK)
    assert.equal(found.damage, undefined)
    assert.equal(found.identity?.nodeId, 'n1')
    await found.close()
    assert.deepEqual(await contentOf(directory), whole)
  })

  it('tells damage of what was promised from damage of the state', async () => {
    for (const [damage, part] of [
      [(directory) => rmSync(join(directory, 'mark')), 'promises'],
      [(directory) => rmSync(join(directory, 'identity')), 'promises'],
      [(directory) => rmSync(join(directory, 'peers')), 'promises'],
      [(directory) => rmSync(join(directory, 'log', 'CURRENT')), 'promises'],
      [(directory) => rmSync(join(directory, 'log'), { recursive: true }), 'promises'],
      [(directory) => rmSync(join(directory, 'state-1'), { recursive: true }), 'state'],
      [breakTable, 'state'],
    ] satisfies [(directory: string) => void, string][]) {
      const directory = fresh()
      damage(directory)
      await assert.rejects(contentOf(directory), DamagedDataError)
      const found = await examine(await NodeDisk.open(directory), CLOCK)
      await found.close()
      assert.equal(found.damage?.part, part)
      assert.match(found.damage.error.message, /balsa recover/)
    }
  })

  it('leaves alone what is no data directory, or in use', async () => {
    const empty = mkdtempSync(join(parent, 'empty-'))
    await assert.rejects(examine(await NodeDisk.open(empty), CLOCK), WrongDirectoryError)
    const used = await load(fresh())
    await assert.rejects(examine(await NodeDisk.open(used.directory.path), CLOCK), WrongDirectoryError)
    await used.directory.close()
  })

  it('has a state made anew from a log that begins with its first entry', async () => {
    for (const damage of [breakTable, (d: string) => rmSync(join(d, 'state-1'), { recursive: true })]) {
      const directory = fresh()
      damage(directory)
      const aside = await rebuild(directory, (disk, log) => rebuildFromLog(disk, CLOCK, log))
      assert.equal(aside, damage === breakTable ? 'damaged-1-state-1' : undefined)
      if (aside !== undefined) assert.ok(readdirSync(directory).includes(aside))
      assert.deepEqual(await contentOf(directory), whole)
    }
  })

  it("takes another node's state where the log has been cut, and keeps what the log holds behind it", async () => {
    const { last: whereItEnds, hardState: promised } = await recoveredOf(fresh())
    const end = whereItEnds.index
    for (const index of [end - 20, end]) {
      const directory = await withCutLog(end - 30)
      const state = await peerState(index)
      const aside = await rebuild(directory, (disk, log) => rebuildFromPeer(disk, CLOCK, log, state))
      assert.equal(aside, 'damaged-1-state-1')
      const loaded = await load(directory)
      const { boundary, last, hardState } = loaded.recovered
      assert.deepEqual([boundary.index, last.index], [index, end])
      assert.deepEqual(hardState, promised)
      assert.equal(loaded.machine.stateHash(), state.hash)
      await loaded.directory.close()
      assert.equal((await contentOf(directory)).state, whole.state)
    }
  })

  it('goes on from a state that is ahead of its log, in no older term, without a vote that it did not give', async () => {
    const directory = await withCutLog(100)
    const state = await peerState(Infinity, 2)
    await rebuild(directory, (disk, log) => rebuildFromPeer(disk, CLOCK, log, state))
    const loaded = await load(directory)
    const { boundary, last, hardState } = loaded.recovered
    assert.deepEqual(boundary, last)
    assert.deepEqual(hardState, { currentTerm: 9, votedFor: undefined })
    assert.equal(loaded.machine.stateHash(), state.hash)
    await loaded.directory.close()
  })

  it('takes a state that ends where the log begins, and no older one', async () => {
    const directory = await withCutLog(580)
    const older = await peerState(570)
    await assert.rejects(
      rebuild(directory, (disk, log) => rebuildFromPeer(disk, CLOCK, log, older)),
      UnavailableError,
    )
    await assert.rejects(contentOf(directory), StopError)
    const state = await peerState(580)
    await rebuild(directory, (disk, log) => rebuildFromPeer(disk, CLOCK, log, state))
    assert.equal((await contentOf(directory)).state, whole.state)
  })

  it('changes nothing where what comes is no whole state', async () => {
    const directory = await withCutLog(200)
    const { meta, chunks } = await peerState()
    const all: Uint8Array[] = []
    for await (const chunk of chunks) all.push(chunk)
    const flipped = all.map((chunk) => Buffer.from(chunk))
    flipped[0]![500]! ^= 1
    for (const wrong of [flipped, all.slice(0, -1)]) {
      await assert.rejects(
        rebuild(directory, (disk, log) => rebuildFromPeer(disk, CLOCK, log, { meta, chunks: listed(wrong) })),
        SnapshotError,
      )
    }
    await rebuild(directory, (disk, log) => rebuildFromPeer(disk, CLOCK, log, { meta, chunks: listed(all) }))
    assert.equal((await contentOf(directory)).state, whole.state)
  })
})

async function recoveredOf(directory: string): Promise<RecoveredLog> {
  const { directory: opened, recovered } = await load(directory)
  await opened.close()
  return recovered
}

async function* listed(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
