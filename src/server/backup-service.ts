import { status } from '@grpc/grpc-js'
import type { ServerWritableStream, ServiceError } from '@grpc/grpc-js'
import type { Clock } from '../clock.ts'
import { BalsaError, DamagedDataError, UnavailableError } from '../errors.ts'
import type { StateMachine } from '../kv/types.ts'
import type { NodeId } from '../raft/types.ts'
import type { StateSnapshot } from '../storage/snapshot/snapshot.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import type { BackupHead, BackupRequest, BackupResponse } from '../wire/proto.ts'
import { kvMethods } from '../wire/services.ts'
import { getRequest, getResponse } from '../wire/unary.ts'
import type { ReadReply } from './calls.ts'
import type { Forwarder } from './forwarder.ts'
import { grpcError } from './grpc-errors.ts'
import type { Replica } from './replica.ts'

type Call = ServerWritableStream<BackupRequest, BackupResponse>

/** Each reads the whole state: more at a time are refused. */
const MOST_AT_A_TIME = 2

/** How long a reader may take nothing, in milliseconds: meanwhile the store keeps all that it would give up. */
const STALL_MS = 5 * 60_000

/** How long the leader may take to say how far it is, in milliseconds. */
const LEADER_MS = 5000

/** Any key will do: what is wanted is the revision that a linearizable read is answered at. */
const ANY_KEY = Buffer.from('\0')

/** Who makes the backups: the part of their heads that is always the same. */
export type BackupAuthor = Pick<BackupHead, 'clusterId' | 'clusterName' | 'nodeId' | 'version'>

/**
 * `Cluster.Backup`: streams a consistent copy of the state, from this node's own store, leader or not. It learns the
 * revision of a linearizable read first, waits until this node has applied it, and has the state written down: so
 * that the copy holds every write that was acknowledged before the call.
 */
export class BackupService {
  readonly #replica: Replica
  readonly #forwarder: Forwarder
  readonly #author: BackupAuthor
  readonly #clock: Clock
  #running = 0

  constructor(replica: Replica, forwarder: Forwarder, author: BackupAuthor, clock: Clock) {
    this.#replica = replica
    this.#forwarder = forwarder
    this.#author = author
    this.#clock = clock
  }

  readonly handle = (call: Call): void => {
    if (this.#running >= MOST_AT_A_TIME) {
      call.emit('error', grpcError(refusal('RESOURCE_EXHAUSTED', 'this node is making other backups')))
      return
    }
    this.#running++
    this.#stream(call)
      .catch((error: unknown) => this.#failed(call, error))
      .finally(() => this.#running--)
  }

  async #stream(call: Call): Promise<void> {
    const snapshot = await this.#replica.snapshot(await this.#revision())
    try {
      const estimatedBytes = await this.#replica.stateBytes()
      await this.#send(call, { head: { ...this.#author, meta: snapshot.meta.encoded, estimatedBytes } })
      await this.#sendChunks(call, snapshot)
    } finally {
      await snapshot.close()
    }
    call.end()
  }

  /** The revision that holds everything acknowledged by now: this node's, where it leads, else what the leader says. */
  async #revision(): Promise<number> {
    const answer = await new Promise<number | NodeId>((resolve, reject) =>
      this.#replica.front.read(
        { keys: [ANY_KEY], consistency: 'linearizable', revision: 0 },
        new Asked(resolve, reject),
      ),
    )
    if (typeof answer === 'number') return answer
    const request = getRequest.encode({ key: ANY_KEY, consistency: 'linearizable', revision: 0 })
    return getResponse.decode(await this.#forwarder.ask(kvMethods.Get, request, answer, LEADER_MS)).revision
  }

  async #sendChunks(call: Call, snapshot: StateSnapshot): Promise<void> {
    for await (const { bytes } of snapshot.chunks()) {
      if (call.cancelled) return
      await this.#send(call, { chunk: bytes })
    }
  }

  /** Writes, and waits while the one who reads is slower. */
  #send(call: Call, message: BackupResponse): Promise<void> {
    if (call.cancelled || call.write(message)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const end = (): void => {
        timer.cancel()
        call.off('drain', goOn)
        call.off('cancelled', goOn)
      }
      const goOn = (): void => {
        end()
        resolve()
      }
      const timer = this.#clock.after(STALL_MS, () => {
        end()
        reject(new UnavailableError(`the reader of the backup took nothing for ${STALL_MS / 60_000} minutes`))
      })
      call.on('drain', goOn)
      call.on('cancelled', goOn)
    })
  }

  #failed(call: Call, error: unknown): void {
    // Damage that is found by reading is found for good.
    if (error instanceof DamagedDataError) this.#replica.fail(error)
    call.emit('error', failureOf(error))
  }
}

/** A read whose revision is all that matters; of a node that does not lead, who does. */
class Asked implements ReadReply {
  readonly #resolve: (answer: number | NodeId) => void
  readonly #reject: (error: unknown) => void

  constructor(resolve: (answer: number | NodeId) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve
    this.#reject = reject
  }

  serve(machine: StateMachine): void {
    this.#resolve(machine.revision)
  }

  found(revision: number): void {
    this.#resolve(revision)
  }

  fail(detail: ErrorDetail): void {
    if (detail.leader === undefined) this.#reject(grpcError(detail))
    else this.#resolve(detail.leader.id)
  }
}

function failureOf(error: unknown): Partial<ServiceError> {
  if (error instanceof DamagedDataError) return grpcError(refusal('DAMAGED', error.message))
  if (error instanceof BalsaError) return grpcError(refusal(error.code, error.message))
  if (isServiceError(error)) return error
  const why = error instanceof Error ? error.message : String(error)
  return grpcError(refusal('UNAVAILABLE', `this node cannot go on with the backup: ${why}`))
}

/** What a read of this node was refused with, or what the leader answered. */
function isServiceError(error: unknown): error is Partial<ServiceError> {
  const code: unknown =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'number' && code in status
}

function refusal(code: ErrorDetail['code'], message: string): ErrorDetail {
  return { code, message, notExecuted: true, leader: undefined }
}
