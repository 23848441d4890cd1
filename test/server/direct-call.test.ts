import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, constants } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import { after, before, describe, it } from 'node:test'
import { Client, credentials, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { deflateSync, gzipSync } from 'node:zlib'
import { grpcFrame } from '../../bench/etcd/h2load.ts'
import { grpcHandlers } from '../../src/server/grpc-calls.ts'
import { ERROR_TRAILER } from '../../src/server/grpc-errors.ts'
import type { UnaryCall, UnaryHandler } from '../../src/server/unary-call.ts'
import { answerDirectly } from '../../src/server/answer-directly.ts'
import { decodeErrorDetail } from '../../src/wire/error-detail.ts'
import { kvMethods } from '../../src/wire/services.ts'

const MAX_BYTES = 1000
const PATH = kvMethods.Put.path

/** What a stream came to. */
interface Answer {
  readonly headers: IncomingHttpHeaders
  readonly trailers: IncomingHttpHeaders
  readonly body: Buffer
}

function frame(message: Buffer, compressed = 0): Buffer {
  const bytes = grpcFrame(message)
  bytes[0] = compressed
  return bytes
}

/** Says everything twice. */
const echo: UnaryHandler = (call) => call.answer(Buffer.concat([call.request, call.request]))

describe('unary calls straight from their streams', () => {
  let server: Server
  let session: ClientHttp2Session
  let grpc: Client
  let handler: UnaryHandler
  let port: number

  before(async () => {
    server = new Server({ 'grpc.max_receive_message_length': MAX_BYTES })
    const handlers = new Map<string, UnaryHandler>([[PATH, (call) => handler(call)]])
    server.addService({ Put: kvMethods.Put }, grpcHandlers(handlers))
    port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      )
    })
    const answers = answerDirectly(server, { unary: { handlers, maxBytes: MAX_BYTES }, windowBytes: 1 << 20 })
    assert.equal(answers, true, 'grpc-js keeps its servers where it did')
    session = connect(`http://127.0.0.1:${port}`)
    grpc = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  })

  after(() => {
    session.destroy()
    grpc.close()
    server.forceShutdown()
  })

  function open(more: Record<string, string> = {}): ClientHttp2Stream {
    return session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...more,
    })
  }

  async function answerTo(stream: ClientHttp2Stream): Promise<Answer> {
    const chunks: Buffer[] = []
    let [headers, trailers]: IncomingHttpHeaders[] = [{}, {}]
    stream.on('response', (got) => (headers = got))
    stream.on('trailers', (got: IncomingHttpHeaders) => (trailers = got))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(stream, 'end')
    return { headers: headers!, trailers: trailers!, body: Buffer.concat(chunks) }
  }

  function asked(body: Buffer, more?: Record<string, string>): Promise<Answer> {
    const stream = open(more)
    stream.end(body)
    return answerTo(stream)
  }

  /** A call of grpc-js' own client. */
  function call(request: Buffer, options: { deadline?: number; metadata?: Metadata } = {}) {
    const { path, requestSerialize, responseDeserialize } = kvMethods.Put
    const { deadline, metadata = new Metadata() } = options
    return new Promise<{ error: ServiceError | null; response: Uint8Array | undefined }>((resolve) => {
      grpc.makeUnaryRequest(
        ...([path, requestSerialize, responseDeserialize, request, metadata] as const),
        deadline === undefined ? {} : { deadline },
        (error, response) => resolve({ error, response }),
      )
    })
  }

  it('are answered with a message and status 0, and not by grpc-js', async () => {
    handler = echo
    const { headers, trailers, body } = await asked(frame(Buffer.from('ab')))
    assert.equal(headers[':status'], 200)
    assert.equal(headers['content-type'], 'application/grpc')
    assert.equal(headers['grpc-accept-encoding'], undefined, 'grpc-js would have sent this')
    assert.deepEqual(body, frame(Buffer.from('abab')))
    assert.equal(trailers['grpc-status'], '0')
  })

  it('may come in pieces of any size, and be empty', async () => {
    handler = echo
    const stream = open()
    for (const byte of frame(Buffer.from('pieces'))) {
      stream.write(Buffer.of(byte))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    stream.end()
    assert.deepEqual((await answerTo(stream)).body, frame(Buffer.from('piecespieces')))
    assert.deepEqual((await asked(frame(Buffer.alloc(0)))).body, frame(Buffer.alloc(0)))
  })

  it('understand grpc-js’ client: answers, errors with their metadata, deadlines, what was passed on', async () => {
    handler = echo
    assert.equal(Buffer.from((await call(Buffer.from('x'))).response!).toString(), 'xx')

    handler = (call) => {
      const metadata = new Metadata()
      metadata.set('balsa-error-bin', Buffer.from([0, 255]))
      const details = `50 % of “${call.forwarded}”, ${Number.isFinite(call.deadline)}`
      call.fail({ code: status.ABORTED, details, metadata })
    }
    const { error } = await call(Buffer.from('x'))
    assert.equal(error!.code, status.ABORTED)
    assert.equal(error!.details, '50 % of “false”, false')
    assert.deepEqual(error!.metadata.get('balsa-error-bin'), [Buffer.from([0, 255])])

    const metadata = new Metadata()
    metadata.set('balsa-forwarded', '1')
    const passedOn = await call(Buffer.from('x'), { deadline: Date.now() + 60_000, metadata })
    assert.equal(passedOn.error!.details, '50 % of “true”, true')
  })

  it('end when their deadline is over, and nobody works for them any more', async () => {
    let waits: UnaryCall | undefined
    let cancelled = 0
    handler = (call) => {
      waits = call
      call.whenCancelled(() => cancelled++)
    }
    const { headers } = await asked(frame(Buffer.from('x')), { 'grpc-timeout': '20m' })
    assert.equal(headers['grpc-status'], String(status.DEADLINE_EXCEEDED))
    assert.ok(Math.abs(waits!.deadline - Date.now()) < 10_000)
    assert.equal(cancelled, 1)
    waits!.answer(Buffer.from('too late'))
    waits!.fail({ code: status.INTERNAL, details: 'too late' })
    assert.equal(cancelled, 1)
  })

  it('take no answer once the client went away', async () => {
    const gone = new Promise<UnaryCall>((resolve) => {
      handler = (call) => call.whenCancelled(() => resolve(call))
    })
    const stream = open()
    stream.on('error', () => {})
    stream.end(frame(Buffer.from('x')))
    await new Promise((resolve) => setTimeout(resolve, 20))
    stream.close(constants.NGHTTP2_CANCEL)
    ;(await gone).answer(Buffer.from('nobody hears it'))
    handler = echo
    assert.equal((await asked(frame(Buffer.from('next')))).trailers['grpc-status'], '0')
  })

  it('refuse what is no message, or too large a one', async () => {
    handler = () => assert.fail('it was taken for a message')
    const whole = frame(Buffer.from('message'))
    const large = frame(Buffer.alloc(MAX_BYTES + 1))
    const wrong: [what: string, body: Buffer, code: status, words: RegExp][] = [
      ['nothing', Buffer.alloc(0), status.UNIMPLEMENTED, /no%20request%20message/],
      ['half a prefix', whole.subarray(0, 4), status.UNIMPLEMENTED, /no%20request%20message/],
      ['half a message', whole.subarray(0, 9), status.INTERNAL, /cut%20off/],
      ['two messages', Buffer.concat([whole, whole]), status.UNIMPLEMENTED, /second/],
      ['a message and a byte', Buffer.concat([whole, Buffer.of(0)]), status.UNIMPLEMENTED, /second/],
      ['compressed', frame(Buffer.from('x'), 1), status.INTERNAL, /compressed/],
      ['too large', large, status.INVALID_ARGUMENT, /1001%20bytes,%20at%20most%201000/],
      ['too large by its prefix', large.subarray(0, 5), status.INVALID_ARGUMENT, /1001%20bytes/],
    ]
    for (const [what, body, code, words] of wrong) {
      const { headers } = await asked(body)
      assert.equal(headers['grpc-status'], String(code), what)
      assert.match(String(headers['grpc-message']), words, what)
    }
    handler = echo
    assert.equal((await asked(frame(Buffer.alloc(MAX_BYTES)))).body.length, 5 + 2 * MAX_BYTES, 'the largest')
  })

  it('are certain not to be executed where they are too large', async () => {
    handler = () => assert.fail('it was taken')
    const { error } = await call(Buffer.alloc(MAX_BYTES + 1))
    const [trailer] = error!.metadata.get(ERROR_TRAILER)
    const { code, notExecuted } = decodeErrorDetail(trailer as Buffer)
    assert.deepEqual([code, notExecuted], ['INVALID_ARGUMENT', true])
  })

  it('are read to their end after a refusal: what comes holds nothing up', async () => {
    handler = echo
    const stream = open()
    const answer = answerTo(stream)
    stream.write(frame(Buffer.alloc(MAX_BYTES + 1)).subarray(0, 5))
    assert.equal((await answer).headers['grpc-status'], String(status.INVALID_ARGUMENT))
    // More than fits the windows of the stream and of the session.
    for (let i = 0; i < 200; i++) stream.write(Buffer.alloc(1000))
    stream.end()
    await once(stream, 'close')
    assert.equal((await asked(frame(Buffer.from('next')))).trailers['grpc-status'], '0')
  })

  it('can have answers larger than any window, each whole, many at a time', async () => {
    handler = (call) => call.answer(Buffer.alloc(300_000, call.request))
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => asked(frame(Buffer.from(String.fromCharCode(97 + (i % 26)))))),
    )
    for (const [i, { body, trailers }] of answers.entries()) {
      assert.deepEqual(body, frame(Buffer.alloc(300_000, String.fromCharCode(97 + (i % 26)))))
      assert.equal(trailers['grpc-status'], '0')
    }
  })

  it('may be compressed as gRPC has it, and are not grpc-js’ for that', async () => {
    handler = echo
    for (const [encoding, compress] of [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
    ] as const) {
      const more = { 'grpc-encoding': encoding }
      const { headers, trailers, body } = await asked(frame(compress('zip'), 1), more)
      assert.equal(headers['grpc-accept-encoding'], undefined, 'grpc-js would have sent this')
      assert.deepEqual([body, trailers['grpc-status']], [frame(Buffer.from('zipzip')), '0'])
      assert.deepEqual(
        (await asked(frame(Buffer.from('as it is')), more)).body,
        frame(Buffer.from('as it isas it is')),
      )
      assert.equal(
        (await asked(frame(compress(Buffer.alloc(MAX_BYTES)), 1), more)).trailers['grpc-status'],
        '0',
      )
      const unknown = await asked(frame(compress('zip'), 1), { 'grpc-encoding': 'zip' })
      assert.equal(unknown.headers['grpc-status'], String(status.UNIMPLEMENTED))
      for (const [bytes, code, words] of [
        [compress(Buffer.alloc(MAX_BYTES + 1)), status.RESOURCE_EXHAUSTED, /more%20than%201000/],
        [Buffer.from('no such thing'), status.INTERNAL, /cannot%20be%20decompressed/],
      ] as const) {
        const refused = await asked(frame(bytes, 1), more)
        assert.equal(refused.headers['grpc-status'], String(code))
        assert.match(String(refused.headers['grpc-message']), words)
      }
    }
  })

  describe('of a client that reads nothing', () => {
    const MiB = 1024 * 1024

    /** Opens that many calls on a connection of their own, none of which is ever read, and waits for their requests. */
    async function unread(count: number, answers: (call: UnaryCall) => void, more = {}) {
      const deaf = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 0 } })
      const streams: ClientHttp2Stream[] = []
      const closed = new Promise<string>((resolve) =>
        deaf.once('close', () => resolve('the connection closed')),
      )
      const asked = new Promise<string>((resolve) => {
        let seen = 0
        handler = (call) => {
          answers(call)
          if (++seen === count) resolve('all were asked')
        }
      })
      deaf.on('error', () => {})
      for (let i = 0; i < count; i++) {
        const stream = deaf.request({
          ':method': 'POST',
          ':path': PATH,
          'content-type': 'application/grpc',
          ...more,
        })
        stream.on('error', () => {})
        stream.end(frame(Buffer.from('x')))
        streams.push(stream)
      }
      return { deaf, streams, closed, outcome: await Promise.race([asked, closed]) }
    }

    it('are better refused, where they are reads, once 16 MiB wait for it; others are served', async () => {
      const kinds: boolean[] = []
      const calls: UnaryCall[] = []
      const { deaf, streams, outcome } = await unread(40, (call) => {
        calls.push(call)
        kinds.push(call.congested)
        if (!call.congested) call.answer(Buffer.alloc(MiB))
      })
      assert.equal(outcome, 'all were asked')
      // The sixteenth goes beyond 16 MiB by its prefix and what the calls themselves take.
      assert.deepEqual([kinds.indexOf(true), kinds.filter(Boolean).length], [16, 24])
      handler = (call) => call.answer(Buffer.from(`${call.congested}`))
      assert.equal((await asked(frame(Buffer.from('x')))).body.subarray(5).toString(), 'false')
      // What the client gives up waits for it no longer.
      const closed = Promise.all(streams.slice(0, 16).map((stream) => once(stream, 'close')))
      for (const stream of streams.slice(0, 16)) stream.close(constants.NGHTTP2_CANCEL)
      await closed
      for (let i = 0; calls.at(-1)!.congested && i < 100; i++) await new Promise((r) => setTimeout(r, 10))
      assert.equal(calls.at(-1)!.congested, false)
      deaf.destroy()
    })

    it('close its connection once 64 MiB wait for it', async () => {
      const calls: UnaryCall[] = []
      const { closed } = await unread(100, (call) => {
        calls.push(call)
        call.answer(Buffer.alloc(MiB))
      })
      assert.equal(await closed, 'the connection closed')
      assert.ok(calls.length >= 65 && calls.length <= 100)
      assert.ok(calls.at(-1)!.congested, 'nobody takes its answer')
    })

    it('are lost one by one where another node asks: it asks for many clients', async () => {
      const { deaf, streams, outcome } = await unread(70, (call) => call.answer(Buffer.alloc(MiB)), {
        'balsa-forwarded': '1',
      })
      assert.equal(outcome, 'all were asked')
      const lost = streams.slice(64)
      await Promise.all(
        lost.map(
          (stream) =>
            new Promise((resolve) => {
              if (stream.destroyed) resolve(undefined)
              else stream.once('close', resolve)
            }),
        ),
      )
      assert.ok(lost.every(({ rstCode }) => rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM))
      assert.ok(streams.slice(0, 64).every(({ destroyed }) => !destroyed))
      assert.deepEqual([deaf.destroyed, deaf.closed], [false, false])
      deaf.destroy()
    })
  })

  it('stay grpc-js’ where they are not plain', async () => {
    handler = echo
    const cases: [more: Record<string, string>, status: RegExp][] = [
      [{ ':path': '/balsa.v1.Kv/Nothing' }, /^200 12$/],
      [{ 'content-type': 'text/plain' }, /^415 $/],
      [{ 'grpc-timeout': 'soon' }, /^200 13$/],
    ]
    for (const [more, expected] of cases) {
      const { headers, trailers } = await asked(frame(Buffer.from('x')), more)
      const grpcStatus = headers['grpc-status'] ?? trailers['grpc-status']
      assert.match([headers[':status'], grpcStatus].join(' '), expected)
    }
  })
})
