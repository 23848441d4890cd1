import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DamagedDataError } from '../../src/errors.ts'
import { KvStateMachine } from '../../src/kv/state-machine.ts'
import { recomputeStateHash } from '../../src/kv/state-hash.ts'
import type { Disk } from '../../src/storage/disk.ts'
import { LevelStateStore } from '../../src/storage/level-state-store.ts'
import { MemoryStateStore } from '../../src/storage/memory-state-store.ts'
import { createSnapshotBuilder } from '../../src/storage/snapshot/builder.ts'
import { outsidePromises } from '../sim/engine/microtasks.ts'
import type { Process } from '../sim/engine/process.ts'
import { LogMaker, put } from '../kv/support.ts'
import { Machine } from './machine.ts'

const ROWS = 1500

async function fill(disk: Disk, process: Process): Promise<string> {
  const store = new LevelStateStore({ disk, name: 'state-1', clock: process.clock, createIfMissing: true })
  await store.open()
  const machine = await KvStateMachine.restore(store)
  const log = new LogMaker()
  for (let i = 0; i < ROWS; i++) machine.apply(log.command(put(`key ${i}`, 'v'.repeat(1000))))
  await store.writeCheckpoint(machine.freeze()!, 100_000)
  await store.close()
  return machine.stateHash()
}

async function build(disk: Disk, process: Process): Promise<void> {
  const { clock } = process
  const store = new LevelStateStore({ disk, name: 'state-1', clock, createIfMissing: false })
  await store.open()
  const snapshot = (await store.snapshot())!
  const builder = await createSnapshotBuilder({ disk, name: 'state-2', clock, meta: snapshot.meta.encoded })
  for await (const chunk of snapshot.chunks()) await builder.add(chunk.bytes)
  await builder.finish()
}

async function hashOf(disk: Disk, process: Process, name: string): Promise<string> {
  const store = new LevelStateStore({ disk, name, clock: process.clock, createIfMissing: false })
  await store.open()
  await KvStateMachine.restore(store)
  // Of every row, not what the record about it all says.
  const hash = await recomputeStateHash(store)
  await store.close()
  return hash
}

/** The hash of a state that has applied nothing. */
async function emptyHash(): Promise<string> {
  const store = new MemoryStateStore()
  await store.open()
  return (await KvStateMachine.restore(store)).stateHash()
}

/** Builds a state again and again, cut off at another step each time. */
function crashes(empty: string): void {
  let finished = 0
  let cut = 0
  for (let seed = 1; seed <= 20; seed++) {
    const machine = new Machine(seed)
    const hash = machine.run(fill)!
    machine.temper.crashIn = 1 + (seed % 16)
    const done = machine.run(async (disk, process) => build(disk, process).then(() => true))
    machine.end(seed % 3 > 0)
    assert.equal(
      machine.run((disk, process) => hashOf(disk, process, 'state-1')),
      hash,
    )
    let found: string | undefined
    try {
      found = machine.run((disk, process) => hashOf(disk, process, 'state-2'))
    } catch (error) {
      // An empty database is a state that has applied nothing: then nothing was built there yet.
      assert.ok(error instanceof DamagedDataError, String(error))
    }
    if (done === true) finished++
    else cut++
    if (done === true) assert.equal(found, hash, `seed ${seed}: finished, but not all there`)
    else assert.ok(found === undefined || found === hash || found === empty, `seed ${seed}: a mixture`)
  }
  assert.ok(finished > 2 && cut > 5, `${finished} finished, ${cut} cut off`)
}

describe('a crash while a state is built from a snapshot', () => {
  it('leaves the old state as it was, and of the new one all of it or what nobody takes for a state', async () => {
    const empty = await emptyHash()
    await outsidePromises(() => crashes(empty))
  })
})
