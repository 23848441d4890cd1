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
import type { TestNode } from './support/cluster.ts'

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
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
    assert.doesNotMatch(node.log.slice(node.log.indexOf(file)), /peer connected/)
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
  })

  it('stops where scrubbing or a majority finds its state damaged, and comes back with that of another node', async () => {
    const flags = {
      '--checkpoint-interval-ms': '100',
      // Less than what is filled in, so that the log is cut; more than what comes later, so that nobody is brought a
      // whole state, which would put an end to the damage before it is found.
      '--log-keep-bytes': '256KiB',
      '--log-tail-bytes': '64KiB',
      '--scrub-interval-ms': '200',
      '--compare-states-ms': '100',
    }
    await using cluster = await TestCluster.start({ flags })
    await fill(cluster, 80, 8000)
    const node = await follower(cluster)
    const client = cluster.client()
    await cluster.until('the log to be cut', async () => {
      await client.put('again', 'x')
      const status = (await cluster.statuses()).find(({ id }) => id === node.id)
      return (status?.firstIndex ?? 1) > 1 ? true : undefined
    })
    const endpoints = cluster.othersThan(node.id).map(({ clientAddress }) => clientAddress)
    const recover = ['recover', '--data', node.dataDir, '--endpoints', endpoints.join(','), '--json']

    await node.stop()
    const before = node.log.length
    node.start()
    await cluster.until('a pass', () =>
      node.log.slice(before).includes('nothing is damaged') ? true : undefined,
    )
    const state = stateOf(node)
    const file = flip(node, state, /\.ldb$/)
    await toStop(cluster, node)
    assert.deepEqual(await node.ended, { code: 4, signal: null })
    assert.match(node.log, /scrubbing found damage/)
    assert.ok(node.log.includes(file), node.log)
    await client.put('after', 'all')
    const first = await balsa(...recover, '--yes')
    assert.equal(first.code, 0, first.out)
    const report = JSON.parse(first.out.split('\n').find((line) => line.startsWith('{'))!) as object
    assert.deepEqual({ ...report, damaged: 'state', done: true, node: node.id }, report)
    assert.ok(readdirSync(node.dataDir).includes(`damaged-1-${state}`))
    node.start()
    await cluster.converged()

    await node.stop()
    await forge(node, 'key 1', 'not what was written')
    node.start()
    await toStop(cluster, node)
    assert.deepEqual(await node.ended, { code: 4, signal: null })
    assert.match(node.log, /not that of a majority/)
    const second = await balsa(...recover, '--rebuild', '--yes')
    assert.equal(second.code, 0, second.out)
    node.start()
    await cluster.converged()
  })
})

/** Waits until the node has stopped by itself, and tells the nodes' logs where it does not. */
async function toStop(cluster: TestCluster, node: TestNode): Promise<void> {
  await cluster.until(`${node.id} to stop`, () => (node.running ? undefined : true))
}

/** The name of its state; a snapshot may have put another in the place of the first. */
function stateOf(node: TestNode): string {
  return readdirSync(node.dataDir).find((name) => name.startsWith('state-'))!
}

/** Changes a value behind the node's back, with all checksums right: as a mistake of the machine or of Balsa could. */
async function forge(node: TestNode, key: string, value: string): Promise<void> {
  const disk = await NodeDisk.open(node.dataDir)
  const store = new LevelStateStore({
    disk,
    name: stateOf(node),
    clock: systemClock(),
    createIfMissing: false,
  })
  await store.open()
  const storeKey = Buffer.concat([Buffer.of(Prefix.Key), Buffer.from(key)])
  const before = StoredRecord.decode(nameOf(Buffer.from(key)), Buffer.from(key), store.get(storeKey)!)
  const after = StoredRecord.build(before.name, before.key, Buffer.from(value), before)
  const meta = decodeMeta(store.get(META_KEY)!)
  const hash = new SetHash(meta.presentHash)
  subtractRecord(hash, before)
  addRecord(hash, after)
  await store.write([
    [storeKey, after.change[1]],
    [META_KEY, encodeMeta({ ...meta, presentHash: hash.value })],
  ])
  await store.close()
}
