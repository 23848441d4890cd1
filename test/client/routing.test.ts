import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { UnavailableError } from '../../src/errors.ts'
import { FakeCluster, Outcome, result, warmCluster } from './support.ts'

describe('following the leader', () => {
  it('starts at any node and goes where that one says', async () => {
    const cluster = new FakeCluster()
    cluster.elect(cluster.n3, 4)
    const client = cluster.client({}, () => 0.5)
    const put = new Outcome(client.put('k', 'v'))
    await cluster.clock.advance(50)
    assert.ok(put.value)
    assert.deepEqual(
      cluster.dials.map(({ endpoint }) => endpoint),
      ['b:1', 'c:1'],
    )
    assert.equal(cluster.n2.openStreams, 0)
    assert.equal(cluster.n3.openStreams, 1)
  })

  it('goes over at once, in one piece, when the leader has changed', async () => {
    const { cluster, clock, client, n1, n2 } = await warmCluster()
    cluster.elect(n2, 2)
    const puts = Array.from({ length: 50 }, (_, index) => new Outcome(client.put(`k${index}`, 'v')))
    await clock.advance(15)
    assert.ok(puts.every((put) => put.value))
    assert.deepEqual(
      cluster.dials.map(({ endpoint }) => endpoint),
      ['b:1'],
    )
    assert.equal(n1.frames.length, 1)
    assert.equal(n2.frames.length, 1)
    assert.equal(new Set(cluster.store.applied).size, 50)
  })

  it('prefers an endpoint of its own that it knows under the id to the advertised address', async () => {
    const { cluster, clock, client, n2 } = await warmCluster()
    // The client gets to know n2 behind b:1.
    cluster.elect(n2, 2)
    void client.put('a', '')
    await clock.advance(20)
    cluster.elect(cluster.n1, 3)
    void client.put('b', '')
    await clock.advance(20)
    cluster.dials.length = 0
    cluster.elect(n2, 4, 'inside:1')
    const put = new Outcome(client.put('c', ''))
    await clock.advance(20)
    assert.ok(put.value)
    assert.deepEqual(
      cluster.dials.map(({ endpoint }) => endpoint),
      ['b:1'],
    )
  })

  it('takes the advertised address where it knows no endpoint under the id', async () => {
    const cluster = new FakeCluster()
    const n4 = cluster.add('d:1', 'n4')
    cluster.elect(n4, 2)
    const put = new Outcome(cluster.client().put('k', 'v'))
    await cluster.clock.advance(20)
    assert.ok(put.value)
    assert.deepEqual(
      cluster.dials.map(({ endpoint }) => endpoint),
      ['a:1', 'd:1'],
    )
  })

  it('asks the follower to pass everything on where neither can be reached', async () => {
    const cluster = new FakeCluster()
    cluster.nodes.delete('b:1')
    cluster.elect(cluster.n2, 2, 'inside:1')
    const client = cluster.client({ endpoints: ['a:1'] })
    const put = new Outcome(client.put('k', 'v'))
    await cluster.clock.advance(50)
    assert.ok(put.value)
    assert.deepEqual(
      cluster.dials.map(({ endpoint }) => endpoint),
      ['a:1', 'inside:1', 'a:1'],
    )
    assert.deepEqual(
      cluster.n1.hellos.map(({ forward }) => forward),
      [false, true],
    )
    assert.equal(cluster.n1.openStreams, 1)
    const again = new Outcome(client.get('k'))
    await cluster.clock.advance(20)
    assert.ok(again.value)
    assert.equal(cluster.dials.length, 3)
  })

  it('does not take the endpoint that forwards for the leader’s', async () => {
    const cluster = new FakeCluster()
    const { clock, n1, n2 } = cluster
    cluster.nodes.delete('b:1')
    cluster.elect(n2, 2, 'inside:1')
    const client = cluster.client({ endpoints: ['a:1', 'c:1'] })
    void client.put('k', 'v')
    await clock.advance(50)
    cluster.dials.length = 0
    n1.breakStreams()
    await clock.advance(300)
    const put = new Outcome(client.put('k', 'w'))
    await clock.advance(50)
    assert.ok(put.value)
    assert.deepEqual(
      cluster.dials.map(({ endpoint }) => endpoint),
      ['c:1', 'inside:1', 'a:1', 'c:1'],
    )
  })

  it('does not talk to a node of another protocol version', async () => {
    const cluster = new FakeCluster()
    cluster.n1.protocol = 2
    const put = new Outcome(cluster.client({ endpoints: ['a:1'], timeoutMs: 300 }).put('k', 'v'))
    await cluster.clock.advance(310)
    assert.ok(put.error instanceof UnavailableError)
    assert.match(put.error.message, /another protocol/)
    assert.equal(cluster.n1.requests.length, 0)
  })

  it('tries its other endpoints before it asks to be forwarded', async () => {
    const cluster = new FakeCluster()
    cluster.elect(cluster.n3, 2, 'inside:1')
    const put = new Outcome(cluster.client().put('k', 'v'))
    await cluster.clock.advance(50)
    assert.ok(put.value)
    assert.deepEqual(
      cluster.dials.map(({ endpoint }) => endpoint),
      ['a:1', 'inside:1', 'b:1', 'c:1'],
    )
    assert.equal(cluster.n3.openStreams, 1)
  })

  it('is not led in circles by nodes that name each other', async () => {
    const { clock, client, cluster, n1, n2, n3 } = await warmCluster(1000)
    n1.leader = { id: 'n2', clientAddress: 'b:1', term: 2 }
    n2.leader = { id: 'n1', clientAddress: 'a:1', term: 2 }
    n3.leader = undefined
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(1100)
    assert.ok(put.error instanceof UnavailableError)
    assert.ok(cluster.dials.length < 80, `${cluster.dials.length} connections`)
  })

  it('does not believe a deposed leader while it knows of a newer term', async () => {
    const cluster = new FakeCluster()
    const { n1, n2, n3 } = cluster
    // n1 knows that n3 leads term 5, which cannot be reached by its address; n2 still takes itself for the leader.
    n1.leader = { id: 'n3', clientAddress: 'inside:1', term: 5 }
    n2.leader = { id: 'n2', clientAddress: 'b:1', term: 4 }
    n3.leader = { id: 'n3', clientAddress: 'inside:1', term: 5 }
    const put = new Outcome(cluster.client().put('k', 'v'))
    await cluster.clock.advance(50)
    assert.ok(put.value)
    assert.equal(n2.requests.length, 0)
    assert.deepEqual(
      cluster.dials.map(({ endpoint }) => endpoint),
      ['a:1', 'inside:1', 'b:1', 'c:1'],
    )
  })

  it('refuses a node of another cluster', async () => {
    const { cluster, clock, client, n1, n2, n3 } = await warmCluster(1000)
    n2.clusterId = Buffer.from('another')
    n1.kill()
    n3.up = false
    n2.leader = { id: 'n2', clientAddress: 'b:1', term: 9 }
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(1100)
    assert.ok(put.error instanceof UnavailableError)
    assert.equal(n2.requests.length, 0)
    assert.ok(n2.hellos.every(({ clusterId }) => Buffer.from(clusterId).toString() === 'cluster'))
    assert.ok(cluster.dials.some(({ endpoint }) => endpoint === 'b:1'))
  })
})

describe('losing the leader', () => {
  it('reconnects at once to the only endpoint that there is', async () => {
    const cluster = new FakeCluster()
    const { clock, n1 } = cluster
    const client = cluster.client({ endpoints: ['a:1'] })
    void client.put('warm', 'up')
    await clock.advance(20)
    n1.breakStreams()
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(5)
    assert.ok(put.value)
  })

  it('sends the same (session, sequence) again, and the write is applied once', async () => {
    const { cluster, clock, client, n1, n2 } = await warmCluster()
    // n1 applies, and dies before its answer leaves.
    n1.handler = (request) => void cluster.store.run(request)
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(3)
    n1.kill()
    cluster.elect(n2, 2)
    await clock.advance(1000)
    assert.deepEqual(put.value, { revision: 2 })
    const [first] = n1.commands
    const [second] = n2.commands
    assert.deepEqual([second!.session, second!.sequence], [first!.session, first!.sequence])
    assert.deepEqual(cluster.store.applied, ['101/2'])
  })

  it('is through an election soon after its end', async () => {
    const { cluster, clock, client, n1, n2 } = await warmCluster()
    n1.kill()
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(1500)
    assert.equal(put.settled, false)
    cluster.elect(n2, 2)
    await clock.advance(520)
    assert.ok(put.value)
  })

  it('resends many calls in the order in which they were made', async () => {
    const { cluster, clock, client, n1, n2 } = await warmCluster()
    n1.handler = () => undefined
    const first = Array.from({ length: 5 }, (_, index) => new Outcome(client.put(`a${index}`, 'v')))
    await clock.advance(3)
    const second = Array.from({ length: 5 }, (_, index) => new Outcome(client.put(`b${index}`, 'v')))
    n1.kill()
    cluster.elect(n2, 2)
    await clock.advance(1000)
    assert.ok([...first, ...second].every((put) => put.value))
    assert.deepEqual(
      n2.commands.map(({ sequence }) => sequence),
      [2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    )
  })

  it('notices a leader that was stopped, asks elsewhere, and sends again', async () => {
    const { cluster, clock, client, n1, n2 } = await warmCluster()
    n1.silent = true
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(900)
    cluster.elect(n2, 2)
    await clock.advance(700)
    assert.deepEqual(put.value, { revision: 2 })
    assert.equal(n1.openStreams, 0)
    assert.deepEqual(cluster.store.applied, ['101/2'])
  })

  it('does not return to the stopped leader while others still name it', async () => {
    const { cluster, clock, client, n1, n2 } = await warmCluster()
    n1.silent = true
    const connects = n1.connects
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(1700)
    assert.equal(n1.connects, connects)
    cluster.elect(n2, 2)
    await clock.advance(520)
    assert.ok(put.value)
  })

  it('goes through another node when only this client cannot reach a leader that others go on naming', async () => {
    const { clock, client, n1, n2, n3 } = await warmCluster()
    n1.silent = true
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(3500)
    assert.deepEqual(put.value, { revision: 2 })
    const passedOn = [...n2.hellos, ...n3.hellos].filter(({ forward }) => forward)
    assert.equal(passedOn.length, 1)
    const next = new Outcome(client.put('k', 'w'))
    await clock.advance(10)
    assert.deepEqual(next.value, { revision: 3 })
  })

  it('blames the leader, not the node that passes on, where that comes to nothing', async () => {
    const { cluster, clock, client, n1, n2, n3 } = await warmCluster(20_000)
    n1.silent = true
    const greet = [n2, n3].map((node) => (node.forwardsSilence = true) && node)
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(5000)
    assert.ok(greet.some(({ hellos }) => hellos.some(({ forward }) => forward)))
    cluster.elect(n2, 2)
    await clock.advance(1600)
    assert.deepEqual(put.value, { revision: 2 })
  })

  it('does not suspect a node that is slow but talks', async () => {
    const { clock, client, n1 } = await warmCluster(10_000)
    n1.handler = () => undefined
    const puts = Array.from({ length: 5 }, (_, index) => new Outcome(client.put(`k${index}`, 'v')))
    for (const { id } of (await clock.advance(5), n1.requests)) {
      await clock.advance(900)
      n1.answer([id, result({ revision: 1, succeeded: true })])
    }
    await clock.advance(10)
    assert.ok(puts.every((put) => put.value))
    assert.equal(n1.requests.length, 5)
  })

  it('does not suspect a node because nobody asked it anything for long', async () => {
    const { cluster, clock, client } = await warmCluster()
    await clock.advance(30_000)
    const get = new Outcome(client.get('warm'))
    await clock.advance(10)
    assert.ok(get.value)
    assert.equal(cluster.dials.length, 0)
  })

  it('takes an answer that is already here for an answer, though this process was held up', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.handler = () => undefined
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(5)
    // The watch comes due (a second after the request was sent), and in the same turn the answer is read.
    const { id } = n1.requests[0]!
    clock.after(995, () => clock.soon(() => n1.answerNow([id, result({ revision: 3, succeeded: true })])))
    await clock.advance(1010)
    assert.deepEqual(put.value, { revision: 3 })
    assert.equal(n1.openStreams, 1)
  })

  it('takes nonsense for a broken connection', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.handler = () => undefined
    const put = new Outcome(client.put('k', 'v'))
    await clock.advance(5)
    n1.handler = n1.defaultHandler
    n1.babble(Buffer.from([0x12, 0xff]))
    await clock.advance(1000)
    assert.deepEqual(put.value, { revision: 2 })
  })

  it('takes an answer of the wrong kind for a broken connection', async () => {
    const { clock, client, n1 } = await warmCluster()
    let wrong = true
    n1.handler = (request) => {
      if (!wrong) return n1.serve(request)
      wrong = false
      return result({ revision: 1 })
    }
    const get = new Outcome(client.get('warm'))
    await clock.advance(1000)
    assert.equal(get.value?.text(), 'up')
  })
})

describe('a node that is only slow', () => {
  it('is waited for longer each time, until it gets to answer', async () => {
    const cluster = new FakeCluster()
    for (const node of cluster.members) node.helloMs = 3000
    const client = cluster.client({ timeoutMs: 60_000 })
    const put = new Outcome(client.put('k', 'v'))
    await cluster.clock.advance(40_000)
    assert.deepEqual(put.value, { revision: 1 })
  })
})
