import { Client, credentials } from '@grpc/grpc-js'
import { UnavailableError } from '../errors.ts'
import { plainDetails } from '../wire/grpc-details.ts'
import { Reader, Writer } from '../wire/protobuf.ts'

/** The states of grpc.health.v1, by their numbers. */
const STATES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const

/** What a node says of itself or of one of its services. */
export type HealthState = (typeof STATES)[number]

/** Services that a node knows: `''` lives as long as its disk works, `balsa.v1.Kv` serves while it knows a leader. */
export const HealthService = { Node: '', Kv: 'balsa.v1.Kv' } as const

/**
 * Asks one node for its health (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
 *
 * @param timeoutMs how long it may take, in milliseconds.
 * @throws UnavailableError where the node does not answer in time.
 */
export async function checkHealth(
  endpoint: string,
  service: string,
  timeoutMs: number,
): Promise<HealthState> {
  const client = new Client(endpoint, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 })
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        encodeRequest,
        decodeState,
        service,
        { deadline: Date.now() + timeoutMs },
        (error, state) => {
          if (state !== undefined) resolve(state)
          else
            reject(
              new UnavailableError(`${endpoint}: ${plainDetails(error?.details ?? 'no answer')}`, {
                cause: error,
              }),
            )
        },
      )
    })
  } finally {
    client.close()
  }
}

function encodeRequest(service: string): Buffer {
  const writer = new Writer(64)
  writer.optionalString(1, service)
  return writer.finish()
}

function decodeState(bytes: Buffer): HealthState {
  const reader = new Reader(bytes)
  let state = 0
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) state = reader.uint()
    else reader.skip(tag)
  }
  return STATES[state] ?? 'UNKNOWN'
}
