import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { TestCluster } from './support/cluster.ts'
import type { Flags } from './support/cluster.ts'

describe('who belongs to a cluster', () => {
  it('refuses a wiped node as its old self, in words, and goes on without it', async () => {
    await using cluster = await TestCluster.start()
    const client = cluster.client()
    await client.put('a', '1')
    const leader = await cluster.leader()
    const [victim, witness] = cluster.othersThan(leader.id)
    await victim!.kill()
    await rm(victim!.dataDir, { recursive: true })
    victim!.start()
    for (const node of [leader, witness!]) {
      await cluster.until(
        `${node.id} to refuse`,
        () => new RegExp(`${victim!.id} has another data directory`).test(node.log) || undefined,
      )
    }
    await cluster.until(
      'the wiped node to be told',
      () => victim!.log.includes('has another data directory') || undefined,
    )
    await client.put('a', '2')
    const own = (await cluster.statuses()).find(({ id }) => id === victim!.id)
    assert.equal(own?.lastIndex, 0, 'nothing is replicated to it')
    assert.match(own.health, /another data directory/)
  })

  it('remembers an incarnation over restarts of those who saw it', async () => {
    await using cluster = await TestCluster.start()
    await cluster.client().put('a', '1')
    await cluster.converged()
    const [victim, ...others] = cluster.nodes
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    await rm(victim!.dataDir, { recursive: true })
    for (const node of cluster.nodes) node.start()
    for (const node of others) {
      await cluster.until(
        `${node.id} to refuse`,
        () => node.log.includes('another data directory') || undefined,
      )
    }
    assert.equal((await cluster.client({ nodes: others }).get('a'))?.text(), '1')
  })

  it('refuses nodes that were started with another list of peers, in words', async () => {
    await using cluster = await TestCluster.create()
    const [first, second, odd] = cluster.nodes
    const list = cluster.nodes.map(({ id, peerAddress }) => `${id}=${peerAddress}`).join(',')
    first!.start()
    second!.start()
    odd!.start({ '--peers': `${list},n4=127.0.0.1:1` })
    await cluster.leader()
    for (const node of cluster.nodes) {
      await cluster.until(
        `${node.id} to say so`,
        () => /same cluster name and the same list of peers/.test(node.log) || undefined,
      )
    }
    await cluster.client({ nodes: [first!, second!] }).put('a', '1')
    const status = (await cluster.statuses()).find(({ id }) => id === odd!.id)
    assert.equal(status?.term, 0, 'it neither votes nor follows')
  })

  it('does not start on the directory of another node or cluster: exit code 7, and nothing is changed', async () => {
    await using cluster = await TestCluster.start({ nodes: 1 })
    const [node] = cluster.nodes
    await cluster.client().put('a', '1')
    await node!.stop()
    const wrong: readonly (readonly [Flags, RegExp])[] = [
      [{ '--cluster-name': 'other' }, /cluster/],
      [{ '--id': 'n2', '--peers': `n2=${node!.peerAddress}` }, /n1/],
    ]
    for (const [flags, words] of wrong) {
      node!.start(flags)
      assert.deepEqual(await node!.ended, { code: 7, signal: null })
      assert.match(node!.log.slice(-2000), words)
    }
    node!.start()
    assert.equal((await cluster.client().get('a'))?.text(), '1')
  })

  it('does not start on a damaged directory: exit code 4, with what is wrong and what to do', async () => {
    await using cluster = await TestCluster.start()
    const leader = await cluster.leader()
    const [victim] = cluster.othersThan(leader.id)
    await cluster.client().put('a', '1')
    await cluster.converged()
    await victim!.stop()
    await rm(join(victim!.dataDir, 'mark'))
    victim!.start()
    assert.deepEqual(await victim!.ended, { code: 4, signal: null })
    assert.match(victim!.log.slice(-3000), /mark/)
    await cluster.client().put('a', '2')
  })
})
