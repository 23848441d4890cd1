import { Client, type ClientDuplexStream, credentials, status as grpcStatus } from '@grpc/grpc-js'
import { systemClock } from '../clock.ts'
import { ResourceExhaustedError, UnavailableError } from '../errors.ts'
import { plainDetails } from '../wire/grpc-details.ts'
import type { StatusResponse } from '../wire/proto.ts'
import { exchangeMethod } from '../wire/services.ts'
import type { Connection, ConnectionHandlers, Connector, Runtime } from './connector.ts'

/** When this much or less waits to leave, more may be sent. In bytes. */
const DRAINED_BYTES = 1024 * 1024

/**
 * Every connection is a TCP connection of its own: one that is suspect is dropped with everything that is stuck
 * in it, and the next one cannot inherit its silence.
 */
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
  readonly #client: Client
  readonly #stream: ClientDuplexStream<Uint8Array, Uint8Array>
  #unsentBytes = 0
  #closed = false

  constructor(endpoint: string, handlers: ConnectionHandlers) {
    this.#client = new Client(endpoint, credentials.createInsecure(), CHANNEL_OPTIONS)
    const { path, requestSerialize, responseDeserialize } = exchangeMethod
    this.#stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
    this.#drained = () => handlers.drained()
    const ended = (error: Error): void => {
      if (this.#closed) return
      this.close()
      handlers.closed(error)
    }
    this.#stream.on('data', (bytes: Uint8Array) => {
      if (!this.#closed) handlers.frame(bytes)
    })
    this.#stream.on('error', (error: Error & { details?: string; code?: number }) => {
      const code = error.code === undefined ? '' : ` (${grpcStatus[error.code]})`
      const why = `${plainDetails(error.details ?? error.message)}${code}`
      // gRPC's word for a message above the receiver's limit. A node that is short of something says so in its answers.
      if (error.code !== grpcStatus.RESOURCE_EXHAUSTED) ended(unavailable(endpoint, why, error))
      else ended(new ResourceExhaustedError(`${endpoint}: ${why}`, { cause: error }))
    })
    this.#stream.on('end', () => ended(unavailable(endpoint, 'the node ended the connection', undefined)))
  }

  readonly #drained: () => void

  get unsentBytes(): number {
    return this.#unsentBytes
  }

  send(frame: Uint8Array): void {
    if (this.#closed) return
    this.#unsentBytes += frame.length
    this.#stream.write(frame, () => {
      const before = this.#unsentBytes
      this.#unsentBytes -= frame.length
      if (!this.#closed && before > DRAINED_BYTES && this.#unsentBytes <= DRAINED_BYTES) this.#drained()
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#stream.cancel()
    this.#client.close()
  }
}

function unavailable(endpoint: string, why: string, cause: unknown): UnavailableError {
  return new UnavailableError(`${endpoint}: ${why}`, { cause })
}
