import type { handleUnaryCall, sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js'
import { isForwarded } from './forwarder.ts'
import type { CallStatus, UnaryCall, UnaryHandler } from './unary-call.ts'

type Bytes = Uint8Array

/**
 * What grpc-js calls, by the methods' names: it reads off the wire what `answerDirectly` leaves to it.
 * @param handlers by path
 */
export function grpcHandlers(
  handlers: ReadonlyMap<string, UnaryHandler>,
): Record<string, handleUnaryCall<Bytes, Bytes>> {
  const named = [...handlers].map(([path, handler]) => [path.split('/').at(-1), grpcHandler(path, handler)])
  return Object.fromEntries(named) as Record<string, handleUnaryCall<Bytes, Bytes>>
}

function grpcHandler(path: string, handler: UnaryHandler): handleUnaryCall<Bytes, Bytes> {
  return (call, callback) => {
    try {
      handler(new GrpcCall(path, call, callback))
    } catch (error) {
      // grpc-js would answer it with UNKNOWN and go on: a mistake of ours has to end the process instead.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

class GrpcCall implements UnaryCall {
  readonly path: string
  readonly request: Bytes
  readonly #call: ServerUnaryCall<Bytes, Bytes>
  readonly #callback: sendUnaryData<Bytes>

  constructor(path: string, call: ServerUnaryCall<Bytes, Bytes>, callback: sendUnaryData<Bytes>) {
    this.path = path
    this.request = call.request
    this.#call = call
    this.#callback = callback
  }

  get forwarded(): boolean {
    return isForwarded(this.#call.metadata)
  }

  get deadline(): number {
    return Number(this.#call.getDeadline())
  }

  /** What the client has not taken yet grpc-js does not say. */
  get congested(): boolean {
    return this.#call.cancelled
  }

  answer(response: Bytes): void {
    this.#callback(null, response)
  }

  fail(status: CallStatus): void {
    this.#callback(status)
  }

  whenCancelled(run: () => void): void {
    this.#call.on('cancelled', run)
  }
}
