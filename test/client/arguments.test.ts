import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BalsaClient } from '../../src/client/client.ts'
import { InvalidArgumentError } from '../../src/errors.ts'
import { FakeCluster, Outcome } from './support.ts'

const MEBIBYTE = 1024 * 1024

describe('arguments', () => {
  const cluster = new FakeCluster()
  const client = cluster.client()
  const many = (count: number, size: number) =>
    Array.from({ length: count }, (_, index) => [`k${index}`, new Uint8Array(size)] as const)

  const wrong: [string, () => Promise<unknown>, RegExp][] = [
    ['an empty key', () => client.put('', 'v'), /at least one byte/],
    ['a key above 4 KiB', () => client.get('k'.repeat(4097)), /at most 4096 bytes, this one has 4097/],
    ['a key whose UTF-8 is above 4 KiB', () => client.get('ü'.repeat(2049)), /this one has 4098/],
    ['a key that is a number', () => client.get(5 as never), /string or a Uint8Array, not number/],
    ['a key that is null', () => client.delete(null as never), /not null/],
    ['a value above 1 MiB', () => client.put('k', new Uint8Array(MEBIBYTE + 1)), /at most 1048576 bytes/],
    ['a value that is missing', () => client.put('k', undefined as never), /not undefined/],
    ['a request above 4 MiB', () => client.putMany(many(4, MEBIBYTE)), /at most 4194304 bytes/],
    ['keys above 4 MiB', () => client.getMany(Array<string>(1024).fill('k'.repeat(4096))), /at most 4194304/],
    [
      'more keys than a request may have',
      () => client.getMany(Array<string>(10_001).fill('k')),
      /10000 keys/,
    ],
    ['more pairs than a request may have', () => client.putMany(many(10_001, 1)), /10000 pairs/],
    ['no pairs', () => client.putMany([]), /at least one/],
    ['something else than pairs', () => client.putMany([['k']] as never), /pairs/],
    [
      'the same key twice, however it is written',
      () =>
        client.putMany([
          ['k', '1'],
          [Buffer.from('k'), '2'],
        ]),
      /"k" twice/,
    ],
    ['keys that are no array', () => client.getMany('k' as never), /array/],
    ['no condition', () => client.cas('k', {} as never, 'v'), /exactly one condition/],
    ['two conditions', () => client.cas('k', { value: 'v', absent: true } as never, 'w'), /exactly one/],
    ['a condition that is no object', () => client.cas('k', undefined as never, 'v'), /takes a condition/],
    ['absent: false', () => client.cas('k', { absent: false as never }, 'v'), /only be true/],
    ['modRevision 0', () => client.cas('k', { modRevision: 0 }, 'v'), /from 1, not 0/],
    ['modRevision above 2^53 - 1', () => client.cas('k', { modRevision: 2 ** 53 }, 'v'), /from 1/],
    ['a time-out of 0', () => client.get('k', { timeoutMs: 0 }), /above 0/],
    ['a time-out of NaN', () => client.put('k', 'v', { timeoutMs: NaN }), /not NaN/],
    ['an infinite time-out', () => client.put('k', 'v', { timeoutMs: Infinity }), /at most 2147483647/],
    ['a time-out in words', () => client.status({ timeoutMs: '5s' as never }), /not 5s/],
    ['another consistency', () => client.get('k', { consistency: 'best' as never }), /not best/],
  ]
  for (const [what, call, message] of wrong) {
    it(`refuses ${what} before anything is sent`, async () => {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof InvalidArgumentError)
        assert.equal(error.outcomeUnknown, false)
        assert.match(error.message, message)
        return true
      })
      assert.deepEqual(cluster.dials, [])
    })
  }

  it('keeps to the limits that it is given, where the nodes have others', async () => {
    const cluster = new FakeCluster()
    const limits = { maxKeyBytes: 2, maxValueBytes: 2 * MEBIBYTE }
    const client = cluster.client({ limits })
    await assert.rejects(client.get('key'), /at most 2 bytes, this one has 3/)
    const put = new Outcome<unknown>(client.put('k', new Uint8Array(2 * MEBIBYTE)))
    await cluster.clock.advance(50)
    assert.ok(put.value, put.error?.message)
    for (const maxKeyBytes of [0, 1.5, NaN, '5' as never]) {
      assert.throws(() => cluster.client({ limits: { maxKeyBytes } }), /maxKeyBytes must be a whole number/)
    }
  })

  it('holds every kind of request to the largest one, also where single values may be larger', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client({ limits: { maxValueBytes: 8 * MEBIBYTE } })
    const half = new Uint8Array(2 * MEBIBYTE)
    for (const call of [
      client.put('k', new Uint8Array(4 * MEBIBYTE)),
      client.cas('k', { value: half }, half),
      client.putMany([
        ['a', half],
        ['b', half],
      ]),
    ]) {
      await assert.rejects(call, /at most 4194304 bytes, this one has about 4194[34]\d\d: split it/)
    }
    assert.deepEqual(cluster.dials, [])
  })

  it('takes no limits above what a node can be set to: what is larger would break the connection', () => {
    const cluster = new FakeCluster()
    const most = 12 * MEBIBYTE
    for (const name of ['maxKeyBytes', 'maxValueBytes', 'maxRequestBytes']) {
      cluster.client({ limits: { [name]: most } })
      assert.throws(
        () => cluster.client({ limits: { [name]: most + 1 } }),
        /from 1 to 12582912, not 12582913/,
      )
    }
  })

  it('takes what is just within the limits', async () => {
    const cluster = new FakeCluster()
    const client = cluster.client()
    const calls = [
      new Outcome<unknown>(client.put('k'.repeat(4096), new Uint8Array(MEBIBYTE))),
      new Outcome<unknown>(client.putMany(many(3, MEBIBYTE))),
      new Outcome<unknown>(client.putMany(many(10_000, 1))),
      new Outcome<unknown>(client.getMany(many(10_000, 1).map(([key]) => key))),
      new Outcome<unknown>(client.put('k', '')),
    ]
    await cluster.clock.advance(50)
    for (const call of calls) assert.ok(call.value, call.error?.message)
  })

  it('refuses endpoints that are none', () => {
    for (const endpoints of [
      [],
      ['host'],
      ['host:0'],
      ['host:65536'],
      ['http://host:1'],
      ['a b:1'],
      [':1'],
      [7],
    ]) {
      assert.throws(() => new BalsaClient({ endpoints: endpoints as string[] }), InvalidArgumentError)
    }
    assert.throws(() => new BalsaClient({ endpoints: 'a:1' as never }), /array/)
    assert.throws(() => new BalsaClient({ endpoints: ['a:1'], timeoutMs: -1 }), InvalidArgumentError)
  })

  it('takes names, IPv4 and IPv6 addresses as endpoints', () => {
    new BalsaClient({ endpoints: ['localhost:7001', '127.0.0.1:1', '[::1]:65535', 'a-b.example:80'] })
  })
})
