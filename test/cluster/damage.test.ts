import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/clock.ts'
import { decodeMeta, encodeMeta, META_KEY, Prefix } from '../../src/kv/layout.ts'
import { nameOf, StoredRecord } from '../../src/kv/record.ts'
import { SetHash } from '../../src/kv/set-hash.ts'
import { addRecord, subtractRecord } from '../../src/kv/state-hash.ts'
import { LevelStateStore } from '../../src/storage/level-state-store.ts'
import { NodeDisk } from '../../src/storage/node-disk.ts'
import { TestCluster } from './support/cluster.ts'
import type { Flags, TestNode } from './support/cluster.ts'

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const CHECKPOINTS: Flags = { '--checkpoint-interval-ms': '100' }

function balsa(...args: string[]): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, out: stdout + stderr })
    })
  })
}

/** Flips a bit in the middle of the largest file of this kind. Returns its path. */
function flip(node: TestNode, database: string, kind: RegExp): string {
  const directory = join(node.dataDir, database)
  const files = readdirSync(directory)
    .filter((name) => kind.test(name))
    .map((name) => ({ path: join(directory, name), bytes: readFileSync(join(directory, name)) }))
    .sort((a, b) => b.bytes.length - a.bytes.length)
  const { path, bytes } = files[0]!
  bytes[bytes.length >> 1]! ^= 1
  writeFileSync(path, bytes)
  return path
}

async function fill(cluster: TestCluster, puts: number, bytes: number): Promise<void> {
  const client = cluster.client()
  const value = Buffer.alloc(bytes, 'x')
  // In rounds, so that the log gets several batches.
  for (let round = 0; round < 10; round++) {
    const keys = Array.from({ length: puts / 10 }, (_, i) => `key ${10 * i + round}`)
    await Promise.all(keys.map((key) => client.put(key, value)))
  }
}

async function follower(cluster: TestCluster): Promise<TestNode> {
  const leader = await cluster.leader()
  return cluster.othersThan(leader.id)[0]!
}

describe('a node with damaged data', () => {
  it('does not vote, acknowledge or serve where its log is damaged, and its cluster goes on', async () => {
    await using cluster = await TestCluster.start()
    await fill(cluster, 50, 2000)
    const node = await follower(cluster)
    await node.kill()
    const file = flip(node, 'log', /\.log$/)
    node.start()
    assert.deepEqual(await node.ended, { code: 4, signal: null })
    assert.ok(node.log.includes(file), node.log)
    assert.match(node.log, /balsa recover --data/)
    const client = cluster.client()
    await client.put('after', 'all')
    assert.equal((await client.get('after'))!.text(), 'all')

    const told = await balsa('recover', '--data', node.dataDir, '--yes')
    assert.equal(told.code, 4, told.out)
    assert.match(told.out, /may have forgotten a vote/)
    assert.ok(told.out.includes(file), told.out)
    const done = await balsa('recover', '--data', node.dataDir, '--set-aside')
    assert.equal(done.code, 0, done.out)
    assert.ok(readdirSync(`${node.dataDir}.damaged-1`).includes('identity'))
    // What comes back with an empty directory is not who it was: the others do not take its word.
    node.start()
    await cluster.until('a refusal', () => (/add it as a new member/.test(node.log) ? true : undefined))
  })

  for (const [source, flags] of [
    ['its log', CHECKPOINTS],
    ['another node', { ...CHECKPOINTS, '--log-keep-bytes': '0', '--log-tail-bytes': '64KiB' }],
  ] as const) {
    it(`comes back under its id with its state made anew from ${source}`, async () => {
      await using cluster = await TestCluster.start({ flags })
      await fill(cluster, 80, 8000)
      const node = await follower(cluster)
      if (source !== 'its log') {
        await cluster.until('the log to be cut', async () => {
          await cluster.client().put('again', 'x')
          const status = (await cluster.statuses()).find(({ id }) => id === node.id)
          return (status?.firstIndex ?? 1) > 1 ? true : undefined
        })
      }
      await node.stop()
      const file = flip(node, 'state-1', /\.(log|ldb)$/)
      node.start()
      assert.deepEqual(await node.ended, { code: 4, signal: null })
      assert.ok(node.log.includes(file), node.log)

      const endpoints = cluster.othersThan(node.id).map(({ clientAddress }) => clientAddress)
      const recover = ['recover', '--data', node.dataDir, '--endpoints', endpoints.join(',')]
      const told = await balsa(...recover)
      assert.equal(told.code, 4, told.out)
      assert.match(told.out, source === 'its log' ? /makes it anew from its log/ : /another node's state/)
      const done = await balsa(...recover, '--yes')
      assert.equal(done.code, 0, done.out)
      assert.equal((await balsa(...recover)).code, 0)
      node.start()
      await cluster.converged()
      assert.ok(readdirSync(node.dataDir).includes('damaged-1-state-1'))
    })
  }

  it('stops where scrubbing finds damage while it runs', async () => {
    await using cluster = await TestCluster.start({ flags: { ...CHECKPOINTS, '--scrub-interval-ms': '200' } })
    await fill(cluster, 20, 2000)
    const node = await follower(cluster)
    await node.stop()
    const before = node.log.length
    node.start()
    const passed = (): true | undefined =>
      node.log.slice(before).includes('nothing is damaged') ? true : undefined
    await cluster.until('a pass', passed)
    const file = flip(node, 'state-1', /\.ldb$/)
    assert.deepEqual(await node.ended, { code: 4, signal: null })
    assert.match(node.log, /scrubbing found damage/)
    assert.ok(node.log.includes(file), node.log)
    await cluster.client().put('after', 'all')
  })

  it('stops where a majority contradicts its state, though its checksums fit', async () => {
    await using cluster = await TestCluster.start({ flags: { ...CHECKPOINTS, '--compare-states-ms': '100' } })
    await fill(cluster, 10, 100)
    const node = await follower(cluster)
    await node.stop()
    await forge(node, 'key 1', 'not what was written')
    node.start()
    assert.deepEqual(await node.ended, { code: 4, signal: null })
    assert.match(node.log, /not that of a majority/)
    await balsa('recover', '--data', node.dataDir, '--rebuild', '--yes')
    node.start()
    await cluster.converged()
  })
})

/** Changes a value behind the node's back, with all checksums right: as a mistake of the machine or of Balsa could. */
async function forge(node: TestNode, key: string, value: string): Promise<void> {
  const disk = await NodeDisk.open(node.dataDir)
  const store = new LevelStateStore({ disk, name: 'state-1', clock: systemClock(), createIfMissing: false })
  await store.open()
  const storeKey = Buffer.concat([Buffer.of(Prefix.Key), Buffer.from(key)])
  const before = StoredRecord.decode(nameOf(Buffer.from(key)), Buffer.from(key), store.get(storeKey)!)
  const after = StoredRecord.build(before.name, before.key, Buffer.from(value), before)
  const meta = decodeMeta(store.get(META_KEY)!)
  const hash = new SetHash(meta.presentHash)
  subtractRecord(hash, before)
  addRecord(hash, after)
  await store.write([
    [storeKey, after.encoded],
    [META_KEY, encodeMeta({ ...meta, presentHash: hash.value })],
  ])
  await store.close()
}
