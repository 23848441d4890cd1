import { EntryKind } from '../raft/types.ts'
import { decodeCommand } from '../wire/command.ts'
import { WireError } from '../wire/protobuf.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import type { ReadRequest } from '../wire/read-request.ts'
import type { CommandResult, Operation } from '../wire/types.ts'
import type { StateMachine } from '../kv/types.ts'
import type { ReadCall, ReadReply, WriteCall } from './calls.ts'
import type { PastReads } from './past-reads.ts'
import { invalid } from './refusals.ts'
import { commandProblem, readProblem } from './validation.ts'
import type { RequestLimits } from './validation.ts'

/** Where requests go once they are found right: the driver. */
export interface Replication {
  write(call: WriteCall): void
  read(call: ReadCall): void
  readApplied(call: ReadCall): void
}

/** Where reads of older revisions go on. */
export type PastQueue = Pick<PastReads, 'begin'>

/** Where the answer to a write goes. One object for each request, and no closures: there are many of them. */
export interface WriteReply {
  result(result: CommandResult): void
  fail(detail: ErrorDetail): void
}

/** What is refused while the disk is nearly full. */
const TAKING_SPACE: ReadonlySet<Operation['type']> = new Set(['put', 'putMany', 'cas'])

/** What every way in to the key-value service has in common: it checks requests before they cost anything. */
export class KvFront {
  readonly #replication: Replication
  readonly #pastReads: PastQueue
  readonly limits: RequestLimits

  constructor(replication: Replication, limits: RequestLimits, pastReads: PastQueue) {
    this.#replication = replication
    this.#pastReads = pastReads
    this.limits = limits
  }

  /** A write: an encoded Command, which goes into the log as it is. */
  command(bytes: Uint8Array, reply: WriteReply): void {
    let problem: string | undefined
    let takesSpace = false
    try {
      const command = decodeCommand(bytes)
      problem = commandProblem(command, bytes.length, this.limits)
      takesSpace = TAKING_SPACE.has(command.operation.type)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      problem = error.message
    }
    if (problem === undefined)
      this.#replication.write(new PendingWrite(EntryKind.Command, bytes, takesSpace, reply))
    else reply.fail(invalid(problem))
  }

  /** Opens or closes a session: an encoded SessionChange. */
  sessionChange(bytes: Uint8Array, reply: WriteReply): void {
    this.#replication.write(new PendingWrite(EntryKind.Session, bytes, false, reply))
  }

  /**
   * A read. A stale one is served from what this node has applied; until there are leases, one that asks for
   * the leader's lease gets the stronger, linearizable answer. One at an older revision is confirmed like any other.
   */
  read({ keys, consistency, revision }: ReadRequest, reply: ReadReply): void {
    const problem = readProblem(keys, this.limits)
    const call =
      revision === 0
        ? reply
        : new PastCall(this.#pastReads, keys, revision, this.limits.maxRequestBytes, reply)
    if (problem !== undefined) reply.fail(invalid(problem))
    else if (consistency === 'stale') this.#replication.readApplied(call)
    else this.#replication.read(call)
  }
}

/** A read at an older revision. */
class PastCall implements ReadCall {
  readonly #pastReads: PastQueue
  readonly #keys: readonly Uint8Array[]
  readonly #revision: number
  readonly #maxBytes: number
  readonly #reply: ReadReply

  constructor(
    pastReads: PastQueue,
    keys: readonly Uint8Array[],
    revision: number,
    maxBytes: number,
    reply: ReadReply,
  ) {
    this.#pastReads = pastReads
    this.#keys = keys
    this.#revision = revision
    this.#maxBytes = maxBytes
    this.#reply = reply
  }

  serve(machine: StateMachine): void {
    const read = machine.readAt(this.#keys, this.#revision, this.#maxBytes)
    this.#pastReads.begin(read, this.#keys, this.#revision, this.#reply)
  }

  fail(detail: ErrorDetail): void {
    this.#reply.fail(detail)
  }
}

class PendingWrite implements WriteCall {
  readonly kind: EntryKind
  readonly data: Uint8Array
  readonly takesSpace: boolean
  readonly #reply: WriteReply

  constructor(kind: EntryKind, data: Uint8Array, takesSpace: boolean, reply: WriteReply) {
    this.kind = kind
    this.data = data
    this.takesSpace = takesSpace
    this.#reply = reply
  }

  succeed(result: CommandResult): void {
    this.#reply.result(result)
  }

  fail(detail: ErrorDetail): void {
    this.#reply.fail(detail)
  }
}
