import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Session } from '../../src/client/session.ts'
import { OutcomeUnknownError } from '../../src/errors.ts'
import { FakeCluster, Outcome, result } from './support.ts'

describe('Session', () => {
  it('numbers writes from 1', () => {
    const session = new Session(7)
    assert.equal(session.firstUnacked, 1)
    assert.deepEqual([session.take(), session.take(), session.take()], [1, 2, 3])
    assert.equal(session.firstUnacked, 1)
  })

  it('moves firstUnacked up to the lowest sequence that is awaited', () => {
    const session = new Session(7)
    for (let count = 0; count < 4; count++) session.take()
    session.settle(2)
    assert.equal(session.firstUnacked, 1)
    session.settle(1)
    assert.equal(session.firstUnacked, 3)
    session.settle(4)
    assert.equal(session.firstUnacked, 3)
    session.settle(3)
    assert.equal(session.firstUnacked, 5)
    assert.equal(session.take(), 5)
    assert.equal(session.firstUnacked, 5)
  })

  it('is full when the window is, whatever was answered behind the first', () => {
    const session = new Session(7)
    for (let count = 0; count < Session.WINDOW; count++) {
      assert.equal(session.full, false)
      session.take()
    }
    assert.equal(session.full, true)
    for (let sequence = 2; sequence <= Session.WINDOW; sequence++) session.settle(sequence)
    assert.equal(session.full, true)
    session.settle(1)
    assert.equal(session.full, false)
    assert.equal(session.firstUnacked, Session.WINDOW + 1)
  })

  it('stays right over many turns of the window', () => {
    const session = new Session(7)
    const awaited: number[] = []
    let seed = 1
    for (let step = 0; step < 20_000; step++) {
      seed = (seed * 48_271) % 2_147_483_647
      if (awaited.length > 0 && (seed % 2 === 0 || session.full)) {
        session.settle(awaited.splice(seed % awaited.length, 1)[0]!)
      } else {
        awaited.push(session.take())
      }
      if (awaited.length > 0) assert.equal(session.firstUnacked, Math.min(...awaited))
    }
  })
})

describe("a client's session", () => {
  it('keeps writes beyond the window back until there is room', async () => {
    const cluster = new FakeCluster()
    const { clock, n1 } = cluster
    const client = cluster.client({ timeoutMs: 60_000 })
    void client.put('warm', '')
    await clock.advance(20)
    n1.frames.length = 0
    n1.handler = () => undefined
    const puts = Array.from({ length: 3000 }, (_, index) => new Outcome(client.put(`k${index}`, '')))
    await clock.advance(20)
    assert.equal(n1.requests.length, 2048)
    // Others than the first may be answered without making room.
    const answer = (ids: number[]) =>
      n1.answer(...ids.map((id) => [id, result({ revision: 1, succeeded: true })] as [number, never]))
    const ids = n1.requests.map(({ id }) => id)
    answer(ids.slice(1))
    await clock.advance(20)
    assert.equal(n1.requests.length, 2048)
    answer(ids.slice(0, 1))
    await clock.advance(20)
    assert.equal(n1.requests.length, 3000)
    assert.equal(n1.commands.at(-1)!.firstUnacked, 2050)
    answer(n1.requests.slice(2048).map(({ id }) => id))
    await clock.advance(20)
    assert.ok(puts.every((put) => put.value))
  })

  it('no longer waits for a write that its caller gave up', async () => {
    const cluster = new FakeCluster()
    const { clock, n1 } = cluster
    const client = cluster.client()
    void client.put('warm', '')
    await clock.advance(20)
    n1.handler = () => undefined
    const put = new Outcome(client.put('lost', '', { timeoutMs: 100 }))
    await clock.advance(110)
    assert.ok(put.error instanceof OutcomeUnknownError)
    n1.handler = n1.defaultHandler
    void client.put('next', '')
    await clock.advance(20)
    const { sequence, firstUnacked } = n1.commands.at(-1)!
    assert.deepEqual({ sequence, firstUnacked }, { sequence: 3, firstUnacked: 3 })
  })

  it('is opened once for all that wait for it, and again where the answer was lost', async () => {
    const cluster = new FakeCluster()
    const { clock, n1 } = cluster
    n1.handler = () => undefined
    const client = cluster.client()
    const puts = ['a', 'b'].map((key) => new Outcome(client.put(key, '')))
    await clock.advance(20)
    assert.deepEqual(
      n1.requests.map(({ body }) => body.type),
      ['openSession'],
    )
    n1.handler = n1.defaultHandler
    n1.breakStreams()
    await clock.advance(500)
    assert.ok(puts.every((put) => put.value))
    assert.equal(cluster.store.sessions.size, 1)
  })

  it('is not opened for reads', async () => {
    const cluster = new FakeCluster()
    void cluster.client().get('k')
    await cluster.clock.advance(20)
    assert.deepEqual(
      cluster.n1.requests.map(({ body }) => body.type),
      ['read'],
    )
  })
})
