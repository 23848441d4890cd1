import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AbortedError, OutcomeUnknownError } from '../../src/errors.ts'
import { FakeCluster, Outcome, warmCluster } from './support.ts'

describe('close', () => {
  it('ends the session and leaves nothing open', async () => {
    const { cluster, clock, client, n1 } = await warmCluster()
    const closed = new Outcome(client.close())
    await clock.advance(10)
    assert.ok(closed.settled)
    assert.equal(cluster.store.sessions.size, 0)
    assert.equal(n1.openStreams, 0)
    assert.equal(clock.timerCount, 0)
  })

  it('waits half a second for the end of the session, not longer', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.silent = true
    const closed = new Outcome(client.close())
    await clock.advance(499)
    assert.equal(closed.settled, false)
    await clock.advance(2)
    assert.ok(closed.settled)
    assert.equal(n1.openStreams, 0)
    assert.equal(clock.timerCount, 0)
  })

  it('does not wait for a node that goes meanwhile', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.silent = true
    const closed = new Outcome(client.close())
    await clock.advance(5)
    n1.kill()
    await clock.advance(5)
    assert.ok(closed.settled)
    assert.equal(clock.timerCount, 0)
  })

  it('ends the calls that are under way, each as far as it had come', async () => {
    const { cluster, clock, client, n1 } = await warmCluster()
    n1.handler = () => undefined
    const sent = [new Outcome(client.put('k', 'v')), new Outcome<unknown>(client.get('k'))]
    await clock.advance(5)
    const waiting = new Outcome(client.put('k', 'v'))
    const closed = new Outcome(client.close())
    await clock.advance(10)
    assert.ok(sent[0]!.error instanceof OutcomeUnknownError)
    assert.ok(sent[1]!.error instanceof AbortedError)
    assert.ok(waiting.error instanceof AbortedError)
    assert.ok(closed.settled)
    assert.equal(clock.timerCount, 0)
    assert.deepEqual(
      [...cluster.nodes.values()].map((node) => node.openStreams),
      [0, 0, 0],
    )
  })

  it('stops the search for a leader', async () => {
    const cluster = new FakeCluster()
    for (const node of cluster.nodes.values()) node.up = false
    const client = cluster.client()
    const put = new Outcome(client.put('k', 'v'))
    await cluster.clock.advance(100)
    void client.close()
    await cluster.clock.advance(10)
    assert.ok(put.error instanceof AbortedError)
    const { length } = cluster.dials
    await cluster.clock.advance(10_000)
    assert.equal(cluster.dials.length, length)
    assert.equal(cluster.clock.timerCount, 0)
  })

  it('lets nothing begin afterwards', async () => {
    const { cluster, clock, client } = await warmCluster()
    const both = Promise.all([client.close(), client[Symbol.asyncDispose]()])
    await clock.advance(20)
    await both
    const { length } = cluster.dials
    await assert.rejects(client.put('k', 'v'), AbortedError)
    await assert.rejects(client.get('k'), AbortedError)
    await assert.rejects(client.status(), AbortedError)
    await clock.advance(20)
    assert.equal(cluster.dials.length, length)
  })
})
