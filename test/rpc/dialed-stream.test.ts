import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttp2Server } from 'node:http2'
import type { ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:net'
import type { AddressInfo, Server as NetServer, Socket } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import { systemClock } from '../../src/clock.ts'
import type { StreamStatus } from '../../src/rpc/message-stream.ts'
import { Front } from '../conformance/transport-grpc-lab.ts'
import { Acceptor, closeAll, closeLater, dial } from './support.ts'

afterEach(closeAll)

describe('a stream that is dialled', () => {
  /** A listener that does with its sockets as it likes. */
  async function listener(
    connected: (socket: Socket) => void,
  ): Promise<{ server: NetServer; address: string }> {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      closeLater(() => socket.destroy())
      connected(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closeLater(() => server.close())
    return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
  }

  async function http2(answer: (stream: ServerHttp2Stream) => void): Promise<string> {
    const server = createHttp2Server().on('stream', answer)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closeLater(() => server.close())
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it('says why nobody is there', async () => {
    const { server, address } = await listener(() => {})
    server.close()
    await once(server, 'close')
    const { ear, stream } = dial(address)
    stream.send(Buffer.from('lost'))
    await ear.until(() => ear.ends.length > 0)
    assert.deepEqual(ear.ends, [{ code: status.UNAVAILABLE, details: `connect ECONNREFUSED ${address}` }])
  })

  it('tells a service that is not gRPC', async () => {
    const address = await http2((stream) => stream.respond({ ':status': 404 }, { endStream: true }))
    const { ear } = dial(address)
    await ear.until(() => ear.ends.length > 0)
    const details = 'it answers with HTTP status 404: is it another service?'
    assert.deepEqual(ear.ends, [{ code: status.UNAVAILABLE, details }])
  })

  it('tells one that does not speak HTTP/2', async () => {
    const { address } = await listener((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const { ear } = dial(address)
    await ear.until(() => ear.ends.length > 0)
    assert.equal((ear.ends[0] as StreamStatus).code, status.UNAVAILABLE)
  })

  it('takes an answer that is an error and nothing else', async () => {
    const headers = { ':status': 200, 'grpc-status': '8', 'grpc-message': 'too%20much, 100%' }
    const address = await http2((stream) => stream.respond(headers, { endStream: true }))
    const { ear } = dial(address)
    await ear.until(() => ear.ends.length > 0)
    // What is no percent-encoding stays as it is.
    assert.deepEqual(ear.ends, [{ code: status.RESOURCE_EXHAUSTED, details: 'too%20much, 100%' }])
  })

  it('may be given up at any moment of its dialling', async () => {
    const acceptor = await Acceptor.start(true)
    const options = {
      windowBytes: 1 << 20,
      keepalive: { everyMs: 1, timeoutMs: 60_000, clock: systemClock() },
    }
    for (let turns = 0; turns < 20; turns++) {
      const { stream, ear } = dial(acceptor.address, options)
      stream.send(Buffer.from('hello'))
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
      stream.abort()
      await new Promise((resolve) => setTimeout(resolve, 5))
      assert.deepEqual(ear.ends, [])
    }
  })

  it('tells what is no address, and who is not known', async () => {
    for (const address of [
      'nowhere',
      'db.1:7001',
      '10.0.0.300:1',
      'a?b:1',
      '127.0.0.1:70000',
      '[fe80::1%none]:1',
    ]) {
      const { ear } = dial(address)
      await ear.until(() => ear.ends.length > 0)
      const { code, details } = ear.ends[0] as StreamStatus
      assert.equal(code, status.UNAVAILABLE)
      assert.match(
        details,
        /ENOTFOUND|EAI_AGAIN|EINVAL|ENETUNREACH|ECONNREFUSED|EADDRNOTAVAIL/,
        `${address}: ${details}`,
      )
    }
  })

  it('reaches an IPv6 address, and a name, and says where it goes', async (t) => {
    const authorities: unknown[] = []
    const server = createHttp2Server().on('stream', (stream: ServerHttp2Stream, headers) => {
      authorities.push(headers[':authority'])
      stream.respond({ ':status': 200, 'grpc-status': '0' }, { endStream: true })
    })
    server.listen(0, '::')
    const [error] = (await Promise.race([once(server, 'listening'), once(server, 'error')])) as unknown[]
    if (error !== undefined) return t.skip('no IPv6 here')
    closeLater(() => server.close())
    const { port } = server.address() as AddressInfo
    for (const host of ['[::1]', 'localhost', '127.0.0.1']) {
      const { ear } = dial(`${host}:${port}`)
      await ear.until(() => ear.ends.length > 0)
      assert.deepEqual(ear.ends, [undefined])
    }
    assert.deepEqual(authorities, [`[::1]:${port}`, `localhost:${port}`, `127.0.0.1:${port}`])
  })

  it('is over where the other side ends it without a last word', async () => {
    const address = await http2((stream) => {
      stream.on('error', () => {})
      stream.respond({ ':status': 200 })
      stream.end()
    })
    const { ear } = dial(address)
    await ear.until(() => ear.ends.length > 0)
    assert.deepEqual(ear.ends, [{ code: status.UNAVAILABLE, details: 'the connection was lost' }])
  })

  it('leaves no connection behind when it is given up, also where nobody ever answered', async () => {
    const sockets: Socket[] = []
    const { address } = await listener((socket) => void sockets.push(socket.resume()))
    const { stream, ear } = dial(address)
    stream.send(Buffer.from('hello?'))
    while (sockets.length === 0) await new Promise(setImmediate)
    const closed = once(sockets[0]!, 'close')
    stream.abort()
    stream.abort()
    await closed
    assert.deepEqual(ear.ends, [])
  })

  it('leaves no connection behind once both have ended it', async () => {
    const acceptor = await Acceptor.start(true)
    const { near, far } = { near: dial(acceptor.address), far: await acceptor.accepted() }
    near.stream.end()
    await far.ear.until(() => far.ear.ends.length > 0)
    far.stream.end()
    await near.ear.until(() => near.ear.ends.length > 0)
    await far.ear.until(() => far.ear.ends.length > 1)
  })

  describe('and asks whether the other side lives', () => {
    /** Time that passes when a test says so. */
    class Hand {
      #timers: { at: number; run: () => void }[] = []
      #now = 0
      now = (): number => this.#now
      soon = (run: () => void): void => void setImmediate(run)

      after(milliseconds: number, run: () => void): { cancel(): void } {
        const timer = { at: this.#now + milliseconds, run }
        this.#timers.push(timer)
        return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) }
      }

      get armed(): number[] {
        return this.#timers.map(({ at }) => at - this.#now)
      }

      pass(milliseconds: number): void {
        this.#now += milliseconds
        for (const timer of this.#timers.filter(({ at }) => at <= this.#now)) {
          this.#timers = this.#timers.filter((other) => other !== timer)
          timer.run()
        }
      }
    }

    async function turns(done: () => boolean): Promise<void> {
      while (!done()) await new Promise(setImmediate)
    }

    it('goes on where it does, and asks no more once the stream is over', async () => {
      const acceptor = await Acceptor.start(true)
      const clock = new Hand()
      const { stream, ear } = dial(acceptor.address, { keepalive: { everyMs: 100, timeoutMs: 300, clock } })
      for (let round = 0; round < 3; round++) {
        await turns(() => clock.armed[0] === 100)
        clock.pass(100)
        assert.deepEqual(clock.armed, [300])
      }
      await turns(() => clock.armed[0] === 100)
      stream.abort()
      await turns(() => clock.armed.length === 0)
      assert.deepEqual(ear.ends, [])
    })

    it('gives it up where it does not, after what has arrived was seen to', async () => {
      const acceptor = await Acceptor.start(true)
      const target = Number(acceptor.address.split(':')[1])
      const front = new Front()
      await front.listen()
      front.target = target
      const clock = new Hand()
      const { ear } = dial(front.address, { keepalive: { everyMs: 100, timeoutMs: 300, clock } })
      await turns(() => clock.armed[0] === 100)
      front.freeze()
      clock.pass(100)
      clock.pass(299)
      await new Promise(setImmediate)
      assert.deepEqual(ear.ends, [])
      clock.pass(1)
      assert.deepEqual(ear.ends, [])
      await ear.until(() => ear.ends.length > 0)
      assert.deepEqual(ear.ends, [
        { code: status.UNAVAILABLE, details: 'the other side does not answer pings' },
      ])
      await front.close()
    })
  })
})
