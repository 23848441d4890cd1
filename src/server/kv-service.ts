import type { StateMachine } from '../kv/types.ts'
import { encodeCommand, encodeSessionChange } from '../wire/command.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import { WireError } from '../wire/protobuf.ts'
import { answerTooLarge, futureRevision } from '../wire/read-request.ts'
import { kvMethods } from '../wire/services.ts'
import type { CommandResult, KeyEntry } from '../wire/types.ts'
import * as unary from '../wire/unary.ts'
import type { Forwarder } from './forwarder.ts'
import { grpcError } from './grpc-errors.ts'
import type { ReadReply } from './calls.ts'
import type { KvFront, WriteReply } from './kv-front.ts'
import { presentOf, presentOfAll } from './present.ts'
import { invalid, tooBusy } from './refusals.ts'
import type { UnaryCall, UnaryHandler } from './unary-call.ts'

type Bytes = Uint8Array
type UnaryMethodName = Exclude<keyof typeof kvMethods, 'Exchange'>

/** What becomes of a request. Throws a WireError where its bytes are wrong. */
type Method = (front: KvFront, request: Bytes, call: KvCall) => void

const METHODS: Readonly<Record<UnaryMethodName, Method>> = Object.freeze({
  Get(front, request, call) {
    const { key, consistency, revision } = unary.getRequest.decode(request)
    front.read({ keys: [key], consistency, revision }, new GetReply(call, key))
  },
  GetMany(front, request, call) {
    const read = unary.getManyRequest.decode(request)
    front.read(read, new GetManyReply(call, read.keys, front.limits.maxRequestBytes))
  },
  Put(front, request, call) {
    const command = encodeCommand(unary.putRequest.decode(request))
    front.command(command, new UnaryWrite(call, unary.putResponse.encode))
  },
  PutMany(front, request, call) {
    const command = encodeCommand(unary.putManyRequest.decode(request))
    front.command(command, new UnaryWrite(call, unary.putManyResponse.encode))
  },
  Delete(front, request, call) {
    const command = encodeCommand(unary.deleteRequest.decode(request))
    front.command(command, new UnaryWrite(call, encodeDeleted))
  },
  CompareAndSwap(front, request, call) {
    const command = encodeCommand(unary.compareAndSwapRequest.decode(request))
    front.command(command, new UnaryWrite(call, unary.compareAndSwapResponse.encode))
  },
  Compact(front, request, call) {
    const command = unary.compactRequest.decode(request)
    front.command(encodeCommand(command), new CompactReply(call, command.operation.revision))
  },
  OpenSession(front, request, call) {
    const change = encodeSessionChange({ type: 'open', ...unary.openSessionRequest.decode(request) })
    front.sessionChange(change, new UnaryWrite(call, unary.openSessionResponse.encode))
  },
  CloseSession(front, request, call) {
    const change = encodeSessionChange({ type: 'close', ...unary.closeSessionRequest.decode(request) })
    front.sessionChange(change, new UnaryWrite(call, encodeClosed))
  },
})

/** The unary half of `balsa.v1.Kv`: what answers each of its methods, by path. */
export function unaryHandlers(front: KvFront, forwarder: Forwarder): ReadonlyMap<string, UnaryHandler> {
  const names = Object.keys(METHODS) as UnaryMethodName[]
  return new Map(
    names.map((name) => {
      const method = METHODS[name]
      const handler: UnaryHandler = (call) => {
        const kvCall = new KvCall(call, forwarder)
        try {
          method(front, call.request, kvCall)
        } catch (error) {
          if (!(error instanceof WireError)) throw error
          kvCall.fail(invalid(error.message))
        }
      }
      return [kvMethods[name].path, handler]
    }),
  )
}

/** One call of a client. What this node cannot execute goes on to the leader: one hop at most, so never a loop. */
class KvCall {
  readonly #call: UnaryCall
  readonly #forwarder: Forwarder

  constructor(call: UnaryCall, forwarder: Forwarder) {
    this.#call = call
    this.#forwarder = forwarder
  }

  get congested(): boolean {
    return this.#call.congested
  }

  answer(response: Bytes): void {
    this.#call.answer(response)
  }

  fail(detail: ErrorDetail): void {
    const leader = detail.leader?.id
    if (detail.code === 'NOT_LEADER' && leader !== undefined && !this.#call.forwarded) {
      this.#forwarder.unary(this.#call, leader)
    } else {
      this.#call.fail(grpcError(detail))
    }
  }
}

class UnaryWrite implements WriteReply {
  readonly #call: KvCall
  readonly #encode: (result: CommandResult) => Bytes

  constructor(call: KvCall, encode: (result: CommandResult) => Bytes) {
    this.#call = call
    this.#encode = encode
  }

  result(result: CommandResult): void {
    this.#call.answer(this.#encode(result))
  }

  fail(detail: ErrorDetail): void {
    this.#call.fail(detail)
  }
}

/** A compaction that did not succeed was asked for with a revision of the future. */
class CompactReply implements WriteReply {
  readonly #call: KvCall
  readonly #revision: number

  constructor(call: KvCall, revision: number) {
    this.#call = call
    this.#revision = revision
  }

  result({ revision, succeeded }: CommandResult): void {
    if (succeeded) this.#call.answer(unary.compactResponse.encode({ revision }))
    else this.#call.fail(invalid(futureRevision(this.#revision, revision)))
  }

  fail(detail: ErrorDetail): void {
    this.#call.fail(detail)
  }
}

class GetReply implements ReadReply {
  readonly #call: KvCall
  readonly #key: Bytes

  constructor(call: KvCall, key: Bytes) {
    this.#call = call
    this.#key = key
  }

  serve(machine: StateMachine): void {
    if (this.#call.congested) this.#call.fail(tooBusy())
    else this.#answer(machine.revision, presentOf(machine, this.#key))
  }

  found(revision: number, [entry]: readonly (KeyEntry | undefined)[]): void {
    if (this.#call.congested) this.#call.fail(tooBusy())
    else this.#answer(revision, entry)
  }

  #answer(revision: number, entry: KeyEntry | undefined): void {
    this.#call.answer(unary.getResponse.encode({ revision, entry }))
  }

  fail(detail: ErrorDetail): void {
    this.#call.fail(detail)
  }
}

class GetManyReply implements ReadReply {
  readonly #call: KvCall
  readonly #keys: readonly Bytes[]
  readonly #maxBytes: number

  constructor(call: KvCall, keys: readonly Bytes[], maxBytes: number) {
    this.#call = call
    this.#keys = keys
    this.#maxBytes = maxBytes
  }

  serve(machine: StateMachine): void {
    if (this.#call.congested) {
      this.#call.fail(tooBusy())
      return
    }
    const entries = presentOfAll(machine, this.#keys, this.#maxBytes)
    if (entries === undefined) this.#call.fail(invalid(answerTooLarge(this.#maxBytes)))
    else this.#answer(machine.revision, entries)
  }

  found(revision: number, entries: readonly (KeyEntry | undefined)[]): void {
    if (this.#call.congested) this.#call.fail(tooBusy())
    else this.#answer(revision, entries)
  }

  #answer(revision: number, entries: readonly (KeyEntry | undefined)[]): void {
    this.#call.answer(unary.getManyResponse.encode({ revision, entries }))
  }

  fail(detail: ErrorDetail): void {
    this.#call.fail(detail)
  }
}

function encodeDeleted({ revision, succeeded }: CommandResult): Bytes {
  return unary.deleteResponse.encode({ revision, deleted: succeeded })
}

function encodeClosed(): Bytes {
  return unary.closeSessionResponse.encode({})
}
