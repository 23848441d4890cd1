import assert from 'node:assert/strict'
import { Client, credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js'
import type { ClientDuplexStream } from '@grpc/grpc-js'
import { DialedStream } from '../../src/rpc/dialed-stream.ts'
import type { DialOptions } from '../../src/rpc/dialed-stream.ts'
import { grpcStreamHandler } from '../../src/rpc/grpc-stream.ts'
import type { IncomingListener, IncomingStream, StreamStatus } from '../../src/rpc/message-stream.ts'
import { answerDirectly } from '../../src/server/answer-directly.ts'
import { exchangeMethod } from '../../src/wire/services.ts'

const { path } = exchangeMethod
/** The longest message that an `Acceptor` takes in. */
export const MAX_BYTES = 1024 * 1024

const closing: (() => void)[] = []

/** Ends after a test what it began, the last thing first. */
export function closeAll(): void {
  for (const close of closing.splice(0).reverse()) close()
}

/** Has `close` called by `closeAll`. */
export function closeLater(close: () => void): void {
  closing.push(close)
}

/** What an end of a stream hears, and how to wait for it. */
export class Ear implements IncomingListener {
  readonly messages: string[] = []
  readonly ends: ('ended' | StreamStatus | undefined)[] = []
  bytes = 0
  #changed = (): void => {}

  message(bytes: Uint8Array): void {
    this.messages.push(String(bytes))
    this.bytes += bytes.length
    this.#changed()
  }

  left(): void {
    this.#changed()
  }

  ended(): void {
    this.ends.push('ended')
    this.#changed()
  }

  closed(why: StreamStatus | undefined): void {
    this.ends.push(why)
    this.#changed()
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#changed = resolve))
  }
}

export interface Accepted {
  readonly stream: IncomingStream
  readonly ear: Ear
}

/** A server that lets each stream be heard by an ear of its own. */
export class Acceptor {
  readonly #server = new Server({ 'grpc.max_receive_message_length': MAX_BYTES })
  readonly #waiting: ((accepted: Accepted) => void)[] = []
  readonly #accepted: Accepted[] = []
  address = ''

  /** @param direct whether it answers without grpc-js what it can */
  static async start(direct: boolean): Promise<Acceptor> {
    const acceptor = new Acceptor()
    await acceptor.#listen(direct)
    closing.push(() => acceptor.stop())
    return acceptor
  }

  async #listen(direct: boolean): Promise<void> {
    const handler = (stream: IncomingStream): void => {
      const accepted = { stream, ear: new Ear() }
      stream.hear(accepted.ear)
      const next = this.#waiting.shift()
      if (next === undefined) this.#accepted.push(accepted)
      else next(accepted)
    }
    this.#server.addService({ exchange: exchangeMethod }, { exchange: grpcStreamHandler(handler) })
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      )
    })
    const streams = { handlers: new Map([[path, handler]]), maxBytes: MAX_BYTES }
    if (direct) assert.ok(answerDirectly(this.#server, { streams, windowBytes: 1 << 18 }))
    this.address = `127.0.0.1:${port}`
  }

  accepted(): Promise<Accepted> {
    const accepted = this.#accepted.shift()
    if (accepted !== undefined) return Promise.resolve(accepted)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  stop(): void {
    this.#server.forceShutdown()
  }
}

export interface Dialed {
  readonly stream: DialedStream
  readonly ear: Ear
}

/** Dials as Balsa does. */
export function dial(address: string, options: DialOptions = {}): Dialed {
  const ear = new Ear()
  const stream = new DialedStream(address, path, options, ear)
  closing.push(() => stream.abort())
  return { stream, ear }
}

/** Dials as any other gRPC client does. */
export function dialByGrpc(
  address: string,
  options = {},
  headers: Readonly<Record<string, string>> = {},
): ClientDuplexStream<Uint8Array, Uint8Array> {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    ...options,
  })
  closing.push(() => client.close())
  const { requestSerialize, responseDeserialize } = exchangeMethod
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata)
}
