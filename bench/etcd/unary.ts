import { fileURLToPath } from 'node:url'
import { Client, credentials } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { MethodDefinition } from '@grpc/proto-loader'

/** A method of a .proto file, with the functions that write its requests and read its answers. */
export type UnaryMethod = MethodDefinition<object, object>

const FOLDERS = [new URL('.', import.meta.url), new URL('../../protos', import.meta.url)].map((folder) =>
  fileURLToPath(folder),
)

/** The methods of a service, by their names. @throws Error where the file has no such service */
export function methodsOf(file: string, service: string): Readonly<Record<string, UnaryMethod>> {
  const loaded = loadSync(file, { includeDirs: FOLDERS, keepCase: false, longs: Number, defaults: true })
  const found = loaded[service]
  if (found === undefined || 'format' in found) throw new Error(`${file} has no service ${service}`)
  return found
}

/** Unary calls to one address through grpc-js, the same for both systems. */
export class UnaryClient implements Disposable {
  readonly #client: Client

  constructor(address: string) {
    // After a member's death it is asked again soon: grpc-js would wait for up to two minutes.
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 200,
    })
  }

  /** @throws (rejects with) grpc-js's ServiceError */
  call<T extends object>(method: UnaryMethod, request: object, timeoutMs = 10_000): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        (bytes: Buffer) => method.responseDeserialize(bytes) as T,
        request,
        { deadline: Date.now() + timeoutMs },
        (error, answer) => (error ? reject(error) : resolve(answer!)),
      )
    })
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}
