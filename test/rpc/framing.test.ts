import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import type { Http2Stream } from 'node:http2'
import { describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import { framed, Framing } from '../../src/rpc/framing.ts'
import type { StreamStatus } from '../../src/rpc/message-stream.ts'

/** A stream that keeps what is written until it is let go. */
class HeldStream extends Duplex {
  readonly written: Buffer[] = []
  readonly #held: (() => void)[] = []

  constructor() {
    super({
      read: () => {},
      write: (chunk: Buffer, _, taken) => void (this.written.push(chunk), this.#held.push(taken)),
    })
  }

  let(): void {
    this.#held.shift()!()
  }
}

class Heard {
  readonly messages: Buffer[] = []
  readonly broken: StreamStatus[] = []
  readonly left: number[] = []
  readonly stream = new HeldStream()
  readonly framing: Framing

  constructor(maxBytes = 1000) {
    this.framing = new Framing(this.stream as unknown as Http2Stream, maxBytes, {
      message: (bytes) => this.messages.push(bytes as Buffer),
      left: (bytes) => this.left.push(bytes),
      broken: (why) => this.broken.push(why),
    })
  }

  /** What comes in, each chunk by itself. */
  async receive(...chunks: Buffer[]): Promise<void> {
    for (const chunk of chunks) {
      this.stream.push(chunk)
      await new Promise(setImmediate)
    }
  }
}

const tick = (): Promise<void> => new Promise(setImmediate)

describe('messages as gRPC frames them', () => {
  it('stand behind their length, uncompressed', () => {
    assert.deepEqual(framed(Buffer.from('abc')), Buffer.from([0, 0, 0, 0, 3, 97, 98, 99]))
    assert.deepEqual(framed(Buffer.alloc(0)), Buffer.alloc(5))
  })

  it('are put together from pieces, wherever they are cut', async () => {
    const messages = ['one', '', 'three', '', 'x'.repeat(300)].map((text) => Buffer.from(text))
    const bytes = Buffer.concat(messages.map(framed))
    for (let size = 1; size <= bytes.length; size++) {
      const heard = new Heard()
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      )
      // All at once: a test of ten thousand turns would take its time.
      for (const chunk of chunks) heard.stream.push(chunk)
      await tick()
      assert.deepEqual(heard.messages, messages, `in pieces of ${size}`)
    }
  })

  it('have memory of their own: who keeps a message keeps nothing that came in beside it', async () => {
    const heard = new Heard()
    const bytes = Buffer.concat([framed(Buffer.from('first')), framed(Buffer.from('second'))])
    await heard.receive(bytes)
    bytes.fill(0)
    assert.deepEqual(heard.messages.map(String), ['first', 'second'])
  })

  it('are refused by their length alone where they are too large, and nothing after them is heard', async () => {
    const heard = new Heard(10)
    await heard.receive(
      framed(Buffer.alloc(10)),
      framed(Buffer.alloc(11)).subarray(0, 5),
      framed(Buffer.alloc(1)),
    )
    assert.equal(heard.messages.length, 1)
    const details = 'Received message larger than max (11 vs 10)'
    assert.deepEqual(heard.broken, [{ code: status.RESOURCE_EXHAUSTED, details }])
  })

  it('are refused where they are compressed, and nobody said how', async () => {
    const heard = new Heard()
    await heard.receive(Buffer.from([1, 0, 0, 0, 1, 7]), framed(Buffer.alloc(1)))
    assert.deepEqual(heard.messages, [])
    assert.deepEqual(
      heard.broken.map(({ code }) => code),
      [status.INTERNAL],
    )
  })

  it('count until they have left', async () => {
    const heard = new Heard()
    heard.framing.send(Buffer.from('abc'))
    heard.framing.send(Buffer.from('defgh'))
    assert.equal(heard.framing.unsentBytes, 8)
    heard.stream.let()
    await tick()
    assert.deepEqual([heard.framing.unsentBytes, heard.left], [5, [3]])
    heard.stream.let()
    await tick()
    assert.deepEqual([heard.framing.unsentBytes, heard.left], [0, [3, 5]])
    assert.deepEqual(heard.stream.written, [framed(Buffer.from('abc')), framed(Buffer.from('defgh'))])
  })

  it('are neither heard nor sent any more once it is silenced, and hold nothing up', async () => {
    const heard = new Heard()
    const bytes = framed(Buffer.from('abcdef'))
    heard.framing.send(Buffer.from('abc'))
    await heard.receive(bytes.subarray(0, 8))
    heard.framing.silence()
    heard.framing.send(Buffer.from('def'))
    heard.stream.let()
    await heard.receive(bytes.subarray(8), bytes)
    assert.deepEqual([heard.messages, heard.left, heard.framing.unsentBytes], [[], [], 0])
    assert.equal(heard.stream.written.length, 1)
    assert.equal(heard.stream.readableLength, 0)
  })

  it('are dropped where the stream has ended', () => {
    const heard = new Heard()
    heard.stream.end()
    heard.framing.send(Buffer.from('abc'))
    assert.equal(heard.framing.unsentBytes, 0)
  })
})
