import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { TestCluster } from './support/cluster.ts'
import type { TestNode } from './support/cluster.ts'
import { callUnary } from './support/unary.ts'

describe('a cluster of three processes', () => {
  let cluster: TestCluster
  let leader: TestNode
  let follower: TestNode

  before(async () => {
    cluster = await TestCluster.start()
    leader = await cluster.leader()
    follower = cluster.othersThan(leader.id)[0]!
  })
  after(() => cluster[Symbol.asyncDispose]())

  it('puts and gets through every node, whichever leads', async () => {
    for (const node of cluster.nodes) {
      const client = cluster.client({ nodes: [node] })
      const { revision } = await client.put(`through ${node.id}`, node.id)
      const entry = await client.get(`through ${node.id}`)
      assert.equal(entry?.text(), node.id)
      assert.equal(entry.modRevision, revision)
      assert.equal(entry.version, 1)
    }
    const everywhere = await cluster.client().getMany(cluster.nodes.map(({ id }) => `through ${id}`))
    assert.deepEqual(
      everywhere.map((entry) => entry?.text()),
      cluster.nodes.map(({ id }) => id),
    )
  })

  it('deletes, compares and swaps, and puts many under one revision', async () => {
    const client = cluster.client()
    const { revision } = await client.putMany([
      ['many/a', '1'],
      ['many/b', ''],
    ])
    const [a, b] = await client.getMany(['many/a', 'many/b'])
    assert.equal(a?.modRevision, revision)
    assert.equal(b?.modRevision, revision)
    assert.equal(b.value.length, 0, 'an empty value is a value')

    assert.equal((await client.cas('many/a', { value: '2' }, 'x')).succeeded, false)
    assert.equal((await client.cas('many/a', { value: '1' }, '2')).succeeded, true)
    assert.equal((await client.cas('many/a', { modRevision: revision }, 'x')).current?.text(), '2')
    assert.equal((await client.cas('many/c', { absent: true }, 'new')).succeeded, true)
    assert.equal((await client.cas('many/c', { absent: true }, 'again')).succeeded, false)

    assert.equal((await client.delete('many/a')).deleted, true)
    assert.equal((await client.delete('many/a')).deleted, false)
    assert.equal(await client.get('many/a'), undefined)
  })

  it('takes keys and values that are not UTF-8', async () => {
    const client = cluster.client()
    const key = Uint8Array.of(0, 255, 128, 10)
    const value = Uint8Array.from({ length: 1000 }, (_, i) => i % 256)
    await client.put(key, value)
    assert.deepEqual(Buffer.from((await client.get(key))!.value), Buffer.from(value))
  })

  it('answers unary requests at a follower, through the leader', async () => {
    const put = await callUnary(follower.clientAddress, 'Put', {
      key: Buffer.from('u'),
      value: Buffer.from('1'),
    })
    assert.ok('response' in put, JSON.stringify(put))
    const get = await callUnary(follower.clientAddress, 'Get', { key: Buffer.from('u') })
    assert.ok('response' in get, JSON.stringify(get))
    assert.deepEqual((get.response.entry as { value: Buffer }).value, Buffer.from('1'))
    assert.equal(get.response.revision, put.response.revision)
  })

  it('forwards a request once and never again: no loop', async () => {
    const request = { key: Buffer.from('u'), value: Buffer.from('2') }
    const answer = await callUnary(follower.clientAddress, 'Put', request, {
      metadata: { 'balsa-forwarded': '1' },
    })
    assert.ok('detail' in answer, JSON.stringify(answer))
    assert.equal(answer.detail?.code, 'NOT_LEADER')
    assert.equal(answer.detail.notExecuted, true)
    assert.equal(answer.detail.leader?.id, leader.id)
    assert.equal(answer.detail.leader.clientAddress, leader.clientAddress)
  })

  it('refuses what is too large or malformed, in words, before it costs anything', async () => {
    const key = Buffer.from('k')
    const refused = async (method: string, request: object, words: RegExp): Promise<void> => {
      const answer = await callUnary(follower.clientAddress, method, request)
      assert.ok('detail' in answer, JSON.stringify(answer))
      assert.equal(answer.detail?.code, 'INVALID_ARGUMENT')
      assert.equal(answer.detail.notExecuted, true)
      assert.match(answer.detail.message, words)
    }
    await refused('Put', { key: Buffer.alloc(4097), value: key }, /key has 4097 bytes, at most 4096/)
    await refused('Put', { key, value: Buffer.alloc(2 ** 20 + 1) }, /value has 1048577 bytes/)
    await refused('Put', { key: Buffer.alloc(0), value: key }, /at least one byte/)
    await refused('PutMany', { pairs: [] }, /no key/)
    const pair = { key, value: key }
    await refused('PutMany', { pairs: [pair, pair] }, /given twice/)
    await refused('CompareAndSwap', { key, newValue: key }, /no condition/)
    await refused('Put', { key, value: key, header: { session: '9007199254740992' } }, /53 bits/)
    await refused('Put', { key, value: key, header: { session: 1 } }, /sequence/)
  })

  it('tells an unknown session from a known one: its writes are never applied', async () => {
    const header = { session: 999_999, sequence: 1, firstUnacked: 1 }
    const answer = await callUnary(leader.clientAddress, 'Put', {
      key: Buffer.from('orphan'),
      value: Buffer.from('x'),
      header,
    })
    assert.ok('detail' in answer, JSON.stringify(answer))
    assert.equal(answer.detail?.code, 'SESSION_EXPIRED')
    assert.equal(await cluster.client().get('orphan'), undefined)
  })

  it('applies a unary write of a session once, however often it is sent', async () => {
    const opened = await callUnary(follower.clientAddress, 'OpenSession', { ttlMs: 60_000 })
    assert.ok('response' in opened, JSON.stringify(opened))
    const header = { session: opened.response.session, sequence: 1, firstUnacked: 1 }
    const request = { key: Buffer.from('once'), value: Buffer.from('x'), header }
    const answers = []
    for (const node of cluster.nodes) answers.push(await callUnary(node.clientAddress, 'Put', request))
    assert.deepEqual(answers[1], answers[0])
    assert.deepEqual(answers[2], answers[0])
    assert.equal((await cluster.client().get('once'))?.version, 1)
  })

  it('says of itself what status asks, and that the replicas are equal', async () => {
    await cluster.client().put('last', 'one')
    const { hash, status } = await statusAtRest()
    assert.equal(status.leader, leader.id)
    assert.equal(status.nodes.filter(({ role }) => role === 'leader').length, 1)
    for (const node of status.nodes) {
      assert.equal(node.health, 'serving')
      assert.equal(node.stateHash, hash)
      assert.equal(node.clientAddress, cluster.node(node.id).clientAddress)
      assert.equal(node.dataDir, cluster.node(node.id).dataDir)
    }
  })

  /** A status while nothing was applied: the stamps of cluster time, which is a part of the state, go on after a put. */
  async function statusAtRest() {
    for (let times = 0; times < 5; times++) {
      const hash = await cluster.converged()
      const status = await cluster.client().status()
      if ((await cluster.converged()) === hash) return { hash, status }
    }
    throw new Error('the cluster does not come to rest')
  }

  it('ends cleanly on SIGTERM and comes back with everything', async () => {
    const client = cluster.client()
    await client.put('before', 'the restart')
    assert.deepEqual(await follower.stop(), { code: 0, signal: null })
    await client.put('while', 'it was away')
    follower.start()
    await cluster.converged()
    const stale = cluster.client({ nodes: [follower] })
    assert.equal((await stale.get('before', { consistency: 'stale' }))?.text(), 'the restart')
    assert.equal((await stale.get('while', { consistency: 'stale' }))?.text(), 'it was away')
  })
})

describe('a cluster of one', () => {
  it('serves, and survives kill -9', async () => {
    await using cluster = await TestCluster.start({ nodes: 1 })
    const client = cluster.client()
    await client.put('a', '1')
    await cluster.nodes[0]!.kill()
    cluster.nodes[0]!.start()
    assert.equal((await client.get('a'))?.text(), '1')
    assert.equal((await client.put('a', '2')).revision, 2)
  })
})
