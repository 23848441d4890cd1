import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { HealthImplementation } from 'grpc-health-check'
import { fakeWorld } from './support/fake-context.ts'

describe('balsa health', () => {
  const health = new HealthImplementation({ '': 'SERVING', 'balsa.v1.Kv': 'NOT_SERVING' })
  const server = new Server()
  let endpoint = ''
  before(async () => {
    health.addToServer(server)
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      )
    })
    endpoint = `127.0.0.1:${port}`
  })
  after(() => server.forceShutdown())

  it('exits with 3 where a node knows no leader, and with 0 once it does', async () => {
    const before = fakeWorld({})
    assert.equal(await before.run('health', '--endpoints', endpoint), 3)
    assert.equal(before.stdout.text, `${endpoint} NOT_SERVING\n`)
    health.setStatus('balsa.v1.Kv', 'SERVING')
    const then = fakeWorld({})
    assert.equal(await then.run('health', '--endpoints', endpoint), 0)
    assert.equal(then.stdout.text, `${endpoint} SERVING\n`)
    health.setStatus('balsa.v1.Kv', 'NOT_SERVING')
  })

  it('--live asks for the process only', async () => {
    const world = fakeWorld({})
    assert.equal(await world.run('health', '--live', '--endpoints', endpoint), 0)
  })

  it('exits with 3 where one of several does not answer, and says which', async () => {
    const world = fakeWorld({})
    const code = await world.run(
      'health',
      '--live',
      '--json',
      '--endpoints',
      `${endpoint},127.0.0.1:1`,
      '--time-out',
      '2s',
    )
    assert.equal(code, 3)
    const { service, nodes } = JSON.parse(world.stdout.text) as {
      service: string
      nodes: { endpoint: string; state: string; why?: string }[]
    }
    assert.equal(service, '')
    assert.deepEqual(
      nodes.map(({ state }) => state),
      ['SERVING', 'UNREACHABLE'],
    )
    assert.match(nodes[1]!.why!, /127\.0\.0\.1:1/)
  })
})
