import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TestCluster } from './support/cluster.ts'
import { callUnary } from './support/unary.ts'

describe('SIGSTOP', () => {
  it('of a follower does not slow puts', async () => {
    await using cluster = await TestCluster.start()
    const client = cluster.client()
    const leader = await cluster.leader()
    const [follower] = cluster.othersThan(leader.id)
    const slowest = async (count: number): Promise<number> => {
      const took: number[] = []
      for (let i = 0; i < count; i++) {
        const begun = performance.now()
        await client.put(`k${i}`, 'v')
        took.push(performance.now() - begun)
      }
      return took.sort((a, b) => a - b)[Math.floor(count * 0.9)]!
    }
    await slowest(20)
    follower!.signal('SIGSTOP')
    const paused = await slowest(200)
    follower!.signal('SIGCONT')
    // One that waits for the paused follower would wait for as long as it sleeps.
    assert.ok(paused < 100, `nine in ten puts should be quick, but took ${paused} ms`)
    assert.equal((await cluster.leader()).id, leader.id, 'the leader stays')
    await cluster.converged()
  })

  it('of the leader: it is replaced, and when it wakes it steps down without serving one stale read', async () => {
    await using cluster = await TestCluster.start()
    const client = cluster.client()
    await client.put('x', 'old')
    const term = await cluster.term()
    const old = await cluster.leader()
    old.signal('SIGSTOP')
    const others = cluster.client({ nodes: cluster.othersThan(old.id), timeoutMs: 15_000 })
    await others.put('x', 'new')

    // Reads that wait at the door of the old leader when it wakes: it still believes that it leads.
    const reads = Array.from({ length: 20 }, () =>
      callUnary(
        old.clientAddress,
        'Get',
        { key: Buffer.from('x') },
        { metadata: { 'balsa-forwarded': '1' } },
      ),
    )
    await new Promise((resolve) => setTimeout(resolve, 100))
    old.signal('SIGCONT')
    for (const answer of await Promise.all(reads)) {
      if ('response' in answer) {
        assert.equal((answer.response.entry as { value: Buffer }).value.toString(), 'new', 'a stale read')
      } else {
        assert.ok(answer.detail !== undefined, JSON.stringify(answer))
      }
    }
    const status = await cluster.until('the old leader to follow', async () => {
      const own = (await cluster.statuses()).find(({ id }) => id === old.id)
      return own?.role === 'follower' && (own.term ?? 0) > term ? own : undefined
    })
    assert.equal(status.role, 'follower')
    assert.equal((await client.get('x'))?.text(), 'new')
    await cluster.converged()
  })
})
