import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeCluster, Outcome, result } from './support.ts'

describe('BalsaClient', () => {
  it('connects to nothing before the first call', async () => {
    const cluster = new FakeCluster()
    cluster.client()
    await cluster.clock.advance(10_000)
    assert.deepEqual(cluster.dials, [])
  })

  it('puts and gets, text as UTF-8 and bytes as they are', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client()
    const put = new Outcome(client.put('grüß', new Uint8Array([0, 255])))
    await cluster.clock.advance(20)
    assert.deepEqual(put.value, { revision: 1 })
    const got = new Outcome(client.getMany(['grüß', 'missing']))
    await cluster.clock.advance(20)
    const [found, missing] = got.value!
    assert.deepEqual([...found!.key], [...Buffer.from('grüß')])
    assert.deepEqual([...found!.value], [0, 255])
    assert.equal(found!.createRevision, 1)
    assert.equal(found!.modRevision, 1)
    assert.equal(found!.version, 1)
    assert.equal(missing, undefined)
    const one = new Outcome(client.get(Buffer.from('grüß')))
    const none = new Outcome(client.get('missing'))
    const read = new Outcome(client.read(['grüß']))
    await cluster.clock.advance(20)
    assert.equal(one.value!.text(), '\0\ufffd')
    assert.ok(none.settled && none.value === undefined && none.error === undefined)
    assert.equal(read.value!.revision, 1)
    assert.equal(read.value!.entries.length, 1)
  })

  it('hands on what the store answers to delete, cas and putMany', async () => {
    const cluster = new FakeCluster()
    const current = {
      key: Buffer.from('k'),
      value: Buffer.from('other'),
      createRevision: 3,
      modRevision: 5,
      version: 2,
      lease: 0,
    }
    const answers = new Map([
      ['delete', result({ revision: 7, succeeded: true })],
      ['cas', result({ revision: 8, succeeded: false, current })],
      ['putMany', result({ revision: 9, succeeded: true })],
    ])
    cluster.n1.handler = (request) => {
      if (request.body.type !== 'command') return cluster.store.run(request)
      return answers.get(cluster.n1.commands.at(-1)!.operation.type)
    }
    const client = cluster.client()
    const outcomes: unknown[] = []
    for (const call of [
      () => client.delete('k'),
      () => client.cas('k', { value: 'v' }, 'new'),
      () =>
        client.putMany([
          ['a', '1'],
          ['b', ''],
        ]),
    ]) {
      const outcome = new Outcome<unknown>(call())
      await cluster.clock.advance(20)
      outcomes.push(outcome.value)
    }
    const [deleted, swapped, many] = outcomes as [unknown, { current: { text(): string } }, unknown]
    assert.deepEqual(deleted, { deleted: true, revision: 7 })
    assert.equal(swapped.current.text(), 'other')
    assert.deepEqual(
      { ...swapped, current: undefined },
      { succeeded: false, revision: 8, current: undefined },
    )
    assert.deepEqual(many, { revision: 9 })
    const [remove, cas, putMany] = cluster.n1.commands.map((command) => command.operation)
    assert.equal(remove?.type, 'delete')
    assert.ok(cas?.type === 'cas' && cas.expected.type === 'value')
    assert.ok(putMany?.type === 'putMany' && putMany.puts.length === 2)
  })

  it('sends what is called in one turn in one frame', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client()
    void client.put('warm', 'up')
    await cluster.clock.advance(20)
    cluster.n1.frames.length = 0
    const calls = Array.from({ length: 100 }, (_, index) => client.put(`k${index}`, 'v'))
    calls.push(client.get('warm') as never)
    await cluster.clock.advance(20)
    await Promise.all(calls)
    assert.deepEqual(
      cluster.n1.frames.map((frame) => frame.length),
      [101],
    )
  })

  it('cuts frames at 32 KiB, and does not wait for the end of the turn with more than that', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client()
    void client.put('warm', 'up')
    await cluster.clock.advance(20)
    cluster.n1.frames.length = 0
    const value = new Uint8Array(12 * 1024)
    const calls = Array.from({ length: 6 }, (_, index) => client.put(`k${index}`, value))
    await cluster.clock.advance(20)
    await Promise.all(calls)
    assert.deepEqual(
      cluster.n1.frames.map((frame) => frame.length),
      [2, 1, 2, 1],
    )
  })

  it('copies the bytes that it is given', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client()
    const value = Buffer.from('before')
    const put = new Outcome(client.put('k', value))
    value.write('after!')
    await cluster.clock.advance(20)
    assert.deepEqual(put.value, { revision: 1 })
    assert.equal(Buffer.from(cluster.store.entries.get('k')!.value).toString(), 'before')
  })

  it('numbers writes from 1 in one session, and tells the lowest sequence that is awaited', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client()
    void Promise.all([client.put('a', ''), client.put('b', '')])
    await cluster.clock.advance(20)
    void client.put('c', '')
    await cluster.clock.advance(20)
    assert.deepEqual(
      cluster.n1.commands.map(({ session, sequence, firstUnacked }) => [session, sequence, firstUnacked]),
      [
        [101, 1, 1],
        [101, 2, 1],
        [101, 3, 3],
      ],
    )
  })

  it('is idle between calls: no timer, no request', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client({ timeoutMs: 1000 })
    void client.put('a', '')
    await cluster.clock.advance(20)
    await cluster.clock.advance(2000)
    assert.equal(cluster.clock.timerCount, 0)
    const { length } = cluster.n1.requests
    await cluster.clock.advance(60_000)
    assert.equal(cluster.n1.requests.length, length)
    assert.equal(cluster.n1.openStreams, 1)
  })

  it('does not reconnect while nobody calls, and does when somebody does', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client()
    void client.put('a', '')
    await cluster.clock.advance(20)
    cluster.n1.breakStreams()
    const dials = cluster.dials.length
    await cluster.clock.advance(60_000)
    assert.equal(cluster.dials.length, dials)
    const get = new Outcome(client.get('a'))
    await cluster.clock.advance(20)
    assert.ok(get.settled && get.error === undefined)
  })
})
