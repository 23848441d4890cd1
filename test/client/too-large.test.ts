import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OutcomeUnknownError, ResourceExhaustedError } from '../../src/errors.ts'
import type { ClientRequest } from '../../src/wire/frames.ts'
import { Outcome, warmCluster } from './support.ts'

/** What somebody on the way takes, in bytes: an older node, or a proxy. */
const LIMIT = 50_000

function sizeOf({ body }: ClientRequest): number {
  if (body.type === 'command') return body.command.length
  return body.type === 'read' ? body.keys.reduce((sum, key) => sum + key.length, 0) : 0
}

/** A cluster whose leader breaks every stream on which a request above the limit comes. */
async function narrowCluster() {
  const warm = await warmCluster()
  const { n1 } = warm
  n1.handler = (request) => {
    if (sizeOf(request) <= LIMIT) return n1.serve(request)
    n1.breakStreams(new ResourceExhaustedError('received message larger than max'))
    return undefined
  }
  return warm
}

describe('a message that is too large for somebody on the way', () => {
  it('ends the write that was in it, of unknown outcome, and no other call', async () => {
    const { cluster, clock, client, n1 } = await narrowCluster()
    const { connects } = n1
    const before = new Outcome(client.put('before', 'v'))
    const large = new Outcome(client.put('large', Buffer.alloc(LIMIT)))
    const beside = new Outcome(client.put('beside', Buffer.alloc(LIMIT - 10_000)))
    const get = new Outcome(client.get('warm'))
    await clock.advance(500)
    assert.ok(large.error instanceof OutcomeUnknownError)
    assert.ok(large.error.cause instanceof ResourceExhaustedError)
    assert.ok(before.value && beside.value && get.value)
    assert.equal(n1.connects, connects + 1, 'it was sent once')
    const after = new Outcome(client.put('after', 'v'))
    await clock.advance(10)
    assert.ok(after.value)
    // What the store applied, it applied once: the repetitions came under the same numbers.
    assert.equal(new Set(cluster.store.applied).size, cluster.store.applied.length)
  })

  it('ends a read for certain', async () => {
    const { clock, client } = await narrowCluster()
    const keys = Array.from({ length: 20 }, (_, index) => `${index}`.padStart(4000, 'k'))
    const read = new Outcome(client.getMany(keys))
    const get = new Outcome(client.get('warm'))
    await clock.advance(500)
    assert.ok(read.error instanceof ResourceExhaustedError)
    assert.equal(read.error.outcomeUnknown, false)
    assert.ok(get.value)
  })

  it('costs one connection each, where there are several', async () => {
    const { clock, client, n1 } = await narrowCluster()
    const { connects } = n1
    const large = [1, 3, 2].map((i) => new Outcome(client.put(`large ${i}`, Buffer.alloc(LIMIT * i))))
    const small = Array.from({ length: 20 }, (_, i) => new Outcome(client.put(`small ${i}`, 'v')))
    await clock.advance(2000)
    for (const { error } of large) assert.ok(error instanceof OutcomeUnknownError)
    for (const { value } of small) assert.ok(value)
    assert.equal(n1.connects, connects + 3)
  })

  it('is not blamed on calls that share a frame: those are sent again', async () => {
    const { clock, client, n1 } = await warmCluster()
    n1.handler = () => undefined
    const puts = Array.from({ length: 20 }, (_, i) => new Outcome(client.put(`k${i}`, Buffer.alloc(10_000))))
    await clock.advance(5)
    n1.handler = n1.defaultHandler
    n1.breakStreams(new ResourceExhaustedError('the node is short of something'))
    await clock.advance(500)
    for (const { value } of puts) assert.ok(value)
  })
})
