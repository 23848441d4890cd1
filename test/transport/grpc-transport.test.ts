import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Client, credentials, Server } from '@grpc/grpc-js'
import type { ClientDuplexStream, ServerDuplexStream, ServiceError } from '@grpc/grpc-js'
import { systemClock } from '../../src/clock.ts'
import { peerChannelOptions, peerServerOptions } from '../../src/transport/grpc-options.ts'
import { helloTo } from '../../src/transport/hello.ts'
import { decodePeerFrame, encodeHello, encodePeerFrame } from '../../src/wire/message.ts'
import { connectMethod } from '../../src/wire/services.ts'
import { grpcLab, listen } from '../conformance/transport-grpc-lab.ts'
import type { GrpcLab } from '../conformance/transport-grpc-lab.ts'
import { bigAppend, CLUSTER, heartbeat } from '../conformance/transport-lab.ts'

type PeerCall = ClientDuplexStream<Uint8Array, Uint8Array>
type AcceptedCall = ServerDuplexStream<Uint8Array, Uint8Array>

const ELECTION_MS = 300
const GARBAGE = Buffer.from('this is not protobuf')
const hello = (from: string, to: string): Uint8Array =>
  encodeHello(
    helloTo(
      { id: from, incarnation: 1, clientAddress: '', clusterId: CLUSTER, protocol: { min: 1, max: 1 } },
      to,
    ),
  )

describe('the gRPC transport', () => {
  let lab: GrpcLab

  beforeEach(async () => {
    lab = await grpcLab(['n1', 'n2'])
  })
  afterEach(() => lab.close())

  /** A client that speaks for itself, and what it hears. Closed after the test. */
  function rawDialer(
    t: { after(run: () => void): void },
    id: string,
  ): { call: PeerCall; frames: Uint8Array[]; error: () => ServiceError | undefined } {
    const client = new Client(
      lab.front(id).address,
      credentials.createInsecure(),
      peerChannelOptions(ELECTION_MS),
    )
    const { path, requestSerialize, responseDeserialize } = connectMethod
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
    const frames: Uint8Array[] = []
    let error: ServiceError | undefined
    call.on('data', (frame: Uint8Array) => frames.push(frame))
    call.on('error', (reason: ServiceError) => (error = reason))
    t.after(() => {
      call.cancel()
      client.close()
    })
    return { call, frames, error: () => error }
  }

  /** A server in the place of `id` that does with a stream as it likes. Closed after the test. */
  async function rawAcceptor(
    t: { after(run: () => void): void },
    id: string,
    accept: (call: AcceptedCall) => void,
  ): Promise<void> {
    const server = new Server(peerServerOptions(ELECTION_MS))
    server.addService({ connect: connectMethod }, { connect: accept })
    lab.front(id).target = await listen(server)
    t.after(() => server.forceShutdown())
  }

  it('carries entries of 4 MiB, and more of them in one call than a frame may hold', async () => {
    // So patient that a busy machine does not make them lose each other over it.
    const n1 = await lab.start('n1', { electionMs: 60_000 })
    const n2 = await lab.start('n2', { electionMs: 60_000 })
    await lab.until('they are connected', () => n1.heard.isConnected('n2') && n2.heard.isConnected('n1'))
    const appends = [1, 2, 3, 4, 5].map((i) => bigAppend('n1', 'n2', Buffer.alloc(4 << 20, i)))
    n1.transport.send(appends)
    await lab.until('all have arrived', () => n2.heard.messages.length === 5)
    const first = n2.heard.messages.map((message) => message.type === 'append' && message.entries[0]!.data[0])
    assert.deepEqual(first, [1, 2, 3, 4, 5])
    assert.deepEqual(
      n1.heard.events,
      n1.heard.events.filter((event) => event !== 'lost n2'),
    )
  })

  it('gives up a peer that accepts and never answers, one attempt at a time, and finds it when it comes to its senses', async (t) => {
    const sockets = new Set<Socket>()
    let most = 0
    const mute = createServer((socket) => {
      sockets.add(socket.on('close', () => sockets.delete(socket)).on('error', () => {}))
      most = Math.max(most, sockets.size)
      socket.resume()
    })
    mute.listen(0, '127.0.0.1')
    await once(mute, 'listening')
    t.after(() => mute.close())
    lab.front('n2').target = (mute.address() as AddressInfo).port
    const n1 = await lab.start('n1', { electionMs: ELECTION_MS })
    await lab.until('it says so', () => n1.heard.events.length > 0)
    assert.match(n1.heard.events[0]!, /^lost n2: n2 at 127.0.0.1:\d+ did not finish its Hello within 500 ms$/)
    await lab.until('it tries again', () => sockets.size === 1)
    const n2 = await lab.start('n2')
    await lab.until('they are connected', () => n1.heard.isConnected('n2') && n2.heard.isConnected('n1'))
    await lab.until('nothing is left of the attempts', () => sockets.size === 0)
    assert(most <= 2, `${most} connections at a time`)
  })

  it('closes its connections when it is closed, also one that was never answered', async (t) => {
    const sockets = new Set<Socket>()
    const mute = createServer((socket) => {
      sockets.add(socket.on('close', () => sockets.delete(socket)).on('error', () => {}))
      socket.resume()
    })
    mute.listen(0, '127.0.0.1')
    await once(mute, 'listening')
    t.after(() => mute.close())
    lab.front('n2').target = (mute.address() as AddressInfo).port
    const n1 = await lab.start('n1')
    await lab.until('it has dialled', () => sockets.size === 1)
    await n1.stop()
    await lab.until('the connection is gone', () => sockets.size === 0 && lab.front('n2').connections === 0)
  })

  it('is found at once by a node that has been waiting for it: it knocks', async () => {
    const clock = systemClock()
    const timeless = { ...clock, after: () => ({ cancel: () => {} }) }
    const n1 = await lab.start('n1', { clock: timeless })
    await lab.until('its only attempt has failed', () => n1.heard.events.length === 1)
    const n2 = await lab.start('n2')
    await lab.until('they are connected', () => n1.heard.isConnected('n2') && n2.heard.isConnected('n1'))
  })

  it('notices on both sides that packets get lost', async () => {
    const n1 = await lab.start('n1', { electionMs: ELECTION_MS })
    const n2 = await lab.start('n2', { electionMs: ELECTION_MS })
    await lab.until('they are connected', () => n1.heard.isConnected('n2') && n2.heard.isConnected('n1'))
    let looks = 0
    lab.freeze('n2')
    await lab.until('both know', () => {
      looks++
      return !n1.heard.isConnected('n2') && !n2.heard.isConnected('n1')
    })
    // One and a half election time-outs, with 2 ms at the least between looks, and as much again and more. All of it
    // happens in this process: one that gets no processor for a while does not look meanwhile. gRPC's own time-out
    // would be 20 s.
    assert(looks < (5 * ELECTION_MS) / 2, `looked ${looks} times`)
    lab.thaw('n2')
    await lab.until(
      'they are connected again',
      () => n1.heard.isConnected('n2') && n2.heard.isConnected('n1'),
    )
  })

  it('resets the stream of a dialer that does not read, and keeps no more for it than the limit', async (t) => {
    const n2 = await lab.start('n2', { maxUnsentBytes: 1 << 20, electionMs: 60_000 })
    const { call, frames, error } = rawDialer(t, 'n2')
    call.write(hello('n1', 'n2'))
    await lab.until('it says Hello', () => frames.length === 1)
    call.write(Buffer.alloc(0))
    await lab.until('it is connected', () => n2.heard.isConnected('n1'))
    call.pause()
    let sent = 0
    await lab.until('it is given up', () => {
      n2.transport.send([bigAppend('n2', 'n1', Buffer.alloc(64 * 1024))])
      sent++
      return !n2.heard.isConnected('n1')
    })
    assert(sent < 1000, `gave up after ${sent} frames`)
    assert.match(n2.heard.events.at(-1)!, /^lost n1: n1 does not keep up/)
    call.resume()
    await lab.until('the dialer is told', () => error() !== undefined)
  })

  it('survives a dialer that sends garbage, as its first frame or later', async (t) => {
    const n2 = await lab.start('n2')
    const first = rawDialer(t, 'n2')
    first.call.write(GARBAGE)
    await lab.until('the stream is closed', () => first.error() !== undefined)
    assert.deepEqual(n2.heard.admitted, [])

    const later = rawDialer(t, 'n2')
    later.call.write(hello('n1', 'n2'))
    await lab.until('it says Hello', () => later.frames.length === 1)
    later.call.write(Buffer.alloc(0))
    later.call.write(encodePeerFrame([heartbeat('n1', 'n2', 1)]))
    later.call.write(GARBAGE)
    await lab.until('the stream is closed', () => later.error() !== undefined)
    assert.deepEqual(n2.heard.messages, [heartbeat('n1', 'n2', 1)])
    assert.match(n2.heard.events.at(-1)!, /^lost n1: n1 sent what is not a frame of the peer protocol: /)

    const n1 = await lab.start('n1')
    await lab.until('a real one connects', () => n1.heard.isConnected('n2') && n2.heard.isConnected('n1'))
  })

  it('survives an acceptor that sends garbage, and does not spin', async (t) => {
    let streams = 0
    await rawAcceptor(t, 'n2', (call) => {
      streams++
      call.on('error', () => {})
      call.write(GARBAGE)
    })
    const n1 = await lab.start('n1', { electionMs: 60_000 })
    await lab.until('it has tried three times', () => streams === 3)
    assert.deepEqual(n1.heard.admitted, [])
    assert.match(n1.heard.events.join(), /^lost n2: n2 sent what is not a frame of the peer protocol: [^,]+$/)
  })

  it('takes a stream for lost that carries a message in the name of another node', async (t) => {
    const n2 = await lab.start('n2')
    const { call, frames, error } = rawDialer(t, 'n2')
    call.write(hello('n1', 'n2'))
    await lab.until('it says Hello', () => frames.length === 1)
    call.write(encodePeerFrame([heartbeat('n3', 'n2', 1)]))
    await lab.until('the stream is closed', () => error() !== undefined)
    assert.deepEqual(n2.heard.messages, [])
    assert.match(n2.heard.events.at(-1)!, /^lost n1: n1 sent a message from n3 to n2 to n2/)
  })

  it('forgets who connects and says nothing', async (t) => {
    await lab.start('n2')
    const { error } = rawDialer(t, 'n2')
    await lab.until('the stream is closed', () => error() !== undefined)
  })

  it('answers a stream before its start with a status that says so', async (t) => {
    const n2 = await lab.start('n2')
    await n2.transport.close()
    const { error } = rawDialer(t, 'n2')
    await lab.until('the stream is closed', () => error() !== undefined)
    assert.equal(error()!.details, 'n2 is starting or stopping')
  })

  it('says in its refusal who it is', async (t) => {
    await lab.start('n2')
    const { call, frames } = rawDialer(t, 'n2')
    call.write(hello('n7', 'n2'))
    await lab.until('it is refused', () => frames.length === 1)
    const refusal = decodePeerFrame(frames[0]!).hello!
    assert.deepEqual([refusal.from, refusal.to], ['n2', 'n7'])
    assert.equal(refusal.refusal, "n7 is not in n2's list of peers (n1): start all nodes with the same list")
  })
})
