import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clusterStatus } from '../../src/client/status.ts'
import { FakeCluster } from './support.ts'

const PEERS = Object.freeze(
  ['n1', 'n2', 'n3'].map((id, index) => ({
    id,
    peerAddress: `${id}:8001`,
    clientAddress: ['a:1', 'b:1', 'c:1'][index]!,
    connected: true,
    refusal: '',
    progress: '',
    matchIndex: 0,
    nextIndex: 0,
    inFlightBytes: 0,
  })),
)

function serving(cluster: FakeCluster, endpoint: string, id: string, part: object): void {
  const peers = PEERS.filter((peer) => peer.id !== id)
  const peerAddress = `${id}:8001`
  cluster.statuses.set(endpoint, { id, clientAddress: endpoint, peerAddress, term: 7, peers, ...part })
}

describe('status', () => {
  it('asks all endpoints and shows every node as it described itself', async () => {
    const cluster = new FakeCluster()
    serving(cluster, 'a:1', 'n1', { leader: 'n2' })
    const log = { commitIndex: 9, lastApplied: 8, firstIndex: 1, lastIndex: 10, revision: 5 }
    const disk = {
      logBytes: 1,
      stateBytes: 2,
      freeBytes: 3,
      totalBytes: 4,
      lowOnSpace: false,
      checkpointAgeMs: 5,
    }
    const kept = { compactedRevision: 3, checkpointIndex: 8, disk }
    const self = { pid: 42, version: '0.1.0', dataDir: '/data', stateHash: 'abc', ...kept }
    serving(cluster, 'b:1', 'n2', { role: 'leader', leader: 'n2', ...log, ...self })
    serving(cluster, 'c:1', 'n3', { leader: 'n2' })
    const status = await cluster.client().status()
    assert.equal(status.leader, 'n2')
    assert.equal(status.term, 7)
    assert.deepEqual(
      status.nodes.map(({ id, reachable }) => [id, reachable]),
      [
        ['n1', true],
        ['n2', true],
        ['n3', true],
      ],
    )
    assert.deepEqual(status.nodes[1], {
      id: 'n2',
      clientAddress: 'b:1',
      peerAddress: 'n2:8001',
      reachable: true,
      role: 'leader',
      term: 7,
      health: 'serving',
      ...log,
      ...self,
    })
  })

  it('finds nodes that are no endpoint through those that are', async () => {
    const cluster = new FakeCluster()
    serving(cluster, 'a:1', 'n1', {})
    serving(cluster, 'b:1', 'n2', {})
    serving(cluster, 'c:1', 'n3', { role: 'leader' })
    const status = await clusterStatus(cluster, ['a:1'], 100)
    assert.deepEqual(
      status.nodes.map(({ id, reachable }) => [id, reachable]),
      [
        ['n1', true],
        ['n2', true],
        ['n3', true],
      ],
    )
    assert.equal(status.leader, 'n3')
  })

  it('lists a node that does not answer as unreachable, once, with what others know of it', async () => {
    const cluster = new FakeCluster()
    serving(cluster, 'a:1', 'n1', { role: 'leader' })
    serving(cluster, 'c:1', 'n3', {})
    const status = await cluster.client().status()
    assert.equal(status.nodes.length, 3)
    const [, lost] = status.nodes
    assert.deepEqual(lost, {
      id: 'n2',
      clientAddress: 'b:1',
      peerAddress: 'n2:8001',
      reachable: false,
      role: null,
      term: null,
      commitIndex: null,
      lastApplied: null,
      firstIndex: null,
      lastIndex: null,
      revision: null,
      health: 'unreachable: b:1 cannot be reached',
      stateHash: null,
      pid: null,
      version: null,
      dataDir: null,
      compactedRevision: null,
      checkpointIndex: null,
      disk: null,
    })
  })

  it('lists the endpoints where nobody answers, without a leader', async () => {
    const status = await new FakeCluster().client().status()
    assert.equal(status.leader, null)
    assert.equal(status.term, 0)
    assert.deepEqual(
      status.nodes.map(({ id, clientAddress }) => [id, clientAddress]),
      [
        ['', 'a:1'],
        ['', 'b:1'],
        ['', 'c:1'],
      ],
    )
  })

  it('does not take a deposed leader for the leader', async () => {
    const cluster = new FakeCluster()
    serving(cluster, 'a:1', 'n1', { role: 'leader', leader: 'n1', term: 6 })
    serving(cluster, 'b:1', 'n2', { role: 'candidate', term: 7 })
    serving(cluster, 'c:1', 'n3', { term: 7 })
    assert.equal((await cluster.client().status()).leader, null)
  })

  it('names a leader that only its followers can reach, and no node that denies it', async () => {
    const cluster = new FakeCluster()
    serving(cluster, 'a:1', 'n1', { leader: 'n2' })
    serving(cluster, 'c:1', 'n3', { leader: 'n2' })
    assert.equal((await cluster.client().status()).leader, 'n2')
    serving(cluster, 'b:1', 'n2', { role: 'follower' })
    assert.equal((await cluster.client().status()).leader, null)
  })
})
