import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  AbortedError,
  InvalidArgumentError,
  OutcomeUnknownError,
  ResourceExhaustedError,
  SessionExpiredError,
  TimeoutError,
  UnavailableError,
} from '../../src/errors.ts'
import { error, FakeCluster, Outcome, result, warmCluster } from './support.ts'

describe('the outcome of a call', () => {
  it('is TIMEOUT, definite, for a read that nobody answers', async () => {
    const { clock, client, n1 } = await warmCluster(500)
    n1.handler = () => undefined
    const get = new Outcome(client.get('k'))
    await clock.advance(499)
    assert.equal(get.settled, false)
    await clock.advance(10)
    assert.ok(get.error instanceof TimeoutError)
    assert.equal(get.error.outcomeUnknown, false)
  })

  it('is OUTCOME_UNKNOWN for a write that was sent and not answered in time', async () => {
    const { clock, client, n1 } = await warmCluster(500)
    n1.handler = () => undefined
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(510)
    assert.ok(put.error instanceof OutcomeUnknownError)
    assert.equal(put.error.outcomeUnknown, true)
  })

  it('is UNAVAILABLE, definite, with the reason, for a write that was never sent', async () => {
    const cluster = new FakeCluster()
    for (const node of cluster.nodes.values()) node.up = false
    const put = new Outcome(cluster.client({ timeoutMs: 300 }).put('k', 'v'))
    await cluster.clock.advance(310)
    assert.ok(put.error instanceof UnavailableError)
    assert.equal(put.error.outcomeUnknown, false)
    assert.match(put.error.message, /refused the connection/)
    assert.match((put.error.cause as Error).message, /refused the connection/)
  })

  it('is UNAVAILABLE, definite, where there is no leader for as long as the call has', async () => {
    const cluster = new FakeCluster()
    cluster.elect(undefined, 1)
    const client = cluster.client({ timeoutMs: 300 })
    const put = new Outcome(client.put('k', 'v'))
    const get = new Outcome(client.get('k'))
    await cluster.clock.advance(310)
    for (const { error } of [put, get]) {
      assert.ok(error instanceof UnavailableError)
      assert.equal(error.outcomeUnknown, false)
      assert.match(error.message, /knows no leader/)
    }
  })

  it('stays definite where every try was refused as not executed', async () => {
    const { clock, client, n1 } = await warmCluster(400)
    n1.handler = () => error('RESOURCE_EXHAUSTED', { notExecuted: true })
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(410)
    assert.ok(n1.requests.length > 2)
    assert.ok(put.error instanceof TimeoutError)
    assert.equal(put.error.outcomeUnknown, false)
    assert.ok(put.error.cause instanceof ResourceExhaustedError)
    assert.match(put.error.message, /RESOURCE_EXHAUSTED/)
  })

  for (const code of ['UNAVAILABLE', 'TIMEOUT', 'OUTCOME_UNKNOWN', 'RESOURCE_EXHAUSTED'] as const) {
    it(`sticks at unknown once a try failed with ${code} and without NOT_EXECUTED`, async () => {
      const { clock, client, n1 } = await warmCluster(400)
      let tries = 0
      n1.handler = () => error(++tries === 1 ? code : 'UNAVAILABLE', { notExecuted: tries > 1 })
      const put = new Outcome(client.put('k', 'v'))
      await clock.advance(410)
      assert.ok(tries > 1)
      assert.ok(put.error instanceof OutcomeUnknownError)
      assert.ok(put.error.cause instanceof UnavailableError)
    })
  }

  it('sticks at unknown over a lost connection, whatever the later tries say', async () => {
    const { cluster, clock, client, n1 } = await warmCluster(1000)
    n1.handler = () => undefined
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(5)
    cluster.elect(undefined, 1)
    n1.breakStreams()
    await clock.advance(1100)
    assert.ok(put.error instanceof OutcomeUnknownError)
    assert.match(put.error.message, /knows no leader/)
  })

  it('sticks at unknown where a later try is refused for good', async () => {
    const { clock, client, n1 } = await warmCluster()
    let tries = 0
    n1.handler = () =>
      ++tries === 1 ? error('UNAVAILABLE') : error('INVALID_ARGUMENT', { notExecuted: true })
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(200)
    assert.equal(tries, 2)
    assert.ok(put.error instanceof OutcomeUnknownError)
    assert.ok(put.error.cause instanceof InvalidArgumentError)
  })

  for (const code of ['INVALID_ARGUMENT', 'COMPACTED', 'DAMAGED'] as const) {
    it(`ends at once with ${code}`, async () => {
      const { clock, client, n1 } = await warmCluster()
      n1.handler = () => error(code, { notExecuted: true })
      const put = new Outcome(client.put('k', 'v'))
      const get = new Outcome(client.get('k'))
      await clock.advance(10)
      assert.equal(n1.requests.length, 2)
      for (const outcome of [put, get]) {
        assert.equal((outcome.error as InvalidArgumentError).code, code)
        assert.equal((outcome.error as InvalidArgumentError).outcomeUnknown, false)
      }
    })
  }

  it('is told once, however often the node answers', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.handler = () => undefined
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(5)
    const { id } = n1.requests[0]!
    n1.answer([id, result({ revision: 5, succeeded: true })], [id, error('UNAVAILABLE')])
    n1.answer([id, result({ revision: 6, succeeded: true })])
    await clock.advance(50)
    assert.deepEqual(put.value, { revision: 5 })
    assert.equal(put.times, 1)
    assert.equal(n1.requests.length, 1)
  })

  it('is that of the next try where the node takes an error back', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.handler = () => undefined
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(5)
    n1.handler = n1.defaultHandler
    const { id } = n1.requests[0]!
    n1.answer([id, error('UNAVAILABLE')], [id, result({ revision: 99, succeeded: true })])
    await clock.advance(100)
    assert.deepEqual(put.value, { revision: 2 })
    assert.equal(put.times, 1)
  })

  it('takes an answer that is already here, though the deadline passed while this process was held up', async () => {
    const { clock, client, n1 } = await warmCluster(500)
    n1.handler = () => undefined
    const answer = (): void => n1.answerNow([n1.requests[0]!.id, result({ revision: 3, succeeded: true })])
    clock.after(500, () => clock.soon(answer))
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(510)
    assert.deepEqual(put.value, { revision: 3 })
  })

  it('has one timer for all deadlines', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.handler = () => undefined
    const before = clock.timerCount
    for (let timeoutMs = 1000; timeoutMs > 500; timeoutMs--) void new Outcome(client.get('k', { timeoutMs }))
    // One for all deadlines; and one that watches the node's silence, once a first frame is full and sent.
    assert.ok(clock.timerCount <= before + 2, `${clock.timerCount - before} timers for 500 calls`)
  })

  it('ignores an answer that comes after the deadline', async () => {
    const { clock, client, n1 } = await warmCluster(100)
    n1.handler = () => undefined
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(110)
    n1.answer([n1.requests[0]!.id, result({ revision: 5, succeeded: true })])
    await clock.advance(50)
    assert.ok(put.error instanceof OutcomeUnknownError)
    assert.equal(put.times, 1)
  })

  it('keeps each call to its own deadline', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.handler = () => undefined
    const calls = [700, 50, 300].map((timeoutMs) => new Outcome(client.get('k', { timeoutMs })))
    const ends: number[] = []
    const start = clock.now()
    for (let at = 0; at < 800; at += 10) {
      await clock.advance(10)
      for (const [index, call] of calls.entries()) if (call.settled) ends[index] ??= clock.now() - start
    }
    assert.deepEqual(ends, [700, 50, 300])
  })
})

describe('a call that its caller ends', () => {
  it('is ABORTED where the signal was set before, and nothing is sent', async () => {
    const { clock, client, n1 } = await warmCluster()
    const put = new Outcome(client.put('k', 'v', { signal: AbortSignal.abort('why') }))
    await clock.advance(50)
    assert.ok(put.error instanceof AbortedError)
    assert.equal(put.error.cause, 'why')
    assert.equal(n1.requests.length, 0)
  })

  it('is ABORTED and never sent where it still waited', async () => {
    const { clock, client, n1 } = await warmCluster()
    const control = new AbortController()
    const put = new Outcome(client.put('k', 'v', { signal: control.signal }))
    control.abort()
    await clock.advance(50)
    assert.ok(put.error instanceof AbortedError)
    assert.equal(put.error.outcomeUnknown, false)
    assert.equal(n1.requests.length, 0)
  })

  it('is OUTCOME_UNKNOWN for a write that was sent, ABORTED for a read', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.handler = () => undefined
    const control = new AbortController()
    const put = new Outcome(client.put('k', 'v', { signal: control.signal }))
    const get = new Outcome(client.get('k', { signal: control.signal }))
    await clock.advance(5)
    control.abort()
    await clock.settle()
    assert.ok(put.error instanceof OutcomeUnknownError)
    assert.ok(get.error instanceof AbortedError)
  })

  it('lets go of the signal when it ends', async () => {
    const { clock, client } = await warmCluster()
    const control = new AbortController()
    let listeners = 0
    const { signal } = control
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args))
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args))
    const put = new Outcome(client.put('k', 'v', { signal }))
    assert.equal(listeners, 1)
    await clock.advance(20)
    assert.ok(put.value)
    assert.equal(listeners, 0)
  })
})

describe('a session that has expired', () => {
  it('is replaced without a word where the write cannot have been applied', async () => {
    const { cluster, clock, client, n1 } = await warmCluster()
    cluster.store.sessions.clear()
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(50)
    assert.deepEqual(put.value, { revision: 2 })
    assert.deepEqual(cluster.store.applied, ['102/1'])
    assert.deepEqual(
      n1.commands.map(({ session, sequence }) => [session, sequence]),
      [
        [101, 2],
        [102, 1],
      ],
    )
  })

  it('is replaced once for all writes that waited for it', async () => {
    const { cluster, clock, client, n1 } = await warmCluster()
    cluster.store.sessions.clear()
    const puts = ['a', 'b', 'c'].map((key) => new Outcome(client.put(key, 'v')))
    await clock.advance(50)
    assert.ok(puts.every((put) => put.value !== undefined))
    assert.equal(n1.requests.filter(({ body }) => body.type === 'openSession').length, 1)
    assert.deepEqual(cluster.store.applied, ['102/1', '102/2', '102/3'])
  })

  it('is SESSION_EXPIRED with an unknown outcome where an earlier try may have been applied', async () => {
    const { cluster, clock, client, n1 } = await warmCluster()
    n1.handler = () => undefined
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(5)
    cluster.store.sessions.clear()
    n1.handler = n1.defaultHandler
    n1.breakStreams()
    await clock.advance(500)
    assert.ok(put.error instanceof SessionExpiredError)
    assert.equal(put.error.outcomeUnknown, true)
    assert.deepEqual(cluster.store.applied, [])
  })

  it('is SESSION_EXPIRED where the node does not say that the write was not executed', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.handler = () => error('SESSION_EXPIRED')
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(50)
    assert.ok(put.error instanceof SessionExpiredError)
    assert.equal(put.error.outcomeUnknown, true)
    assert.equal(n1.requests.length, 1)
  })

  it('never repeats a write of unknown outcome under the new session that another write opened', async () => {
    const { cluster, clock, client, n1 } = await warmCluster()
    // The first write's answer is lost; the leader goes; a second write finds that the session is gone.
    let lose = true
    n1.handler = (request) => (lose ? undefined : n1.serve(request))
    const first = new Outcome(client.put('first', 'v'))
    await clock.advance(5)
    lose = false
    cluster.store.sessions.clear()
    const second = new Outcome(client.put('second', 'v'))
    await clock.advance(50)
    assert.ok(second.value)
    n1.breakStreams()
    await clock.advance(500)
    assert.ok(first.error instanceof SessionExpiredError)
    assert.equal(first.error.outcomeUnknown, true)
    assert.deepEqual(cluster.store.applied, ['102/1'])
  })

  it('does not keep the client busy where no session lives', async () => {
    const { clock, client, n1 } = await warmCluster(2000)
    n1.handler = (request) =>
      request.body.type === 'openSession'
        ? result({ session: 999 })
        : error('SESSION_EXPIRED', { notExecuted: true })
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(2100)
    assert.ok(put.error instanceof TimeoutError)
    assert.ok(n1.requests.length < 40, `${n1.requests.length} requests`)
  })
})
