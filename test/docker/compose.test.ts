import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { ComposeCluster } from './support/compose.ts'

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

  it('refuse a node that was started with another configuration, and go on without it', async () => {
    const client = cluster.client()
    const leader = await cluster.leader()
    const id = cluster.ids.find((id) => id !== leader)!
    await cluster.kill(id)
    // In its place, under its name and with an empty disk, comes one of another cluster.
    const other = ['--env', 'BALSA_CLUSTER_NAME=other', '--env', 'BALSA_DATA=/dev/shm/data']
    const run = ['run', '--detach', '--no-deps', '--use-aliases', ...other, id]
    const stranger = (await cluster.compose(...run)).trim().split('\n').at(-1)!
    try {
      const said = await cluster.logged(stranger, /peer refused/)
      assert.match(said, /start both with the same cluster name and the same list of peers/)
      await client.put('stranger', 'refused')
      await assert.rejects(
        cluster.docker('exec', stranger, 'balsa', 'health', '--endpoints', '127.0.0.1:7001'),
      )
    } finally {
      await cluster.docker('rm', '--force', '--volumes', stranger)
      await cluster.start(id)
    }
    await cluster.converged()
    assert.equal((await client.get('stranger'))?.text(), 'refused')
  })
})
