import assert from 'node:assert/strict'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openBackup } from '../../src/client/backup.ts'
import type { BalsaClient } from '../../src/client/client.ts'
import { UnavailableError, WrongDirectoryError } from '../../src/errors.ts'
import { KvStateMachine } from '../../src/kv/state-machine.ts'
import { readBackup } from '../../src/storage/backup/reading.ts'
import { MemoryStateStore } from '../../src/storage/memory-state-store.ts'
import { clusterFile } from './support/local-cluster.ts'
import { balsa, LiveCluster, liveNode, peersOf, withDirectory } from './support/live-cluster.ts'
import { callUnary } from '../cluster/support/unary.ts'

interface Summary {
  readonly clusterName: string
  readonly revision: number
  readonly keys: number
  readonly sessions: number
}

async function backup(file: string, cluster: LiveCluster, node = 0): Promise<Summary> {
  const done = await balsa('backup', file, '--json', '--endpoints', cluster.addresses[node]!)
  assert.equal(done.exitCode, 0, done.errors)
  return JSON.parse(done.text) as Summary
}

/** Keys as the store has them: value and revisions. */
async function entriesOf(client: BalsaClient, keys: readonly string[]): Promise<unknown[]> {
  const entries = await client.getMany(keys)
  return entries.map(
    (entry) => entry && { ...entry, value: entry.text(), key: Buffer.from(entry.key).toString() },
  )
}

async function fill(client: BalsaClient, count: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, i) => `key/${i}`)
  await Promise.all(keys.map((key) => client.put(key, `first of ${key}`)))
  await Promise.all(keys.slice(0, count / 2).map((key) => client.put(key, `second of ${key}`)))
  await Promise.all(keys.slice(0, count / 10).map((key) => client.delete(key)))
  return keys
}

describe('a backup of a running cluster', () => {
  it('is restored into clusters of other sizes: keys, revisions and history as they were, without sessions', () =>
    withDirectory(async (dir) => {
      const file = join(dir, 'backup')
      let keys: string[]
      let before: unknown[]
      let summary: Summary
      let session: unknown
      {
        await using cluster = await LiveCluster.start(join(dir, 'old'), 3, 'old')
        keys = await fill(cluster.client, 200)
        before = await entriesOf(cluster.client, keys)
        const opened = await callUnary(cluster.addresses[0]!, 'OpenSession', {})
        assert.ok('response' in opened, 'a session is opened')
        session = opened.response['session']
        summary = await backup(file, cluster)
        assert.equal(summary.keys, 180)
        assert.ok(summary.sessions >= 2, 'the client library’s and the one above')
        await cluster.client.put('after', 'the backup')
      }
      for (const size of [1, 5]) {
        const restored = await balsa(
          'restore',
          file,
          '--dir',
          join(dir, `new${size}`),
          '--nodes',
          `${size}`,
          '--json',
        )
        assert.equal(restored.exitCode, 0, restored.errors)
        const { clusterName, nodes } = JSON.parse(restored.text) as { clusterName: string; nodes: string[] }
        assert.equal(nodes.length, size)
        assert.match(clusterName, /^old-r[0-9a-f]{8}$/)
        await using cluster = await LiveCluster.start(join(dir, `new${size}`), size, clusterName)
        assert.deepEqual(await entriesOf(cluster.client, keys), before)
        assert.equal(await cluster.client.get('after'), undefined)
        assert.equal((await cluster.client.get('key/0', { revision: 200 }))?.text(), 'first of key/0')
        const put = {
          key: Buffer.from('key/1'),
          value: Buffer.from('old client'),
          header: { session, sequence: 1, firstUnacked: 1 },
        }
        const refused = await callUnary(cluster.addresses[0]!, 'Put', put)
        assert.ok('status' in refused, 'an old session is refused')
        assert.equal(refused.detail?.code, 'SESSION_EXPIRED')
        assert.deepEqual(await cluster.client.put('key/1', 'new'), { revision: summary.revision + 1 })
        const { nodes: statuses } = await cluster.client.status()
        const early = statuses.filter(
          ({ firstIndex }) => firstIndex === null || firstIndex <= Number(session),
        )
        assert.deepEqual(early, [], 'no session of the new cluster has an old one’s id')
      }
    }))

  it('holds all that was acknowledged before it began, whichever node makes it, while writes go on', () =>
    withDirectory(async (dir) => {
      await using cluster = await LiveCluster.start(join(dir, 'old'), 3, 'old')
      const acknowledged: string[] = []
      let going = true
      const writer = (async () => {
        for (let i = 0; going; i++) {
          await cluster.client.put(`w${i}`, 'x'.repeat(1000))
          acknowledged.push(`w${i}`)
        }
      })()
      const made: { file: string; keys: string[] }[] = []
      for (const node of [0, 1, 2, 0]) {
        await cluster.client.put(`before ${made.length}`, 'this')
        const keys = [...acknowledged, `before ${made.length}`]
        const file = join(dir, `backup${made.length}`)
        made.push({ file, keys })
        await backup(file, cluster, node)
      }
      going = false
      await writer
      for (const { file, keys } of made) {
        const store = new MemoryStateStore()
        await store.open()
        const site = { store, sync: () => store.open(), remove: async () => {} }
        await readBackup(createReadStream(file) as AsyncIterable<Uint8Array>, { name: file, site })
        const machine = await KvStateMachine.restore(store)
        const missing = keys.filter((key) => machine.get(Buffer.from(key)) === undefined)
        assert.deepEqual(missing, [])
      }
    }))

  it('is written beside its name, replaces nothing unasked, and goes to standard output for -', () =>
    withDirectory(async (dir) => {
      await using cluster = await LiveCluster.start(join(dir, 'old'), 1, 'old')
      await cluster.client.put('a', '1')
      const file = join(dir, 'backup')
      const at = ['--endpoints', cluster.addresses[0]!]
      await writeFile(file, 'precious')
      const refused = await balsa('backup', file, ...at)
      assert.equal(refused.exitCode, 2)
      assert.match(refused.errors, /exists already.*--force/)
      assert.equal(await readFile(file, 'utf8'), 'precious')
      const replaced = await balsa('backup', file, '--force', ...at)
      assert.equal(replaced.exitCode, 0, replaced.errors)
      assert.match(replaced.text, /^Backed up cluster "old" at revision 1: 1 key, 1 session, made by n1 on /)
      const streamed = await balsa('backup', '-', ...at)
      assert.equal(streamed.exitCode, 0)
      await writeFile(join(dir, 'streamed'), streamed.bytes)
      for (const name of ['backup', 'streamed']) {
        const verified = await balsa('backup', 'verify', join(dir, name))
        assert.equal(verified.exitCode, 0, verified.errors)
        assert.match(verified.text, /is whole: cluster "old" at revision 1: 1 key/)
      }
      assert.deepEqual((await readdir(dir)).sort(), ['backup', 'old', 'streamed'])
    }))

  it('ends with a clear error where the node that makes it stops', () =>
    withDirectory(async (dir) => {
      const cluster = await LiveCluster.start(join(dir, 'old'), 1, 'old')
      const value = Buffer.alloc(200_000, 'v')
      await Promise.all(Array.from({ length: 120 }, (_, i) => cluster.client.put(`key/${i}`, value)))
      const { chunks } = await openBackup(cluster.addresses)
      // What is on its way already still comes: there is more than fits there.
      await cluster[Symbol.asyncDispose]()
      await assert.rejects(async () => {
        for await (const chunk of chunks) assert.ok(chunk.length > 0, 'no chunk is empty')
      }, UnavailableError)
    }))

  it('of a cluster that does not answer leaves no file', () =>
    withDirectory(async (dir) => {
      const [peer] = (await peersOf(1)).split('=').slice(1)
      const { exitCode } = await balsa('backup', join(dir, 'backup'), '--endpoints', peer!)
      assert.equal(exitCode, 3)
      assert.deepEqual(await readdir(dir), [])
    }))
})

describe('a restored cluster', () => {
  it('and the old one do not mix, even on the same addresses', () =>
    withDirectory(async (dir) => {
      const file = join(dir, 'backup')
      {
        await using cluster = await LiveCluster.start(join(dir, 'old'), 3, 'old')
        await cluster.client.put('a', '1')
        await backup(file, cluster)
      }
      assert.equal(
        (await balsa('restore', file, '--dir', join(dir, 'new'), '--cluster-name', 'new')).exitCode,
        0,
      )
      for (const [majority, stranger] of [
        ['new', 'old'],
        ['old', 'new'],
      ] as const) {
        const peers = await peersOf(3)
        const place = (id: string, clusterName: string) =>
          liveNode({ id, dir: join(dir, clusterName, id), peers, clusterName })
        const nodes = await Promise.all([place('n1', majority), place('n2', majority), place('n3', stranger)])
        const endpoints = nodes.map(({ clientAddress }) => clientAddress)
        const at = (node: number) => ['--endpoints', endpoints[node]!, '--time-out', '20s']
        try {
          assert.equal((await balsa('put', 'b', majority, ...at(0))).exitCode, 0)
          const alone = await callUnary(endpoints[2]!, 'Get', { key: Buffer.from('b') })
          assert.ok('status' in alone, 'it has no leader')
          assert.equal(alone.detail?.code, 'UNAVAILABLE')
          const { text } = await balsa('status', '--json', ...at(2))
          const status = JSON.parse(text) as { nodes: { id: string; health: string }[] }
          assert.match(status.nodes.find(({ id }) => id === 'n3')!.health, /cluster/)
        } finally {
          await Promise.all(nodes.map((node) => node.stop()))
        }
        // Nor does its directory start under the other's name.
        const wrong = liveNode({ id: 'n3', dir: join(dir, stranger, 'n3'), peers, clusterName: majority })
        await assert.rejects(wrong, WrongDirectoryError)
      }
    }))

  it('is started by `cluster start` as what it is', () =>
    withDirectory(async (dir) => {
      const file = join(dir, 'backup')
      {
        await using cluster = await LiveCluster.start(join(dir, 'old'), 1, 'old')
        await cluster.client.put('a', '1')
        await backup(file, cluster)
      }
      const done = await balsa(
        'restore',
        file,
        '--dir',
        join(dir, 'new'),
        '--nodes',
        '2',
        '--cluster-name',
        'fresh',
      )
      assert.equal(done.exitCode, 0, done.errors)
      assert.match(done.text, /as the new cluster "fresh"\. Start it:\n {2}npx balsa cluster start --dir /)
      const nodes = clusterFile(join(dir, 'new'))
      assert.deepEqual(
        nodes.map(({ id, pid, dataDir }) => ({ id, pid, dataDir })),
        ['n1', 'n2'].map((id) => ({ id, pid: null, dataDir: join(dir, 'new', id) })),
      )
      assert.ok(nodes.every(({ restartCommand }) => restartCommand.includes('--cluster-name fresh')))
      assert.deepEqual((await readdir(join(dir, 'new'))).sort(), ['cluster.json', 'n1', 'n2'])
    }))

  it('can be restored node by node, also into empty directories that exist', () =>
    withDirectory(async (dir) => {
      const file = join(dir, 'backup')
      {
        await using cluster = await LiveCluster.start(join(dir, 'old'), 1, 'old')
        await cluster.client.put('a', '1')
        await backup(file, cluster)
      }
      const members = ['--members', 'n1,n2,n3', '--cluster-name', 'fresh']
      await mkdir(join(dir, 'new', 'n1', 'lost+found'), { recursive: true })
      for (const id of ['n1', 'n2', 'n3']) {
        const done = await balsa('restore', file, '--node', id, '--data', join(dir, 'new', id), ...members)
        assert.equal(done.exitCode, 0, done.errors)
      }
      await using cluster = await LiveCluster.start(join(dir, 'new'), 3, 'fresh')
      assert.equal((await cluster.client.get('a'))?.text(), '1')
      const again = await balsa('restore', file, '--node', 'n1', '--data', join(dir, 'new', 'n1'), ...members)
      assert.equal(again.exitCode, 2)
      assert.equal((await cluster.client.get('a'))?.text(), '1')
    }))

  it('is refused where it would be the old one, or over what is there; a damaged file leaves nothing', () =>
    withDirectory(async (dir) => {
      const file = join(dir, 'backup')
      {
        await using cluster = await LiveCluster.start(join(dir, 'old'), 3, 'old')
        await fill(cluster.client, 10)
        await backup(file, cluster)
      }
      const same = await balsa('restore', file, '--dir', join(dir, 'same'), '--cluster-name', 'old')
      assert.equal(same.exitCode, 2)
      assert.match(same.errors, /--cluster-name/)
      const used = await balsa('restore', file, '--dir', join(dir, 'old'))
      assert.equal(used.exitCode, 2)
      assert.match(used.errors, /is not empty/)
      const bytes = await readFile(file)
      const middle = bytes.length >> 1
      bytes[middle]! ^= 1
      await writeFile(join(dir, 'flipped'), bytes)
      await writeFile(join(dir, 'short'), bytes.subarray(0, -1))
      await mkdir(join(dir, 'mount'))
      for (const name of ['flipped', 'short']) {
        assert.equal((await balsa('backup', 'verify', join(dir, name))).exitCode, 4)
        const damaged = await balsa('restore', join(dir, name), '--dir', join(dir, 'new'))
        assert.equal(damaged.exitCode, 4, damaged.errors)
        assert.match(damaged.errors, /is no whole backup/)
        const node = ['--node', 'n1', '--members', 'n1', '--cluster-name', 'x', '--data', join(dir, 'mount')]
        assert.equal((await balsa('restore', join(dir, name), ...node)).exitCode, 4)
      }
      assert.ok(!existsSync(join(dir, 'new')) && !existsSync(join(dir, 'new.partial')))
      assert.deepEqual(await readdir(join(dir, 'mount')), [])
    }))
})
