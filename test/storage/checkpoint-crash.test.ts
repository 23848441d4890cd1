import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KvStateMachine } from '../../src/kv/state-machine.ts'
import { recomputeStateHash } from '../../src/kv/state-hash.ts'
import type { LogEntry } from '../../src/raft/types.ts'
import type { Disk } from '../../src/storage/disk.ts'
import { LevelStateStore } from '../../src/storage/level-state-store.ts'
import { bytes, LogMaker, put } from '../kv/support.ts'
import { Dice } from '../sim/engine/dice.ts'
import { outsidePromises } from '../sim/engine/microtasks.ts'
import type { Process } from '../sim/engine/process.ts'
import { Machine } from './machine.ts'

const PIECE_BYTES = 2000
const KEYS = 60

/** Entries up to a first checkpoint, and from there to a second: keys that are made, changed and deleted, by sessions too. */
function entries(seed: number): { first: LogEntry[]; second: LogEntry[] } {
  const dice = Dice.of(seed, 'entries')
  const log = new LogMaker()
  const opening = log.open(0)
  let sequence = 0
  const some = (count: number): LogEntry[] =>
    Array.from({ length: count }, () => {
      const key = `key ${dice.below(KEYS)}`
      if (dice.below(4) === 0) return log.command({ type: 'delete', key: bytes(key) })
      const operation = put(key, 'v'.repeat(dice.below(400)))
      if (dice.below(3) > 0) return log.command(operation)
      sequence++
      return log.command(operation, opening.index, sequence, Math.max(1, sequence - 5))
    })
  // A short first part leaves keys that are new in the second; none leaves a store without any checkpoint.
  const first = [opening, ...some(dice.below(3) === 0 ? dice.below(10) : 150)]
  return { first, second: some(200) }
}

async function open(disk: Disk, process: Process): Promise<[LevelStateStore, KvStateMachine]> {
  const store = new LevelStateStore({ disk, name: 'state-1', clock: process.clock, createIfMissing: true })
  await store.open()
  return [store, await KvStateMachine.restore(store)]
}

/** Applies and checkpoints. Closes the store where the whole of it is done. */
async function advance(disk: Disk, process: Process, ...parts: LogEntry[][]): Promise<string> {
  const [store, machine] = await open(disk, process)
  for (const part of parts) {
    for (const entry of part) if (entry.index > machine.applied.index) machine.apply(entry)
    const checkpoint = machine.freeze()
    if (checkpoint === undefined) continue
    await store.writeCheckpoint(checkpoint, PIECE_BYTES)
    machine.checkpointWritten()
  }
  await store.close()
  return machine.stateHash()
}

/** What the store holds: the hash of every row, which has to be that of the record about it all. */
async function held(disk: Disk, process: Process): Promise<string> {
  const [store, machine] = await open(disk, process)
  const hash = await recomputeStateHash(store)
  assert.equal(hash, machine.stateHash())
  // Every revision that history has is found in the packs, and each change reads.
  for (let revision = 1; revision <= machine.revision; revision++) {
    const read = machine.readAt([bytes('key 1')], revision, 1e6).advance(1e9)
    assert.ok(Array.isArray(read), `revision ${revision}`)
  }
  await store.close()
  return hash
}

function crashes(): void {
  let finished = 0
  let cut = 0
  for (let seed = 1; seed <= 120; seed++) {
    const { first, second } = entries(seed)
    const whole = new Machine(seed)
    const before = seed % 10 === 0 ? whole.run(held)! : whole.run((...on) => advance(...on, first))!
    const after = whole.run((...on) => advance(...on, first, second))!
    whole.end(false)

    const machine = new Machine(seed)
    const parts = seed % 10 === 0 ? [[...first, ...second]] : [second]
    if (seed % 10 > 0) machine.run((...on) => advance(...on, first))
    machine.temper.crashIn = 1 + (seed % 23)
    const done = machine.run((...on) => advance(...on, ...parts))
    machine.end(seed % 3 > 0)
    if (seed % 4 === 0) {
      // Cut off once more, while what was cut off is taken back.
      machine.temper.crashIn = 1 + (seed % 3)
      machine.run(held)
      machine.end(seed % 3 > 0)
    }
    const found = machine.run(held)!
    if (done === undefined) cut++
    else finished++
    if (done === undefined) assert.ok(found === before || found === after, `seed ${seed}: a mixture`)
    else assert.equal(found, after, `seed ${seed}: finished, but not all there`)
    assert.equal(
      machine.run((...on) => advance(...on, [...first, ...second])),
      after,
      `seed ${seed}: applied again`,
    )
  }
  assert.ok(finished > 5 && cut > 60, `${finished} finished, ${cut} cut off`)
}

describe('a crash while a checkpoint is written', () => {
  it('leaves the checkpoint before it, whole, to which the log is applied again', async () => {
    await outsidePromises(crashes)
  })
})
