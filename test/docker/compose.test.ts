import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { BalsaError } from '../../src/index.ts'
import { Writer } from '../cluster/support/writer.ts'
import { ComposeCluster } from './support/compose.ts'

const execute = promisify(execFile)

describe('three containers', () => {
  let cluster: ComposeCluster
  before(async () => {
    cluster = await ComposeCluster.up()
  })
  after(() => cluster.down())

  it('serve from the host and from inside, through any node', async () => {
    const client = cluster.client()
    await client.put('greeting', 'hello')
    for (const id of cluster.ids) assert.equal(await cluster.balsa(id, 'get', 'greeting'), 'hello\n')
    await cluster.balsa('n2', 'put', 'inside', 'yes')
    assert.equal((await client.get('inside'))?.text(), 'yes')
  })

  it('run as nobody in particular, on a file system that cannot be written', async () => {
    const [uid] = (await cluster.compose('exec', '-T', 'n1', 'id', '-u')).split('\n')
    assert.notEqual(uid, '0')
    await assert.rejects(cluster.compose('exec', '-T', 'n1', 'touch', '/app/x'), /[Rr]ead-only/)
  })

  it('survive their leader: the client is led to the next one, and to none where two are gone', async () => {
    const client = cluster.client()
    const first = await cluster.leader()
    await cluster.kill(first)
    await client.put('without', first)
    const second = await cluster.leader(first)
    await cluster.kill(second)
    const began = performance.now()
    const refused = (error: unknown) =>
      error instanceof BalsaError && ['UNAVAILABLE', 'TIMEOUT', 'OUTCOME_UNKNOWN'].includes(error.code)
    await assert.rejects(client.put('alone', 'x', { timeoutMs: 3000 }), refused)
    await assert.rejects(client.get('without', { timeoutMs: 3000 }), refused)
    assert.ok(performance.now() - began < 8000, 'each ends within its deadline')
    await cluster.start(first, second)
    assert.equal((await client.get('without'))?.text(), first)
    await cluster.converged()
  })

  it('take the old leader back as a follower that catches up', async () => {
    const client = cluster.client()
    const old = await cluster.leader()
    await cluster.kill(old)
    await cluster.leader(old)
    for (let i = 0; i < 200; i++) await client.put(`while-away/${i}`, `${i}`)
    await cluster.start(old)
    await cluster.converged()
    const { nodes } = await cluster.status()
    assert.equal(nodes.find(({ id }) => id === old)?.role, 'follower')
  })

  it('go on without a follower, and a follower that was cut off does not unseat the leader', async (t) => {
    const client = cluster.client()
    const leader = await cluster.leader()
    const follower = cluster.ids.find((id) => id !== leader)!
    const before = (await cluster.status()).term
    const pid = await cluster.pid(follower)
    const rule = (action: string) => ['-t', `${pid}`, '-n', 'iptables', action, 'INPUT', '-p', 'tcp']
    const peers = ['--dport', '8001', '-j', 'DROP']
    const answers = ['--sport', '8001', '-j', 'DROP']
    try {
      await execute('nsenter', [...rule('-A'), ...peers])
      await execute('nsenter', [...rule('-A'), ...answers])
    } catch (error) {
      return t.skip(`no way into the container's network: ${(error as Error).message}`)
    }
    // It campaigns in vain meanwhile.
    for (let i = 0; i < 50; i++) {
      await client.put(`cut-off/${i}`, 'x')
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await execute('nsenter', [...rule('-D'), ...peers])
    await execute('nsenter', [...rule('-D'), ...answers])
    await cluster.converged()
    const status = await cluster.status()
    assert.equal(status.leader, leader)
    assert.equal(status.term, before, 'PreVote: no new term')
  })

  it('lose nothing when all are killed at once, and one after the other', async () => {
    const client = cluster.client(30_000)
    const writer = new Writer(client, { prefix: 'durable', inFlight: 16 })
    await writer.more(300)
    await cluster.kill(...cluster.ids)
    await cluster.start(...cluster.ids)
    await writer.more(100)
    for (const id of cluster.ids) {
      await cluster.kill(id)
      await writer.more(20)
      await cluster.start(id)
    }
    await writer.more(100)
    await writer.stop()
    await cluster.converged()
    await writer.verify(client)
  })

  it('are paused and go on under load, never two leading in one term', async () => {
    const client = cluster.client(30_000)
    const writer = new Writer(client, { prefix: 'paused', inFlight: 16 })
    const leaders = new Map<number, Set<string>>()
    let watching = true
    const watch = (async () => {
      while (watching) {
        for (const { role, term, id } of (await cluster.status()).nodes) {
          if (role !== 'leader' || term === null) continue
          leaders.set(term, (leaders.get(term) ?? new Set()).add(id))
        }
      }
    })()
    for (let round = 0; round < 2; round++) {
      const leader = await cluster.leader()
      await cluster.compose('pause', leader)
      await writer.more(50)
      await cluster.compose('unpause', leader)
      await writer.more(50)
    }
    await writer.stop()
    watching = false
    await watch
    await cluster.converged()
    await writer.verify(client)
    assert.ok(leaders.size >= 2, 'there were changes of leader')
    for (const [term, ids] of leaders) assert.equal(ids.size, 1, `${[...ids].join(' and ')} in term ${term}`)
  })

  it('are restarted one by one under load without one failed operation', async () => {
    const client = cluster.client(30_000)
    const writer = new Writer(client, { prefix: 'rolling', inFlight: 16 })
    await writer.more(100)
    for (const id of cluster.ids) {
      await cluster.compose('restart', id)
      await cluster.start(id)
      await writer.more(100)
    }
    await writer.stop()
    assert.deepEqual([...writer.failed, ...writer.unknown], [])
    await cluster.converged()
    await writer.verify(client)
  })
})

describe('five containers', () => {
  let cluster: ComposeCluster
  before(async () => {
    cluster = await ComposeCluster.up({ files: ['docker/compose.5.yaml'], count: 5 })
  })
  after(() => cluster.down())

  it('serve with two dead', async () => {
    const client = cluster.client()
    const first = await cluster.leader()
    const dead = [first, cluster.ids.find((id) => id !== first)!]
    await cluster.kill(...dead)
    await client.put('majority', 'three')
    assert.equal((await client.get('majority'))?.text(), 'three')
    await cluster.start(...dead)
    await cluster.converged()
  })
})
