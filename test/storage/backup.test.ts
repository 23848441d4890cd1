import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { DamagedDataError, WrongDirectoryError } from '../../src/errors.ts'
import { KvStateMachine } from '../../src/kv/state-machine.ts'
import { BackupEncoder } from '../../src/storage/backup/format.ts'
import { nowhere, readBackup } from '../../src/storage/backup/reading.ts'
import type { BackupSummary } from '../../src/storage/backup/reading.ts'
import { restoreBackup } from '../../src/storage/backup/restoring.ts'
import { writeBackup } from '../../src/storage/backup/writing.ts'
import { checkAnchor, openDataDirectory } from '../../src/storage/data-directory.ts'
import { clusterIdOf } from '../../src/storage/identity.ts'
import { MemoryStateStore } from '../../src/storage/memory-state-store.ts'
import { NodeDisk } from '../../src/storage/node-disk.ts'
import { bytes, LogMaker, put } from '../kv/support.ts'

const clock = systemClock({ keepAlive: true })

/** A small backup file, with a session. */
async function smallBackup(): Promise<Buffer> {
  const store = new MemoryStateStore()
  await store.open()
  const machine = await KvStateMachine.restore(store)
  const log = new LogMaker()
  const entries = [log.open(), log.command(put('a', '1')), log.command(put('b', '2'), 1, 1, 1)]
  entries.push(log.command({ type: 'delete', key: bytes('a') }), log.time(99))
  for (const entry of entries) machine.apply(entry)
  await store.writeCheckpoint(machine.freeze()!)
  const snapshot = await store.snapshot()
  assert.ok(snapshot, 'there is a checkpoint')
  const pieces: Uint8Array[] = []
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of snapshot!.chunks()) yield chunk.bytes
  }
  await writeBackup({
    head: {
      clusterId: clusterIdOf('old', ['n1']),
      clusterName: 'old',
      nodeId: 'n1',
      version: '1.2.3',
      meta: snapshot.meta.encoded,
      estimatedBytes: 0,
    },
    chunks: chunks(),
    createdAt: new Date(0),
    write: async (piece) => void pieces.push(piece),
  })
  return Buffer.concat(pieces)
}

async function* pieces(file: Uint8Array, size = 100): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size)
}

function verify(file: Uint8Array, size?: number): Promise<BackupSummary> {
  return readBackup(pieces(file, size), { name: 'backup', site: nowhere() })
}

function isRefusal(error: unknown): boolean {
  return error instanceof DamagedDataError || error instanceof WrongDirectoryError
}

describe('a backup file', () => {
  let file: Buffer
  before(async () => (file = await smallBackup()))

  it('says what it holds, in whatever pieces it is read', async () => {
    for (const size of [1, 7, 100, 1_000_000]) {
      const { head, meta, tally } = await verify(file, size)
      assert.equal(head.clusterName, 'old')
      assert.equal(head.createdAt, '1970-01-01T00:00:00.000Z')
      assert.deepEqual([meta.revision, meta.position.index, meta.clusterTimeMs], [3, 5, 99])
      assert.deepEqual([tally.keys, tally.sessions, tally.chunks], [1, 1, 1])
    }
  })

  it('is refused with any of its bytes flipped', async () => {
    for (let at = 0; at < file.length; at++) {
      const flipped = Buffer.from(file)
      flipped[at]! ^= 1 << (at % 8)
      await assert.rejects(verify(flipped), isRefusal, `byte ${at} of ${file.length}`)
    }
  })

  it('is refused cut off anywhere, and with anything after its end', async () => {
    for (let length = 0; length < file.length; length++) {
      await assert.rejects(verify(file.subarray(0, length)), isRefusal, `${length} of ${file.length} bytes`)
    }
    await assert.rejects(verify(Buffer.concat([file, Buffer.alloc(1)])), isRefusal)
    await assert.rejects(verify(Buffer.concat([file, file])), isRefusal)
  })

  it('is refused where parts are left out, though its hash is right', async () => {
    const { head, tally } = await verify(file)
    const encoder = new BackupEncoder()
    const empty = Buffer.concat([encoder.begin(head), encoder.end({ ...tally, chunks: 0 })])
    await assert.rejects(verify(empty), isRefusal)
  })

  it('of another format is told from a damaged one', async () => {
    const newer = Buffer.concat([Buffer.from('balsa backup 2\n'), file.subarray(15)])
    await assert.rejects(verify(newer), (error) => {
      assert.ok(error instanceof WrongDirectoryError, String(error))
      return /format 2/.test(error.message)
    })
  })
})

describe('restoring', () => {
  let file: Buffer
  let dir: string
  before(async () => {
    file = await smallBackup()
    dir = await mkdtemp(join(tmpdir(), 'balsa-restore-'))
  })
  after(() => rm(dir, { recursive: true }))

  const members = ['n1', 'n2']
  const restore = (name: string, source: AsyncIterable<Uint8Array>) => {
    const nodes = members.map((id) => ({ id, directory: join(dir, name, id) }))
    return restoreBackup({ source, name: 'backup', clock, clusterName: 'new', members, nodes })
  }
  const open = async (name: string, id: string) => {
    const disk = await NodeDisk.open(join(dir, name, id))
    return openDataDirectory(disk, { nodeId: id, clusterName: 'new', members, clock })
  }

  it('makes directories that open, with one state, no sessions, and a log behind it', async () => {
    await restore('whole', pieces(file))
    const incarnations = new Set<number>()
    const hashes = new Set<string>()
    for (const id of members) {
      const directory = await open('whole', id)
      const machine = await KvStateMachine.restore(directory.stateStore)
      const log = await directory.logStore.open({ tailBytes: 1000, anchorIndex: machine.applied.index })
      checkAnchor(machine.applied, log, directory.path)
      assert.equal(machine.revision, 3)
      assert.equal(machine.sessionCount, 0)
      assert.equal(machine.get(bytes('a')), undefined)
      assert.deepEqual(machine.get(bytes('b'))?.value, bytes('2'))
      assert.deepEqual(log.boundary, machine.applied)
      assert.ok(log.boundary.index > 2 ** 40, 'ids of old sessions are not given again')
      assert.deepEqual(log.hardState, { currentTerm: 1, votedFor: undefined })
      incarnations.add(directory.identity.incarnation)
      hashes.add(machine.stateHash())
      await directory.close()
    }
    assert.deepEqual([incarnations.size, hashes.size], [2, 1])
  })

  it('leaves nothing that starts where it ends early', async () => {
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield file.subarray(0, -20)
      throw new Error('the process ends here')
    }
    await assert.rejects(restore('half', breaking()), /the process ends here/)
    for (const id of members) {
      await assert.rejects(open('half', id), (error) => {
        assert.ok(error instanceof WrongDirectoryError, String(error))
        return /restore that did not end/.test(error.message)
      })
    }
    await assert.rejects(restore('half', pieces(file)), /is not empty/)
  })
})
