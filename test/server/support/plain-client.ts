import { createRequire } from 'node:module'
import { credentials, loadPackageDefinition } from '@grpc/grpc-js'
import type { Client, ClientDuplexStream, ServiceClientConstructor } from '@grpc/grpc-js'
import { loadFileDescriptorSetFromBuffer, loadSync } from '@grpc/proto-loader'
import type { PackageDefinition } from '@grpc/proto-loader'
import { protoPath } from 'grpc-health-check'

const OPTIONS = { longs: Number, enums: String, defaults: true } as const

/** The .proto that says how reflection is asked: it comes with the package that answers. */
const REFLECTION_PROTO = createRequire(import.meta.url).resolve(
  '@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto',
)

/** A client that knows nothing but the service's definition, as any gRPC client in any language. */
export class PlainClient {
  readonly #client: Client & Record<string, unknown>

  constructor(address: string, definition: PackageDefinition, service: string) {
    let found: unknown = loadPackageDefinition(definition)
    for (const part of service.split('.')) found = (found as Record<string, unknown>)[part]
    const Service = found as ServiceClientConstructor
    this.#client = new Service(address, credentials.createInsecure())
  }

  async call(method: string, request: object): Promise<Record<string, unknown>> {
    const unary = this.#client[method] as (
      request: object,
      done: (error: Error | null, answer: Record<string, unknown>) => void,
    ) => void
    return new Promise((resolve, reject) => {
      unary.call(this.#client, request, (error, answer) => {
        if (error === null) resolve(answer)
        else reject(error)
      })
    })
  }

  /** Sends the requests on a bidirectional stream, half-closes it, and waits for its end. */
  async stream(method: string, requests: readonly object[]): Promise<Record<string, unknown>[]> {
    const bidi = this.#client[method] as () => ClientDuplexStream<object, object>
    const stream = bidi.call(this.#client)
    const answers: Record<string, unknown>[] = []
    stream.on('data', (answer: Record<string, unknown>) => answers.push(answer))
    for (const request of requests) stream.write(request)
    stream.end()
    await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject))
    return answers
  }

  close(): void {
    this.#client.close()
  }
}

/** Asks a node for its health as orchestrators do. */
export function healthClient(address: string): PlainClient {
  return new PlainClient(address, loadSync(protoPath, OPTIONS), 'grpc.health.v1.Health')
}

/** Asks a node what it can be asked. */
export function reflectionClient(address: string): PlainClient {
  return new PlainClient(address, loadSync(REFLECTION_PROTO, OPTIONS), 'grpc.reflection.v1.ServerReflection')
}

/** What files of descriptors, as reflection gives them, define. */
export function definitionOf(files: readonly Uint8Array[]): PackageDefinition {
  // A FileDescriptorSet has them as its field 1.
  const set = files.flatMap((file) => [Buffer.from([0x0a, ...varint(file.length)]), file])
  return loadFileDescriptorSetFromBuffer(Buffer.concat(set), OPTIONS)
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
}
