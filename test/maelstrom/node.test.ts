import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Json } from '../../src/maelstrom/json.ts'
import { MaelstromError } from '../../src/maelstrom/protocol.ts'
import type { Body } from '../../src/maelstrom/protocol.ts'
import { ELECTION_MS, Nodes } from './in-memory.ts'

const write = (key: Json, value: Json): Body => ({ type: 'write', key, value })
const read = (key: Json): Body => ({ type: 'read', key })
const cas = (key: Json, from: Json, to: Json): Body => ({ type: 'cas', key, from, to })

/** The body without what makes it a reply, and errors without their text. */
function gist(body: Body | undefined): unknown {
  assert.ok(body !== undefined, 'there is no reply')
  const { in_reply_to, text, ...rest } = body
  assert.equal(typeof in_reply_to, 'number')
  assert.ok(body.type !== 'error' || typeof text === 'string')
  return rest
}

function error(code: MaelstromError): unknown {
  return { type: 'error', code }
}

describe('a node alone', () => {
  it('says init_ok before anything else has time to happen', () => {
    const nodes = new Nodes(1)
    const request = nodes.ask('n0', { type: 'init', node_id: 'n0', node_ids: ['n0'] })
    assert.deepEqual(gist(nodes.replyTo(request)), { type: 'init_ok' })
    assert.equal(nodes.answers[0]!.src, 'n0')
  })

  it('reads, writes, compares and swaps', async () => {
    const nodes = new Nodes(1)
    await nodes.start()
    const asked: [Body, unknown][] = [
      [read('x'), error(MaelstromError.KeyDoesNotExist)],
      [cas('x', 1, 2), error(MaelstromError.KeyDoesNotExist)],
      [write('x', 1), { type: 'write_ok' }],
      [read('x'), { type: 'read_ok', value: 1 }],
      [cas('x', 2, 3), error(MaelstromError.PreconditionFailed)],
      [cas('x', 1, 3), { type: 'cas_ok' }],
      [read('x'), { type: 'read_ok', value: 3 }],
    ]
    for (const [body, answer] of asked) assert.deepEqual(gist(await nodes.reply('n0', body)), answer)
  })

  it('takes any JSON as key and value, equal whatever the order of names', async () => {
    const nodes = new Nodes(1)
    await nodes.start()
    const values: Json[] = [null, false, 0, '', '0', [], {}, { a: [1, { b: null, c: 'é' }], d: 1.5 }]
    for (const key of values) await nodes.reply('n0', write(key, [key]))
    for (const key of values) {
      assert.deepEqual(gist(await nodes.reply('n0', read(key))), { type: 'read_ok', value: [key] })
    }
    await nodes.reply('n0', write({ a: 1, b: 2 }, { c: 3, d: { e: 4, f: 5 } }))
    const swapped = await nodes.reply('n0', cas({ b: 2, a: 1 }, { d: { f: 5, e: 4 }, c: 3 }, null))
    assert.deepEqual(gist(swapped), { type: 'cas_ok' })
    assert.deepEqual(gist(await nodes.reply('n0', read({ a: 1, b: 2 }))), { type: 'read_ok', value: null })
  })

  it('answers echo and generate, every id another', async () => {
    const nodes = new Nodes(1)
    await nodes.start()
    assert.deepEqual(gist(await nodes.reply('n0', { type: 'echo', echo: { a: [1] } })), {
      type: 'echo_ok',
      echo: { a: [1] },
    })
    const requests = Array.from({ length: 20 }, () => nodes.ask('n0', { type: 'generate' }))
    await nodes.clock.advance(100)
    const ids = requests.map((request) => nodes.replyTo(request)!.id)
    assert.ok(ids.every((id) => id !== undefined))
    assert.equal(new Set(ids).size, 20)
  })

  it('refuses what is malformed or not supported, for certain', async () => {
    const nodes = new Nodes(1)
    await nodes.start()
    const wrong: [Body, MaelstromError][] = [
      [{ type: 'read' }, MaelstromError.MalformedRequest],
      [{ type: 'write', key: 1 }, MaelstromError.MalformedRequest],
      [{ type: 'cas', key: 1, from: 1 }, MaelstromError.MalformedRequest],
      [write(2 ** 53, 1), MaelstromError.MalformedRequest],
      [write('k'.repeat(5000), 1), MaelstromError.MalformedRequest],
      [{ type: 'init', node_id: 'n0', node_ids: ['n0'] }, MaelstromError.MalformedRequest],
      [{ type: 'forward' }, MaelstromError.MalformedRequest],
      [{ type: 'forward', request: { type: 'echo' } }, MaelstromError.MalformedRequest],
      [{ type: 'toString' }, MaelstromError.NotSupported],
      [{ type: 'txn' }, MaelstromError.NotSupported],
    ]
    for (const [body, code] of wrong) {
      assert.deepEqual(gist(await nodes.reply('n0', body)), error(code), JSON.stringify(body).slice(0, 80))
    }
  })

  it('is not available before its init', async () => {
    const nodes = new Nodes(1)
    assert.deepEqual(gist(await nodes.reply('n0', read('x'))), error(MaelstromError.TemporarilyUnavailable))
    const wrong = { type: 'init', node_id: 'n9', node_ids: ['n0'] }
    assert.deepEqual(gist(await nodes.reply('n0', wrong)), error(MaelstromError.MalformedRequest))
  })

  it('ignores replies that nobody waits for and requests without a number', async () => {
    const nodes = new Nodes(1)
    await nodes.start()
    const before = nodes.answers.length
    nodes.send({ src: 'n7', dest: 'n0', body: { type: 'forward_ok', in_reply_to: 1 } })
    nodes.send({ src: 'n7', dest: 'n0', body: { type: 'error', in_reply_to: 99, code: 0 } })
    nodes.send({ src: 'c1', dest: 'n0', body: { type: 'read', key: 1 } })
    nodes.send({ src: 'n7', dest: 'n0', body: { type: 'raft', incarnation: 1, frame: '????' } })
    await nodes.clock.advance(100)
    assert.equal(nodes.answers.length, before)
  })
})

describe('three nodes', () => {
  for (const reads of ['index', 'log'] as const) {
    it(`answer through any of them, reads by ${reads}`, async () => {
      const nodes = new Nodes(3, reads)
      await nodes.start()
      for (const [number, id] of nodes.ids.entries()) {
        assert.deepEqual(gist(await nodes.reply(id, write('x', number))), { type: 'write_ok' })
        for (const other of nodes.ids) {
          const answer = await nodes.reply(other, read('x'))
          assert.deepEqual(gist(answer), { type: 'read_ok', value: number })
        }
      }
    })
  }

  it('write an entry for a read through the log, and none for one by index', async () => {
    const lengths: number[] = []
    for (const reads of ['index', 'log'] as const) {
      const nodes = new Nodes(3, reads)
      const { leader } = await nodes.start()
      // Past the first time stamps, and with none while it is idle.
      await nodes.reply(leader, write('x', 1), 3000)
      const before = nodes.nodes.get(leader)!.status!.lastIndex
      await nodes.reply(leader, read('x'), 10)
      lengths.push(nodes.nodes.get(leader)!.status!.lastIndex - before)
    }
    assert.equal(lengths[0], 0)
    assert.ok(lengths[1]! > 0)
  })

  it('show a value of the past only with local reads', async () => {
    for (const reads of ['index', 'local'] as const) {
      const nodes = new Nodes(3, reads)
      const { leader, follower } = await nodes.start()
      await nodes.reply(leader, write('x', 1))
      // The follower hears of nothing new, but can still ask.
      nodes.passes = ({ dest, body }) => dest !== follower || body.type !== 'raft'
      await nodes.reply(leader, write('x', 2))
      const answer = await nodes.reply(follower, read('x'))
      assert.deepEqual(gist(answer), { type: 'read_ok', value: reads === 'local' ? 1 : 2 })
    }
  })

  it('answer 11 where no leader is known, and only for a moment wait for one', async () => {
    const nodes = new Nodes(3)
    const { follower } = await nodes.start()
    nodes.passes = ({ src, dest }) => src !== follower && dest !== follower
    await nodes.clock.advance(3 * ELECTION_MS)
    const requests = [write('x', 1), read('x'), cas('x', 1, 2)].map((body) => nodes.ask(follower, body))
    await nodes.clock.advance(2 * ELECTION_MS)
    for (const request of requests) {
      assert.deepEqual(gist(nodes.replyTo(request)), error(MaelstromError.TemporarilyUnavailable))
    }
    nodes.passes = () => true
    const late = nodes.ask(follower, write('x', 3))
    await nodes.clock.advance(2 * ELECTION_MS)
    assert.deepEqual(gist(nodes.replyTo(late)), { type: 'write_ok' })
  })

  it('give no definite answer to a write that may be in the log', async () => {
    const nodes = new Nodes(3)
    const { leader } = await nodes.start()
    nodes.passes = ({ src, dest }) => src !== leader && dest !== leader
    const request = nodes.ask(leader, write('x', 1))
    const lonely = nodes.ask(leader, read('x'))
    await nodes.clock.advance(4 * ELECTION_MS)
    assert.deepEqual(gist(nodes.replyTo(request)), error(MaelstromError.Crash))
    assert.deepEqual(gist(nodes.replyTo(lonely)), error(MaelstromError.TemporarilyUnavailable))
  })

  it('answer 0 to a write whose leader is silent, and send it nowhere else', async () => {
    const nodes = new Nodes(3)
    const { leader, follower } = await nodes.start()
    const forwarded: string[] = []
    nodes.passes = ({ src, dest, body }) => {
      if (body.type === 'forward') forwarded.push(dest)
      return src !== leader && dest !== leader
    }
    const request = nodes.ask(follower, write('x', 1))
    await nodes.clock.advance(5000)
    assert.notEqual(nodes.leader, leader)
    assert.equal(nodes.replyTo(request), undefined)
    await nodes.clock.advance(6000)
    assert.deepEqual(gist(nodes.replyTo(request)), error(MaelstromError.Timeout))
    assert.deepEqual(forwarded, [leader])
  })

  it('ask the new leader for a read that the old one got', async () => {
    const nodes = new Nodes(3)
    const { leader, follower } = await nodes.start()
    await nodes.reply(leader, write('x', 1))
    nodes.passes = ({ src, dest }) => src !== leader && dest !== leader
    const request = nodes.ask(follower, read('x'))
    await nodes.clock.advance(4 * ELECTION_MS)
    assert.deepEqual(gist(nodes.replyTo(request)), { type: 'read_ok', value: 1 })
  })

  it('do not count on a node that was started again without its memory', async () => {
    const nodes = new Nodes(3)
    const { leader, follower } = await nodes.start()
    const other = nodes.ids.find((id) => id !== leader && id !== follower)!
    await nodes.reply(leader, write('x', 1))
    nodes.restart(follower)
    nodes.passes = ({ src, dest }) => src !== other && dest !== other
    const request = nodes.ask(leader, write('x', 2))
    await nodes.clock.advance(4 * ELECTION_MS)
    assert.deepEqual(gist(nodes.replyTo(request)), error(MaelstromError.Crash))
  })

  it('answer what waits when they are stopped', async () => {
    const nodes = new Nodes(3)
    const { leader, follower } = await nodes.start()
    nodes.passes = () => false
    const requests = [
      [nodes.ask(leader, write('x', 1)), MaelstromError.Crash],
      [nodes.ask(follower, write('x', 2)), MaelstromError.Timeout],
      [nodes.ask(follower, read('x')), MaelstromError.TemporarilyUnavailable],
    ] as const
    const stopped = Promise.all([leader, follower].map((id) => nodes.nodes.get(id)!.stop()))
    await nodes.clock.advance(0)
    assert.equal(nodes.replyTo(requests[0][0]), undefined, 'they have a moment to be answered')
    await nodes.clock.advance(1100)
    await stopped
    for (const [request, code] of requests) assert.deepEqual(gist(nodes.replyTo(request)), error(code))
  })
})
