import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, describe, it } from 'node:test'
import { compressionAlgorithms, status } from '@grpc/grpc-js'
import type { ServiceError, StatusObject } from '@grpc/grpc-js'
import type { DialOptions } from '../../src/rpc/dialed-stream.ts'
import { Acceptor, closeAll, dial, dialByGrpc, MAX_BYTES } from './support.ts'
import type { Accepted, Dialed } from './support.ts'

const OK = undefined

afterEach(closeAll)

for (const direct of [true, false]) {
  describe(`a stream to a server that answers ${direct ? 'straight from HTTP/2' : 'by grpc-js'}`, () => {
    async function pair(options: DialOptions = {}): Promise<{ near: Dialed; far: Accepted }> {
      const acceptor = await Acceptor.start(direct)
      const near = dial(acceptor.address, options)
      const far = await acceptor.accepted()
      return { near, far }
    }

    it('carries messages both ways, in order, of any size', async () => {
      const { near, far } = await pair({ windowBytes: 1 << 20 })
      const texts = ['', 'a', 'b'.repeat(100_000), '', 'c'.repeat(MAX_BYTES), 'd']
      for (const text of texts) near.stream.send(Buffer.from(text))
      await far.ear.until(() => far.ear.messages.length === texts.length)
      assert.deepEqual(far.ear.messages, texts)
      for (const text of texts) far.stream.send(Buffer.from(text))
      await near.ear.until(() => near.ear.messages.length === texts.length)
      assert.deepEqual(near.ear.messages, texts)
      assert.deepEqual([near.stream.unsentBytes, far.stream.unsentBytes], [0, 0])
    })

    it('tells the headers that the dialer sent', async () => {
      const acceptor = await Acceptor.start(direct)
      dialByGrpc(acceptor.address, {}, { 'x-who': 'me' }).on('error', () => {})
      const far = await acceptor.accepted()
      assert.equal(far.stream.header('x-who'), 'me')
      assert.equal(far.stream.header('x-other'), undefined)
    })

    it('ends for both once both have ended it: what was sent goes first', async () => {
      const { near, far } = await pair()
      near.stream.send(Buffer.from('last question'))
      near.stream.end()
      near.stream.send(Buffer.from('too late'))
      await far.ear.until(() => far.ear.ends.length > 0)
      assert.deepEqual([far.ear.messages, far.ear.ends], [['last question'], ['ended']])
      far.stream.send(Buffer.from('last answer'))
      far.stream.end()
      await near.ear.until(() => near.ear.ends.length > 0)
      assert.deepEqual([near.ear.messages, near.ear.ends], [['last answer'], [OK]])
      await far.ear.until(() => far.ear.ends.length > 1)
      assert.deepEqual(far.ear.ends, ['ended', OK])
    })

    it('ends with an error in words, whatever they are, and after what was sent', async () => {
      const { near, far } = await pair()
      far.stream.send(Buffer.from('before'))
      far.stream.fail({ code: status.INVALID_ARGUMENT, details: 'not so: 100 % “wrong”' })
      await near.ear.until(() => near.ear.ends.length > 0)
      assert.deepEqual(near.ear.messages, ['before'])
      assert.deepEqual(near.ear.ends, [{ code: status.INVALID_ARGUMENT, details: 'not so: 100 % “wrong”' }])
      await far.ear.until(() => far.ear.ends.length > 0)
    })

    it('ends with an error that is all that is said', async () => {
      const { near, far } = await pair()
      far.stream.fail({ code: status.UNAVAILABLE, details: 'not yet' })
      await near.ear.until(() => near.ear.ends.length > 0)
      assert.deepEqual(near.ear.ends, [{ code: status.UNAVAILABLE, details: 'not yet' }])
    })

    it('is over also where it was paused when it was failed', async () => {
      const { near, far } = await pair({ windowBytes: 1 << 20 })
      near.stream.send(Buffer.alloc(100_000))
      far.stream.pause()
      far.stream.fail({ code: status.UNAVAILABLE, details: 'the leader is gone' })
      await near.ear.until(() => near.ear.ends.length > 0)
      await far.ear.until(() => far.ear.ends.length > 0)
      assert.deepEqual(far.ear.ends, [{ code: status.UNAVAILABLE, details: 'the leader is gone' }])
    })

    it('is over for the far end when the near end gives it up, which hears nothing more', async () => {
      const { near, far } = await pair()
      far.stream.send(Buffer.from('hello'))
      await near.ear.until(() => near.ear.messages.length === 1)
      far.stream.send(Buffer.from('unheard'))
      near.stream.abort()
      near.stream.send(Buffer.from('unsaid'))
      await far.ear.until(() => far.ear.ends.some((end) => end !== 'ended'))
      assert.deepEqual(far.ear.ends.at(-1), { code: status.CANCELLED, details: 'the connection was lost' })
      assert.deepEqual(far.ear.messages, [])
      assert.deepEqual([near.ear.messages, near.ear.ends], [['hello'], []])
    })

    it('is over for the near end when the far end gives it up, with what it did not read', async () => {
      const { near, far } = await pair()
      near.stream.pause()
      while (far.stream.unsentBytes < 10 * MAX_BYTES) far.stream.send(Buffer.alloc(MAX_BYTES))
      far.stream.abort()
      near.stream.resume()
      await near.ear.until(() => near.ear.ends.length > 0)
      assert.deepEqual(near.ear.ends, [{ code: status.UNAVAILABLE, details: 'the connection was lost' }])
      assert.ok(near.ear.bytes < 2 * MAX_BYTES)
      assert.deepEqual(far.ear.ends, [])
    })

    it('is over when the server goes', async () => {
      const acceptor = await Acceptor.start(direct)
      const near = dial(acceptor.address)
      const far = await acceptor.accepted()
      acceptor.stop()
      await Promise.all([
        near.ear.until(() => near.ear.ends.length > 0),
        far.ear.until(() => far.ear.ends.length > 0),
      ])
      assert.deepEqual(near.ear.ends, [{ code: status.UNAVAILABLE, details: 'the connection was lost' }])
    })

    // grpc-js's server cannot be told.
    if (direct) {
      it('lets more be under way than HTTP/2 does by itself', async () => {
        const { near, far } = await pair()
        near.stream.send(Buffer.from('first'))
        await far.ear.until(() => far.ear.messages.length === 1)
        far.stream.pause()
        // Twice the 64 KiB that a connection has where nobody says otherwise, and half of what this server says.
        near.stream.send(Buffer.alloc(128 * 1024))
        await near.ear.until(() => near.stream.unsentBytes === 0)
        assert.equal(far.ear.messages.length, 1)
      })
    }

    it('makes the sender wait while the other side takes nothing in', async () => {
      const { near, far } = await pair()
      far.stream.pause()
      const sent = 20
      for (let i = 0; i < sent; i++) near.stream.send(Buffer.alloc(MAX_BYTES))
      // What is answered on the same stream comes through all the same.
      far.stream.send(Buffer.from('not now'))
      await near.ear.until(() => near.ear.messages.length === 1)
      assert.ok(near.stream.unsentBytes > (sent - 2) * MAX_BYTES, `${near.stream.unsentBytes} bytes wait`)
      assert.ok(far.ear.bytes <= MAX_BYTES)
      far.stream.resume()
      await near.ear.until(() => near.stream.unsentBytes === 0)
      await far.ear.until(() => far.ear.bytes === sent * MAX_BYTES)
    })

    it('is refused by the server where a message is too large', async () => {
      const { near, far } = await pair()
      near.stream.send(Buffer.alloc(MAX_BYTES + 1))
      await near.ear.until(() => near.ear.ends.length > 0)
      const details = `Received message larger than max (${MAX_BYTES + 1} vs ${MAX_BYTES})`
      assert.deepEqual(near.ear.ends, [{ code: status.RESOURCE_EXHAUSTED, details }])
      assert.deepEqual(far.ear.messages, [])
      await far.ear.until(() => far.ear.ends.length > 0)
    })

    it('is given up by the dialer where a message is too large for it', async () => {
      const { near, far } = await pair({ maxMessageBytes: 100 })
      far.stream.send(Buffer.alloc(100))
      far.stream.send(Buffer.alloc(101))
      await near.ear.until(() => near.ear.ends.length > 0)
      const details = 'Received message larger than max (101 vs 100)'
      assert.deepEqual(near.ear.ends, [{ code: status.RESOURCE_EXHAUSTED, details }])
      await far.ear.until(() => far.ear.ends.length > 0)
    })

    it('speaks with any gRPC client: compressed, with a deadline, or neither', async () => {
      const acceptor = await Acceptor.start(direct)
      const gzip = { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip }
      for (const options of [{}, gzip]) {
        const call = dialByGrpc(acceptor.address, options)
        call.write(Buffer.from('question'.repeat(100)))
        call.end()
        const far = await acceptor.accepted()
        await far.ear.until(() => far.ear.ends.length > 0)
        assert.deepEqual([far.ear.messages, far.ear.ends[0]], [['question'.repeat(100)], 'ended'])
        const [answer, last] = [once(call, 'data'), once(call, 'status')]
        far.stream.send(Buffer.from('answer'))
        far.stream.end()
        assert.equal(String((await answer)[0]), 'answer')
        assert.equal(((await last) as [StatusObject])[0].code, status.OK)
      }
    })

    it('tells any gRPC client of an error, and hears that it has gone', async () => {
      const acceptor = await Acceptor.start(direct)
      const refused = dialByGrpc(acceptor.address)
      const error = once(refused, 'error')
      const first = await acceptor.accepted()
      first.stream.fail({ code: status.INVALID_ARGUMENT, details: 'wrong: 100 %' })
      const [{ code, details }] = (await error) as [ServiceError]
      assert.deepEqual([code, details], [status.INVALID_ARGUMENT, 'wrong: 100 %'])
      const leaving = dialByGrpc(acceptor.address).on('error', () => {})
      const second = await acceptor.accepted()
      leaving.cancel()
      await second.ear.until(() => second.ear.ends.some((end) => end !== 'ended'))
      assert.deepEqual(second.ear.ends.at(-1), { code: status.CANCELLED, details: 'the connection was lost' })
    })
  })
}
