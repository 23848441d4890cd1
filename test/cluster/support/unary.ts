import { Client, credentials, Metadata } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { decodeErrorDetail } from '../../../src/wire/error-detail.ts'
import type { ErrorDetail } from '../../../src/wire/error-detail.ts'
import { loadProtos } from '../../../src/wire/proto.ts'

/** The answer of a unary call: what came back, or the gRPC status with Balsa's detail, where there is one. */
export type UnaryAnswer =
  | { readonly response: Record<string, unknown> }
  | { readonly status: number; readonly detail: ErrorDetail | undefined }

const { packageDefinition } = loadProtos()

/**
 * Calls a unary method of `balsa.v1.Kv` as any gRPC client would, by what the .proto says.
 * `metadata` goes with it.
 */
export async function callUnary(
  address: string,
  method: string,
  request: object,
  options: { metadata?: Record<string, string>; timeoutMs?: number } = {},
): Promise<UnaryAnswer> {
  const service = packageDefinition['balsa.v1.Kv'] as unknown as Record<
    string,
    {
      path: string
      requestSerialize: (value: object) => Buffer
      responseDeserialize: (bytes: Buffer) => object
    }
  >
  const { path, requestSerialize, responseDeserialize } = service[method]!
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  const metadata = new Metadata()
  for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value)
  const deadline = Date.now() + (options.timeoutMs ?? 10_000)
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        { deadline },
        (error: ServiceError | null, response?: object) => {
          if (error === null) resolve({ response: response as Record<string, unknown> })
          else resolve({ status: error.code, detail: detailOf(error) })
        },
      )
    })
  } finally {
    client.close()
  }
}

function detailOf(error: ServiceError): ErrorDetail | undefined {
  const [bytes] = error.metadata.get('balsa-error-bin')
  return Buffer.isBuffer(bytes) ? decodeErrorDetail(bytes) : undefined
}
