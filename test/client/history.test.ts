import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CompactedError, InvalidArgumentError } from '../../src/errors.ts'
import { error, FakeCluster, Outcome, result } from './support.ts'

describe('history through the client', () => {
  it('a read asks for the revision that it is given, each kind of read', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client()
    const asked: [number, string][] = []
    cluster.n1.handler = (request) => {
      if (request.body.type !== 'read') return cluster.store.run(request)
      const { keys, revision, consistency } = request.body
      asked.push([revision, consistency])
      return { type: 'read', revision, entries: keys.map(() => undefined) }
    }
    const past = new Outcome(client.read(['k'], { revision: 5 }))
    const outcomes = [
      past,
      new Outcome(client.get('k', { revision: 2 ** 40 })),
      new Outcome(client.getMany(['k'], { revision: 7, consistency: 'stale' })),
      new Outcome(client.get('k')),
    ]
    await cluster.clock.advance(50)
    for (const outcome of outcomes) assert.ok(outcome.settled && outcome.error === undefined)
    assert.deepEqual(
      asked.sort(([a], [b]) => a - b),
      [
        [0, 'linearizable'],
        [5, 'linearizable'],
        [7, 'stale'],
        [2 ** 40, 'linearizable'],
      ],
    )
    assert.equal(past.value!.revision, 5)
  })

  it('what is compacted away is an error that tells the oldest revision, and is not tried again', async () => {
    const cluster = new FakeCluster()
    let tries = 0
    cluster.n1.handler = (request) => {
      if (request.body.type !== 'read') return cluster.store.run(request)
      tries++
      return error('COMPACTED', { oldestRevision: 12, notExecuted: true })
    }
    const got = new Outcome(cluster.client().get('k', { revision: 5 }))
    await cluster.clock.advance(50)
    assert.ok(got.error instanceof CompactedError)
    assert.equal(got.error.oldestRevision, 12)
    assert.equal(got.error.outcomeUnknown, false)
    assert.equal(tries, 1)
  })

  it('compacts as a write of its session', async () => {
    const cluster = new FakeCluster()
    cluster.n1.handler = (request) =>
      request.body.type === 'command' ? result({ revision: 9, succeeded: true }) : cluster.store.run(request)
    const compacted = new Outcome(cluster.client().compact(4))
    await cluster.clock.advance(50)
    assert.deepEqual(compacted.value, { revision: 9 })
    const [command] = cluster.n1.commands
    assert.deepEqual(command!.operation, { type: 'compact', revision: 4 })
    assert.ok(command!.session > 0 && command!.sequence === 1)
  })

  it('a compaction to the future is refused, and did not happen', async () => {
    const cluster = new FakeCluster()
    cluster.n1.handler = (request) =>
      request.body.type === 'command' ? result({ revision: 9, succeeded: false }) : cluster.store.run(request)
    const compacted = new Outcome(cluster.client().compact(10))
    await cluster.clock.advance(50)
    assert.ok(compacted.error instanceof InvalidArgumentError)
    assert.match(compacted.error.message, /revision 10 is in the future: the store is at revision 9/)
    assert.equal(compacted.error.outcomeUnknown, false)
  })

  it('a revision is a whole number from 1', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client()
    for (const wrong of [0, -1, 1.5, 2 ** 53, Number.NaN, '5' as unknown as number]) {
      await assert.rejects(client.get('k', { revision: wrong }), InvalidArgumentError, String(wrong))
      await assert.rejects(client.compact(wrong), InvalidArgumentError, String(wrong))
    }
  })
})
