import type { MethodDefinition } from '@grpc/grpc-js'

/**
 * The methods whose messages have a codec of their own, for grpc-js. They carry bytes: what they mean is the
 * business of unary.ts, frames.ts and message.ts. So a service decodes a request itself and answers one that is
 * wrong with INVALID_ARGUMENT (grpc-js would make it INTERNAL), and a follower passes requests on as they are.
 */
export type BytesMethod = MethodDefinition<Uint8Array, Uint8Array>

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function bytesMethod(path: string, stream: boolean): BytesMethod {
  return Object.freeze({
    path,
    requestStream: stream,
    responseStream: stream,
    requestSerialize: toBuffer,
    requestDeserialize: toBuffer,
    responseSerialize: toBuffer,
    responseDeserialize: toBuffer,
  })
}

/** The service balsa.v1.Kv: what applications call. The names are those of kv.proto. */
export const kvMethods = Object.freeze({
  Get: bytesMethod('/balsa.v1.Kv/Get', false),
  GetMany: bytesMethod('/balsa.v1.Kv/GetMany', false),
  Put: bytesMethod('/balsa.v1.Kv/Put', false),
  PutMany: bytesMethod('/balsa.v1.Kv/PutMany', false),
  Delete: bytesMethod('/balsa.v1.Kv/Delete', false),
  CompareAndSwap: bytesMethod('/balsa.v1.Kv/CompareAndSwap', false),
  Compact: bytesMethod('/balsa.v1.Kv/Compact', false),
  OpenSession: bytesMethod('/balsa.v1.Kv/OpenSession', false),
  CloseSession: bytesMethod('/balsa.v1.Kv/CloseSession', false),
  Exchange: bytesMethod('/balsa.v1.Kv/Exchange', true),
})

/** Kv.Exchange: frames both ways (frames.ts). */
export const exchangeMethod: BytesMethod = kvMethods.Exchange

/** Raft.Snapshot: frames both ways (snapshot-frame.ts). */
export const snapshotMethod: BytesMethod = bytesMethod('/balsa.v1.Raft/Snapshot', true)

/** Raft.Connect: frames both ways (message.ts). */
export const connectMethod: BytesMethod = bytesMethod('/balsa.v1.Raft/Connect', true)
