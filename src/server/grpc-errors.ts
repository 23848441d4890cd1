import { Metadata, status } from '@grpc/grpc-js'
import type { StatusObject } from '@grpc/grpc-js'
import { GRPC_STATUS } from '../errors.ts'
import { encodeErrorDetail } from '../wire/error-detail.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'

/** The trailer in which an error's typed detail travels. */
export const ERROR_TRAILER = 'balsa-error-bin'

/** What a unary call fails with: gRPC's own status for any client, and the typed detail for those who know it. */
export function grpcError(detail: ErrorDetail): StatusObject {
  const metadata = new Metadata()
  metadata.set(ERROR_TRAILER, Buffer.from(encodeErrorDetail(detail)))
  return { code: status[GRPC_STATUS[detail.code]], details: detail.message, metadata }
}
