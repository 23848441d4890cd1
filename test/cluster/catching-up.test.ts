import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TestCluster } from './support/cluster.ts'
import { callUnary } from './support/unary.ts'
import { Writer } from './support/writer.ts'

const KiB = 1024
const MiB = 1024 * KiB

describe('a follower that is behind', () => {
  it('catches up from the leader’s disk where the log is longer than what is kept in memory', async () => {
    await using cluster = await TestCluster.start({ flags: { '--log-tail-bytes': '64KiB' } })
    const leader = await cluster.leader()
    const [behind, other] = cluster.othersThan(leader.id)
    await cluster.client().put('before', '1')
    await behind!.kill()
    const client = cluster.client({ nodes: [leader, other!] })
    const value = Buffer.alloc(8 * KiB, 'v')
    const keys = Array.from({ length: 400 }, (_, i) => `k${i}`)
    await Promise.all(keys.map((key) => client.put(key, value)))
    // It is behind while more comes in.
    const writer = new Writer(client, { prefix: 'meanwhile', inFlight: 8 })
    behind!.start()
    await writer.more(300)
    await writer.stop()
    await cluster.converged()
    const stale = cluster.client({ nodes: [behind!] })
    const found = await stale.getMany(keys.slice(0, 100), { consistency: 'stale' })
    assert.ok(found.every((entry) => entry !== undefined && value.equals(entry.value)))
    await writer.verify(client)
  })

  it('and all of them, over restarts and changes of leader, with a tail of next to nothing', async () => {
    await using cluster = await TestCluster.start({ flags: { '--log-tail-bytes': '1KiB' } })
    const writer = new Writer(cluster.client({ timeoutMs: 20_000 }), { prefix: 'w', inFlight: 16 })
    for (let round = 0; round < 3; round++) {
      await writer.more(200)
      const leader = await cluster.leader()
      await leader.kill()
      await writer.more(200)
      leader.start()
    }
    await writer.more(200)
    await writer.stop()
    await cluster.converged()
    await writer.verify(cluster.client())
    assert.deepEqual([writer.failed, writer.unknown], [[], []])
  })
})

describe('large requests', () => {
  it('of nearly the limit are replicated, many at a time, and forwarded', async () => {
    await using cluster = await TestCluster.start()
    const client = cluster.client({ timeoutMs: 30_000 })
    const pairs = (name: string): [string, Uint8Array][] =>
      Array.from({ length: 4 }, (_, i) => [`${name}/${i}`, Buffer.alloc(MiB - KiB, name)])
    await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => client.putMany(pairs(name))))
    await cluster.converged()
    for (const node of cluster.nodes) {
      const through = cluster.client({ nodes: [node] })
      const found = await through.getMany(pairs('c').map(([key]) => key))
      assert.ok(found.every((entry) => entry?.value.length === MiB - KiB))
    }
  })

  it('of the largest limit that can be set fit between nodes too', async () => {
    const flags = { '--max-value-bytes': '11MiB', '--max-request-bytes': '12MiB' }
    // A frame of this size takes its time on a small machine.
    await using cluster = await TestCluster.start({ flags, electionMs: 2000 })
    const leader = await cluster.leader()
    const [follower] = cluster.othersThan(leader.id)
    const value = Buffer.alloc(11 * MiB, 'x')
    const put = (name: string) =>
      callUnary(follower!.clientAddress, 'Put', { key: Buffer.from(name), value }, { timeoutMs: 30_000 })
    for (const name of ['a', 'b']) {
      const answer = await put(name)
      assert.ok('response' in answer, JSON.stringify(answer))
    }
    await cluster.converged()
    for (const status of await cluster.statuses()) assert.equal(status.revision, 2)
  })
})

describe('many clients', () => {
  it('of which each has a stream of its own are all served, through any node', async () => {
    await using cluster = await TestCluster.start()
    const clients = Array.from({ length: 256 }, (_, i) =>
      cluster.client({ nodes: [cluster.nodes[i % 3]!], timeoutMs: 30_000 }),
    )
    await Promise.all(clients.map((client, i) => client.put(`client ${i}`, `${i}`)))
    const read = await Promise.all(clients.map((client, i) => client.get(`client ${i}`)))
    assert.deepEqual(
      read.map((entry) => entry?.text()),
      clients.map((_, i) => `${i}`),
    )
  })
})
