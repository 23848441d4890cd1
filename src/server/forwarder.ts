import { Client, credentials, Metadata, status } from '@grpc/grpc-js'
import type { ChannelOptions, ClientDuplexStream, MethodDefinition, ServiceError } from '@grpc/grpc-js'
import type { NodeId } from '../raft/types.ts'
import { kvMethods } from '../wire/services.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import { ERROR_TRAILER, grpcError } from './grpc-errors.ts'
import { tooBusy } from './refusals.ts'
import { FORWARDED } from './unary-call.ts'
import type { CallStatus, UnaryCall } from './unary-call.ts'

type Bytes = Uint8Array

/** What may be refused also after it was executed: it changes nothing. */
const READS: ReadonlySet<string> = new Set([kvMethods.Get.path, kvMethods.GetMany.path])

/** Whether another node has passed this request on already. */
export function isForwarded(metadata: Metadata): boolean {
  return metadata.get(FORWARDED).length > 0
}

/**
 * Passes requests on to the leader, as the bytes that they are, on the peer network: what the leader advertises
 * to clients may mean nothing here (published ports of containers, for one).
 */
export class Forwarder {
  readonly #peers: ReadonlyMap<NodeId, string>
  readonly #options: ChannelOptions
  readonly #clients = new Map<NodeId, Client>()

  /** @param peers the peer addresses of the other nodes */
  constructor(peers: ReadonlyMap<NodeId, string>, options: ChannelOptions) {
    this.#peers = peers
    this.#options = options
  }

  /** Asks the leader what this node was asked, within the caller's deadline. */
  unary(call: UnaryCall, leader: NodeId): void {
    const { requestSerialize, responseDeserialize } = kvMethods.Put // bytes, as for all of them
    const forwarded = this.#client(leader).makeUnaryRequest(
      call.path,
      requestSerialize,
      responseDeserialize,
      call.request,
      forwardedMetadata(),
      { deadline: call.deadline },
      (error, response) => {
        if (response === undefined) call.fail(passedOn(error!, leader))
        else if (call.congested && READS.has(call.path)) call.fail(grpcError(tooBusy()))
        else call.answer(response)
      },
    )
    call.whenCancelled(() => forwarded.cancel())
  }

  /** Asks another node on this one's own behalf. Rejects with a ServiceError. */
  ask<Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    id: NodeId,
    timeoutMs: number,
  ): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = method
    return new Promise((resolve, reject) => {
      this.#client(id).makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        forwardedMetadata(),
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          if (response !== undefined) resolve(response)
          else reject(error!)
        },
      )
    })
  }

  /** Opens an Exchange stream to the leader. */
  exchange(leader: NodeId): ClientDuplexStream<Bytes, Bytes> {
    const { path, requestSerialize, responseDeserialize } = kvMethods.Exchange
    const client = this.#client(leader)
    return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, forwardedMetadata())
  }

  close(): void {
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
  }

  #client(id: NodeId): Client {
    let client = this.#clients.get(id)
    if (client === undefined) {
      client = new Client(this.#peers.get(id)!, credentials.createInsecure(), this.#options)
      this.#clients.set(id, client)
    }
    return client
  }
}

function forwardedMetadata(): Metadata {
  const metadata = new Metadata()
  metadata.set(FORWARDED, '1')
  return metadata
}

/**
 * The leader's own answer goes on as it is. Where it gave none, the request may have reached it: only its own
 * word could say that nothing was executed.
 */
function passedOn(error: ServiceError, leader: NodeId): CallStatus {
  if (error.metadata.get(ERROR_TRAILER).length > 0) return error
  const timedOut = error.code === status.DEADLINE_EXCEEDED
  const detail: ErrorDetail = {
    code: timedOut ? 'TIMEOUT' : 'UNAVAILABLE',
    message: `the leader, ${leader}, ${timedOut ? 'did not answer in time' : `could not be reached: ${error.details}`}`,
    notExecuted: false,
    leader: undefined,
  }
  return grpcError(detail)
}
