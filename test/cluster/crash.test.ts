import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BalsaError } from '../../src/index.ts'
import { TestCluster } from './support/cluster.ts'
import { Writer } from './support/writer.ts'

describe('kill -9', () => {
  it('of the leader during a stream of writes: every acknowledged write is there, each applied once', async () => {
    await using cluster = await TestCluster.start()
    const writer = new Writer(cluster.client(), { prefix: 'w', inFlight: 32 })
    await writer.more(200)
    for (let round = 0; round < 2; round++) {
      const term = await cluster.term()
      const leader = await cluster.leader()
      await leader.kill()
      await cluster.leader(term)
      await writer.more(200)
      leader.start()
      await writer.more(200)
    }
    await writer.stop()
    assert.deepEqual(writer.failed, [], 'the client finds the new leader by itself')
    assert.deepEqual(writer.unknown, [], 'a retry within a session tells what became of the write')
    await cluster.converged()
    await writer.verify(cluster.client())
  })

  it('of the leader is noticed by its links: the others do not sit out an election time-out', async () => {
    await using cluster = await TestCluster.start({ electionMs: 2500 })
    const client = cluster.client()
    const leader = await cluster.leader()
    await client.put('before', '1')
    await leader.kill()
    const begun = performance.now()
    await client.put('after', '2')
    const took = performance.now() - begun
    assert.ok(took < 2000, `${took} ms without service, with election time-outs of 2.5 to 5 s`)
  })

  it('of all of them costs no election time-out either: nodes that start ask in their turn', async () => {
    const begun = performance.now()
    await using cluster = await TestCluster.start({ electionMs: 20_000 })
    const client = cluster.client()
    await client.put('before', '1')
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    for (const node of cluster.nodes) node.start()
    assert.equal((await client.get('before'))?.text(), '1')
    const took = performance.now() - begun
    assert.ok(took < 20_000, `${took} ms for two starts, with election time-outs of 20 to 40 s`)
  })

  it('of two of three: clear errors within the deadline, stale reads where asked for, and back again', async () => {
    await using cluster = await TestCluster.start()
    const client = cluster.client()
    await client.put('kept', 'value')
    await cluster.converged()
    const [survivor, ...others] = cluster.nodes
    await Promise.all(others.map((node) => node.kill()))
    const alone = cluster.client({ nodes: [survivor!] })

    const failsInTime = async (
      call: () => Promise<unknown>,
      codes: readonly string[],
    ): Promise<BalsaError> => {
      const begun = performance.now()
      const error: unknown = await call().then(
        () => assert.fail('it succeeded without a majority'),
        (reason: unknown) => reason,
      )
      const took = performance.now() - begun
      assert.ok(took < 2500, `it took ${took} ms, with a deadline of 1500`)
      assert.ok(error instanceof BalsaError && codes.includes(error.code), String(error))
      return error
    }
    await failsInTime(
      () => alone.put('new', 'x', { timeoutMs: 1500 }),
      ['OUTCOME_UNKNOWN', 'UNAVAILABLE', 'TIMEOUT'],
    )
    const read = await failsInTime(() => alone.get('kept', { timeoutMs: 1500 }), ['UNAVAILABLE', 'TIMEOUT'])
    assert.match(read.message, /leader|majority|answer/, 'it says why')
    assert.equal((await alone.get('kept', { consistency: 'stale' }))?.text(), 'value')

    for (const node of others) node.start()
    await cluster.leader()
    assert.equal((await client.get('kept'))?.text(), 'value')
    await client.put('again', 'writable')
  })

  it('of all three at once: everything acknowledged is there, empty values too', async () => {
    await using cluster = await TestCluster.start()
    const client = cluster.client()
    await client.put('first', '')
    const writer = new Writer(cluster.client({ timeoutMs: 20_000 }), { prefix: 'all', inFlight: 16 })
    await writer.more(300)
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    for (const node of cluster.nodes) node.start()
    await writer.more(100)
    await writer.stop()
    assert.equal((await client.get('first'))?.value.length, 0)
    await cluster.converged()
    await writer.verify(client)
  })

  it('of a node again and again, at any moment of its start: it continues where it was', async () => {
    await using cluster = await TestCluster.start()
    const writer = new Writer(cluster.client(), { prefix: 's', inFlight: 8 })
    const [victim] = cluster.nodes
    for (let round = 0; round < 8; round++) {
      await writer.more(20)
      await victim!.kill()
      victim!.start()
      await new Promise((resolve) => setTimeout(resolve, 60 * round))
    }
    await writer.stop()
    await cluster.converged()
    await writer.verify(cluster.client())
    assert.ok(!victim!.log.includes('damaged'), victim!.log)
  })
})
