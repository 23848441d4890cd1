import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OutcomeUnknownError, UnavailableError } from '../../src/errors.ts'
import { error, FakeCluster, Outcome, warmCluster } from './support.ts'

describe('backing off', () => {
  it('pauses longer and longer, half a second at most, with jitter', async () => {
    for (const [random, most] of [
      [0, 250],
      [0.999, 500],
    ] as const) {
      const cluster = new FakeCluster()
      for (const node of cluster.nodes.values()) node.up = false
      const client = cluster.client({ timeoutMs: 20_000, endpoints: ['a:1'] }, () => random)
      void new Outcome(client.get('k'))
      await cluster.clock.advance(5000)
      const pauses = cluster.dials
        .map(({ at }, index) => at - (cluster.dials[index - 1]?.at ?? 0) - 1)
        .slice(1)
      assert.ok(pauses[0]! >= 10 && pauses[0]! <= 20, `${pauses[0]}`)
      for (const [index, pause] of pauses.entries()) {
        assert.ok(pause <= most + 0.01, `${pause}`)
        assert.ok(index === 0 || pause >= pauses[index - 1]! - 0.01)
      }
      assert.ok(Math.abs(pauses.at(-1)! - most) < 1)
    }
  })

  it('starts from the beginning after something was served', async () => {
    const { cluster, clock, client, n1 } = await warmCluster(60_000)
    cluster.elect(undefined, 1)
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(5000)
    cluster.elect(n1, 2)
    await clock.advance(600)
    assert.ok(put.value)
    cluster.elect(undefined, 2)
    cluster.dials.length = 0
    void new Outcome(client.put('k', 'w'))
    await clock.advance(30)
    assert.ok(cluster.dials.length > 0)
  })

  it('holds everything back while the node is overloaded, then sends it again', async () => {
    const { clock, client, n1 } = await warmCluster()
    let busy = true
    n1.handler = (request) => (busy ? error('RESOURCE_EXHAUSTED', { notExecuted: true }) : n1.serve(request))
    const puts = Array.from({ length: 100 }, (_, index) => new Outcome(client.put(`k${index}`, 'v')))
    await clock.advance(1000)
    assert.ok(n1.frames.length < 10, `${n1.frames.length} frames`)
    busy = false
    await clock.advance(520)
    assert.ok(puts.every((put) => put.value))
  })

  it('holds back what does not leave, until it has left', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.congest(9 * 1024 * 1024)
    const put = new Outcome(client.put('k', 'v'))
    const get = new Outcome(client.get('warm'))
    await clock.advance(50)
    assert.equal(n1.requests.length, 0)
    n1.congest(0)
    await clock.advance(5)
    assert.ok(put.value && get.value)
  })

  it('does not run in circles with a node that breaks every stream', async () => {
    const cluster = new FakeCluster()
    const { clock, n1 } = cluster
    const client = cluster.client({ endpoints: ['a:1'], timeoutMs: 2000 })
    void client.put('warm', 'up')
    await clock.advance(20)
    n1.handler = () => (clock.soon(() => n1.breakStreams()), undefined)
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(2100)
    assert.ok(put.error instanceof OutcomeUnknownError)
    assert.ok(cluster.dials.length < 60, `${cluster.dials.length} connections`)
  })
})

describe('stale reads', () => {
  it('work without a leader, through any node that can be reached', async () => {
    const { cluster, clock, client, n1, n2 } = await warmCluster(1000)
    n1.kill()
    n2.kill()
    cluster.elect(undefined, 1)
    const stale = new Outcome(client.get('warm', { consistency: 'stale' }))
    const linearizable = new Outcome(client.get('warm'))
    await clock.advance(100)
    assert.equal(stale.value?.text(), 'up')
    assert.equal(linearizable.settled, false)
    // While the search for a leader goes on, each of them is answered at once.
    for (let count = 0; count < 10; count++) {
      const next = new Outcome(client.get('warm', { consistency: 'stale' }))
      await clock.advance(10)
      assert.ok(next.value)
    }
    await clock.advance(1000)
    assert.ok(linearizable.error instanceof UnavailableError)
  })

  it('do not need the leader that a follower names', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client({ endpoints: ['b:1'] })
    const stale = new Outcome(client.get('k', { consistency: 'stale' }))
    await cluster.clock.advance(10)
    assert.ok(stale.settled && stale.error === undefined)
    assert.equal(cluster.n2.requests.length, 1)
    assert.deepEqual(
      cluster.dials.map(({ endpoint }) => endpoint),
      ['b:1'],
    )
  })

  it('go elsewhere where a node refuses them', async () => {
    const { cluster, clock, client, n1 } = await warmCluster()
    n1.handler = () => error('UNAVAILABLE', { message: 'shutting down' })
    n1.leader = undefined
    const stale = new Outcome(client.get('warm', { consistency: 'stale' }))
    await clock.advance(600)
    assert.equal(stale.value?.text(), 'up')
    assert.ok(cluster.n2.requests.length + cluster.n3.requests.length > 0)
  })

  it('rests for a moment, and not for good, where it was asked to while it looked for the leader', async () => {
    const { cluster, clock, client, n1, n2, n3 } = await warmCluster()
    cluster.elect(undefined, 1)
    for (const node of [n1, n2, n3]) node.leader = undefined
    n1.kill()
    const write = new Outcome(client.put('k', 'v', { timeoutMs: 1200 }))
    await clock.advance(300)
    const used = [n2, n3].find(({ openStreams }) => openStreams > 0)!
    const other = used === n2 ? n3 : n2
    other.silent = true
    await clock.advance(600)
    let busy = true
    used.handler = (request) =>
      busy ? error('RESOURCE_EXHAUSTED', { notExecuted: true }) : used.serve(request)
    const refused = new Outcome(client.get('k', { consistency: 'stale', timeoutMs: 400 }))
    await clock.advance(2500)
    assert.ok(write.error)
    assert.ok(refused.error)
    busy = false
    const read = new Outcome(client.get('k', { consistency: 'stale' }))
    await clock.advance(600)
    assert.equal(read.error, undefined)
    assert.ok(read.settled, 'it is asked again')
  })
})
