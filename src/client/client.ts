import { AbortedError, type BalsaError, InvalidArgumentError } from '../errors.ts'
import { futureRevision } from '../wire/read-request.ts'
import type { ReadResult } from '../wire/result.ts'
import type { CommandResult, Operation } from '../wire/types.ts'
import {
  type Bytes,
  type CallOptions,
  casExpectation,
  type CasCondition,
  checkConsistency,
  checkEndpoints,
  checkLimits,
  checkRequestSize,
  checkRevision,
  checkTimeout,
  keyBytes,
  putPairs,
  readKeys,
  type ReadOptions,
  type SizeLimits,
  valueBytes,
} from './arguments.ts'
import type { CallBody } from './call.ts'
import type { Runtime } from './connector.ts'
import { Dispatcher } from './dispatcher.ts'
import { Entry } from './entry.ts'
import { systemRuntime } from './grpc-connector.ts'
import { requestBytes } from './request-size.ts'
import { type ClusterStatus, clusterStatus } from './status.ts'

export interface ClientOptions {
  /** Nodes of the cluster, each host:port. One that can be reached is enough; all of them are better. */
  readonly endpoints: readonly string[]
  /** Milliseconds until a call ends that has no answer, unless the call says otherwise. Default: 5000. */
  readonly timeoutMs?: number | undefined
  /**
   * What is refused before it is sent: the nodes' settings of these names, where they are not the defaults. Above the
   * nodes' own, it is the node that refuses, as surely and with the same INVALID_ARGUMENT.
   */
  readonly limits?: Partial<SizeLimits> | undefined
}

export interface CasResult {
  readonly succeeded: boolean
  /** The store's revision after it. */
  readonly revision: number
  /** Where it did not succeed: what was there; left out where there was no such key. */
  readonly current?: Entry
}

const DEFAULT_TIMEOUT_MS = 5000

/** How long a node is waited for when its status is asked for, at most, in milliseconds. */
const STATUS_TIMEOUT_MS = 2000

/**
 * A client of a Balsa cluster. It finds the leader and follows it; it tries again by itself, within each call's
 * deadline, when a node or a connection is lost, and the nodes apply a write that was sent again only once.
 *
 * Every method throws nothing and rejects with a `BalsaError`: `outcomeUnknown` tells whether the operation may
 * have happened although it failed. Calls of one client that overlap have no order among them.
 */
export class BalsaClient {
  readonly #endpoints: readonly string[]
  readonly #timeoutMs: number
  readonly #limits: SizeLimits
  readonly #runtime: Runtime
  readonly #dispatcher: Dispatcher

  /**
   * Connects to nothing yet: the first call does.
   *
   * @param runtime what reaches the nodes, and time and chance; for simulations.
   * @throws InvalidArgumentError
   */
  constructor(options: ClientOptions, runtime: Runtime = systemRuntime()) {
    this.#endpoints = checkEndpoints(options.endpoints)
    this.#timeoutMs = checkTimeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
    this.#limits = checkLimits(options.limits)
    this.#runtime = runtime
    this.#dispatcher = new Dispatcher(this.#endpoints, runtime)
  }

  /** Sets a key. Resolves to the revision of this put once a majority has it on disk. */
  put(key: Bytes, value: Bytes, options?: CallOptions): Promise<{ revision: number }> {
    return new Promise((resolve, reject) => {
      const operation: Operation = {
        type: 'put',
        key: keyBytes(key, this.#limits),
        value: valueBytes(value, this.#limits),
      }
      const complete = ({ revision }: CommandResult): void => resolve({ revision })
      this.#submit({ type: 'write', operation, complete }, options, reject)
    })
  }

  /** Sets several keys, at most 10,000, all or none, under one revision. No key may stand in it twice. */
  putMany(pairs: readonly (readonly [Bytes, Bytes])[], options?: CallOptions): Promise<{ revision: number }> {
    return new Promise((resolve, reject) => {
      const operation: Operation = { type: 'putMany', puts: putPairs(pairs, this.#limits) }
      const complete = ({ revision }: CommandResult): void => resolve({ revision })
      this.#submit({ type: 'write', operation, complete }, options, reject)
    })
  }

  /** Deletes a key. `deleted` is false where there was none; the revision is the store's afterwards. */
  delete(key: Bytes, options?: CallOptions): Promise<{ deleted: boolean; revision: number }> {
    return new Promise((resolve, reject) => {
      const operation: Operation = { type: 'delete', key: keyBytes(key, this.#limits) }
      const complete = (result: CommandResult): void =>
        resolve({ deleted: result.succeeded, revision: result.revision })
      this.#submit({ type: 'write', operation, complete }, options, reject)
    })
  }

  /**
   * Sets a key to `newValue` if the condition holds at that moment: the key has this value, was last changed at
   * this revision, or is absent. A condition that does not hold is an answer, not an error.
   */
  cas(key: Bytes, condition: CasCondition, newValue: Bytes, options?: CallOptions): Promise<CasResult> {
    return new Promise((resolve, reject) => {
      const operation: Operation = {
        type: 'cas',
        key: keyBytes(key, this.#limits),
        expected: casExpectation(condition, this.#limits),
        newValue: valueBytes(newValue, this.#limits),
      }
      const complete = ({ succeeded, revision, current }: CommandResult): void =>
        resolve(
          current === undefined
            ? { succeeded, revision }
            : { succeeded, revision, current: new Entry(current) },
        )
      this.#submit({ type: 'write', operation, complete }, options, reject)
    })
  }

  /**
   * Gives up history: what was before that revision cannot be read any more. No effect where it is given up
   * already. Resolves to the store's revision, which a compaction does not change. A revision in the future is an
   * INVALID_ARGUMENT.
   */
  compact(revision: number, options?: CallOptions): Promise<{ revision: number }> {
    return new Promise((resolve, reject) => {
      const operation: Operation = { type: 'compact', revision: checkRevision(revision) }
      const complete = (result: CommandResult): void => {
        if (result.succeeded) resolve({ revision: result.revision })
        else reject(new InvalidArgumentError(futureRevision(revision, result.revision)))
      }
      this.#submit({ type: 'write', operation, complete }, options, reject)
    })
  }

  /** The key's present, or what it was at `revision`; undefined where there is no such key. */
  get(key: Bytes, options?: ReadOptions): Promise<Entry | undefined> {
    return new Promise((resolve, reject) => {
      const complete = ({ entries: [found] }: ReadResult): void => resolve(found && new Entry(found))
      this.#read([keyBytes(key, this.#limits)], options, complete, reject)
    })
  }

  /**
   * The present of several keys, at most 10,000, or what they were at `revision`, in their order, all of one revision.
   * INVALID_ARGUMENT where the answer would be larger than a request may be.
   */
  getMany(keys: readonly Bytes[], options?: ReadOptions): Promise<(Entry | undefined)[]> {
    return new Promise((resolve, reject) => {
      this.#read(readKeys(keys, this.#limits), options, (found) => resolve(toEntries(found)), reject)
    })
  }

  /** As `getMany`, with the store's revision that the answer shows: `revision` of the options, if given. */
  read(
    keys: readonly Bytes[],
    options?: ReadOptions,
  ): Promise<{ revision: number; entries: (Entry | undefined)[] }> {
    return new Promise((resolve, reject) => {
      const complete = (found: ReadResult): void =>
        resolve({ revision: found.revision, entries: toEntries(found) })
      this.#read(readKeys(keys, this.#limits), options, complete, reject)
    })
  }

  /**
   * Asks all nodes what they know of themselves: the endpoints, and whom these know. A node that does not answer
   * within two seconds (or `timeoutMs`) is listed as unreachable.
   */
  async status(options: { readonly timeoutMs?: number | undefined } = {}): Promise<ClusterStatus> {
    if (this.#dispatcher.closed) throw new AbortedError('the client is closed')
    const timeoutMs = checkTimeout(options.timeoutMs ?? Math.min(this.#timeoutMs, STATUS_TIMEOUT_MS))
    return clusterStatus(this.#runtime.connector, this.#endpoints, timeoutMs)
  }

  /**
   * Closes the client. Calls that are under way fail: writes that were sent with OUTCOME_UNKNOWN, everything else
   * with ABORTED. Idempotent; takes half a second at most.
   */
  close(): Promise<void> {
    return this.#dispatcher.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #read(
    keys: Uint8Array[],
    options: ReadOptions | undefined,
    complete: (result: ReadResult) => void,
    reject: (error: BalsaError) => void,
  ): void {
    const consistency = checkConsistency(options?.consistency ?? 'linearizable')
    const revision = options?.revision === undefined ? 0 : checkRevision(options.revision)
    this.#submit({ type: 'read', keys, consistency, revision, complete }, options, reject)
  }

  #submit(body: CallBody, options: CallOptions | undefined, reject: (error: BalsaError) => void): void {
    const timeoutMs = options?.timeoutMs === undefined ? this.#timeoutMs : checkTimeout(options.timeoutMs)
    const size = checkRequestSize(requestBytes(body), this.#limits)
    this.#dispatcher.submit(body, size, timeoutMs, options?.signal, reject)
  }
}

function toEntries({ entries }: ReadResult): (Entry | undefined)[] {
  return entries.map((found) => found && new Entry(found))
}
