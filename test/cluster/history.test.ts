import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BalsaError, CompactedError } from '../../src/index.ts'
import { TestCluster } from './support/cluster.ts'
import { callUnary } from './support/unary.ts'

const OUT_OF_RANGE = 11

async function failureOf(call: Promise<unknown>): Promise<BalsaError> {
  const error: unknown = await call.then(
    () => assert.fail('it succeeded'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof BalsaError, String(error))
  return error
}

describe('history in a cluster of three processes', () => {
  it('is read through every node, compacted by command and by itself, and stays so over kill -9', async () => {
    const flags = { '--history-revisions': '20', '--history-ms': '1', '--checkpoint-interval-ms': '200' }
    await using cluster = await TestCluster.start({ flags })
    const client = cluster.client()
    for (let i = 1; i <= 15; i++) await client.put(i % 5 === 0 ? 'rare' : 'often', `${i}`)
    await client.delete('rare')
    await cluster.converged()

    for (const node of cluster.nodes) {
      const one = cluster.client({ nodes: [node] })
      for (const consistency of ['linearizable', 'stale'] as const) {
        const { revision, entries } = await one.read(['often', 'rare', 'never'], {
          revision: 12,
          consistency,
        })
        assert.equal(revision, 12)
        assert.deepEqual(
          entries.map((entry) => entry?.text()),
          ['12', '10', undefined],
        )
      }
      assert.equal((await one.get('rare', { revision: 15 }))?.version, 3)
      assert.equal(await one.get('rare', { revision: 16 }), undefined)
      assert.equal((await failureOf(one.get('rare', { revision: 17 }))).code, 'INVALID_ARGUMENT')
      const keys = [Buffer.from('often')]
      const unary = await callUnary(node.clientAddress, 'GetMany', { keys, revision: 4 })
      assert.ok('response' in unary, JSON.stringify(unary))
      const [found] = unary.response.entries as { entry: { value: Buffer } }[]
      assert.equal(found!.entry.value.toString(), '4')
    }

    assert.equal((await failureOf(client.compact(17))).code, 'INVALID_ARGUMENT')
    assert.deepEqual(await client.compact(10), { revision: 16 })
    for (const node of cluster.nodes) {
      const error = await failureOf(cluster.client({ nodes: [node] }).get('often', { revision: 9 }))
      assert.ok(error instanceof CompactedError, String(error))
      assert.equal(error.oldestRevision, 10)
      const refused = await callUnary(node.clientAddress, 'Get', { key: Buffer.from('often'), revision: 9 })
      assert.ok('status' in refused)
      assert.equal(refused.status, OUT_OF_RANGE)
      assert.equal(refused.detail?.oldestRevision, 10)
      const again = await callUnary(node.clientAddress, 'Compact', { revision: 5 })
      assert.deepEqual(again, { response: { revision: 16 } })
    }

    const term = await cluster.term()
    const leader = await cluster.leader()
    await leader.kill()
    await cluster.leader(term)
    assert.equal((await failureOf(client.get('often', { revision: 9 }))).code, 'COMPACTED')
    assert.equal((await client.get('often', { revision: 10 }))?.text(), '9')
    leader.start()

    const { revision } = await client.putMany([['last', '17']])
    for (let i = 0; i < 30; i++) await client.put('often', `${i}`)
    await cluster.until('a compaction by itself', async () => {
      await client.put('often', 'again')
      const read = client.get('often', { revision })
      return read.then(
        () => undefined,
        (error: BalsaError) => error.code === 'COMPACTED' || undefined,
      )
    })
    await cluster.converged()
  })
})
