import { Client, credentials, status as grpcStatus } from '@grpc/grpc-js'
import { systemClock } from '../clock.ts'
import { ResourceExhaustedError, UnavailableError } from '../errors.ts'
import { DialedStream } from '../rpc/dialed-stream.ts'
import type { StreamStatus } from '../rpc/message-stream.ts'
import type { StatusResponse } from '../wire/proto.ts'
import { exchangeMethod } from '../wire/services.ts'
import type { Connection, ConnectionHandlers, Connector, Runtime } from './connector.ts'

/** When this much or less waits to leave, more may be sent. In bytes. */
const DRAINED_BYTES = 1024 * 1024

/** For questions beside the stream. */
const CHANNEL_OPTIONS = Object.freeze({
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
})

/** Reaches nodes by gRPC. */
export class GrpcConnector implements Connector {
  connect(endpoint: string, handlers: ConnectionHandlers): Connection {
    return new GrpcConnection(endpoint, handlers)
  }

  async status(endpoint: string, timeoutMs: number): Promise<StatusResponse> {
    // Most programs never ask for it, and the .proto files take a while to read.
    const { loadProtos } = await import('../wire/proto.ts')
    const { statusMethod } = loadProtos()
    const client = new Client(endpoint, credentials.createInsecure(), CHANNEL_OPTIONS)
    try {
      return await new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          statusMethod.path,
          statusMethod.requestSerialize,
          statusMethod.responseDeserialize,
          {},
          { deadline: Date.now() + timeoutMs },
          (error, answer) => {
            if (answer !== undefined) resolve(answer)
            else reject(unavailable(endpoint, error?.details ?? 'no answer', error))
          },
        )
      })
    } finally {
      client.close()
    }
  }
}

/** The client's surroundings outside of simulations. Its timers exist only while calls wait, and keep the process alive. */
export function systemRuntime(): Runtime {
  return { connector: new GrpcConnector(), clock: systemClock({ keepAlive: true }), random: Math.random }
}

class GrpcConnection implements Connection {
  readonly #stream: DialedStream

  constructor(endpoint: string, handlers: ConnectionHandlers) {
    this.#stream = new DialedStream(
      endpoint,
      exchangeMethod.path,
      {},
      {
        message: (bytes) => handlers.frame(bytes),
        left: (bytes) => {
          const now = this.unsentBytes
          if (now <= DRAINED_BYTES && now + bytes > DRAINED_BYTES) handlers.drained()
        },
        closed: (why) => handlers.closed(errorOf(endpoint, why)),
      },
    )
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes
  }

  send(frame: Uint8Array): void {
    this.#stream.send(frame)
  }

  close(): void {
    this.#stream.abort()
  }
}

function errorOf(endpoint: string, why: StreamStatus | undefined): Error {
  if (why === undefined) return unavailable(endpoint, 'the node ended the connection', undefined)
  const words = `${why.details} (${grpcStatus[why.code]})`
  // gRPC's word for a message above the receiver's limit. A node that is short of something says so in its answers.
  if (why.code !== grpcStatus.RESOURCE_EXHAUSTED) return unavailable(endpoint, words, undefined)
  return new ResourceExhaustedError(`${endpoint}: ${words}`)
}

function unavailable(endpoint: string, why: string, cause: unknown): UnavailableError {
  return new UnavailableError(`${endpoint}: ${why}`, { cause })
}
