import { InvalidArgumentError } from '../errors.ts'
import { LARGEST_REQUEST_BYTES } from '../wire/message-size.ts'
import { MAX_REQUEST_ITEMS, tooManyItems } from '../wire/read-request.ts'
import type { Consistency } from '../wire/read-request.ts'
import type { Expectation } from '../wire/types.ts'

export type { Consistency }

/** Text is taken as UTF-8. */
export type Bytes = string | Uint8Array

/** What every call takes. */
export interface CallOptions {
  /** Milliseconds until the call ends without an answer; the client's own `timeoutMs` where it is left out. */
  readonly timeoutMs?: number | undefined
  /** Ends the call early. */
  readonly signal?: AbortSignal | undefined
}

export interface ReadOptions extends CallOptions {
  /**
   * `linearizable` (the default): confirmed by a majority. `stale`: what some reachable node has applied,
   * which works without a leader too. `lease`: until there are lease reads, the same as `linearizable`.
   */
  readonly consistency?: Consistency | undefined
  /**
   * Reads what the keys were at this revision of the store instead of the present. COMPACTED where that is given up
   * already, INVALID_ARGUMENT where it is in the future (of the node that is asked, where the read is `stale`).
   */
  readonly revision?: number | undefined
}

/** What a compare-and-swap expects of the key: a value, the revision of its last change, or that it is not there. */
export type CasCondition =
  { readonly value: Bytes } | { readonly modRevision: number } | { readonly absent: true }

/** How large keys, values and requests may be, in bytes. Nodes have settings of the same names. */
export interface SizeLimits {
  readonly maxKeyBytes: number
  readonly maxValueBytes: number
  readonly maxRequestBytes: number
}

/** What nodes take by default. */
export const DEFAULT_LIMITS: SizeLimits = Object.freeze({
  maxKeyBytes: 4 * 1024,
  maxValueBytes: 1024 * 1024,
  maxRequestBytes: 4 * 1024 * 1024,
})

/** setTimeout's own limit. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/**
 * The limits in force: the nodes' defaults where none are given. Throws InvalidArgumentError for what is none, and for
 * more than any node can be set to take: that would break the connection, with every other call on it.
 */
export function checkLimits(limits: Partial<SizeLimits> = {}): SizeLimits {
  const all = { ...DEFAULT_LIMITS, ...limits }
  for (const [name, bytes] of Object.entries(all)) {
    if (!Number.isSafeInteger(bytes) || bytes < 1 || bytes > LARGEST_REQUEST_BYTES) {
      throw new InvalidArgumentError(
        `${name} must be a whole number of bytes from 1 to ${LARGEST_REQUEST_BYTES}, not ${String(bytes)}`,
      )
    }
  }
  return Object.freeze(all)
}

/** The key as bytes of its own: what the caller does to an array afterwards changes no retry. */
export function keyBytes(key: Bytes, { maxKeyBytes }: SizeLimits): Uint8Array {
  const bytes = copyBytes(key, 'a key')
  if (bytes.length === 0) throw new InvalidArgumentError('a key has at least one byte')
  if (bytes.length > maxKeyBytes) {
    throw new InvalidArgumentError(`a key has at most ${maxKeyBytes} bytes, this one has ${bytes.length}`)
  }
  return bytes
}

/** A value as bytes of our own. Throws InvalidArgumentError where it is too large. */
export function valueBytes(value: Bytes, { maxValueBytes }: SizeLimits): Uint8Array {
  const bytes = copyBytes(value, 'a value')
  if (bytes.length > maxValueBytes) {
    throw new InvalidArgumentError(`a value has at most ${maxValueBytes} bytes, this one has ${bytes.length}`)
  }
  return bytes
}

/** The keys of a read: at most 10,000. Throws InvalidArgumentError for what the nodes would refuse. */
export function readKeys(keys: readonly Bytes[], limits: SizeLimits): Uint8Array[] {
  if (!Array.isArray(keys)) throw new InvalidArgumentError('the keys must be an array')
  checkCount(keys.length, 'keys')
  return keys.map((key: Bytes) => keyBytes(key, limits))
}

/** The pairs of a putMany: at least one, at most 10,000, and no key twice. Throws InvalidArgumentError for other ones. */
export function putPairs(
  pairs: readonly (readonly [Bytes, Bytes])[],
  limits: SizeLimits,
): { key: Uint8Array; value: Uint8Array }[] {
  if (!Array.isArray(pairs) || pairs.length === 0) {
    throw new InvalidArgumentError('putMany takes an array of at least one [key, value]')
  }
  checkCount(pairs.length, 'pairs')
  const seen = new Set<string>()
  return (pairs as readonly (readonly [Bytes, Bytes])[]).map((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new InvalidArgumentError('putMany takes pairs of [key, value]')
    }
    const key = keyBytes(pair[0], limits)
    const value = valueBytes(pair[1], limits)
    const text = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
    if (seen.has(text)) {
      throw new InvalidArgumentError(`putMany has the key ${JSON.stringify(text)} twice`)
    }
    seen.add(text)
    return { key, value }
  })
}

/** What a whole request takes, in bytes. Throws InvalidArgumentError where it is too large. */
export function checkRequestSize(size: number, { maxRequestBytes }: SizeLimits): number {
  if (size > maxRequestBytes) {
    throw new InvalidArgumentError(
      `a request has at most ${maxRequestBytes} bytes, this one has about ${size}: split it`,
    )
  }
  return size
}

/** The condition of a compare-and-swap: exactly one of the three. */
export function casExpectation(condition: CasCondition, limits: SizeLimits): Expectation {
  const given: unknown = condition
  if (typeof given !== 'object' || given === null) {
    throw new InvalidArgumentError('cas takes a condition: { value }, { modRevision } or { absent: true }')
  }
  const { value, modRevision, absent } = given as { value?: Bytes; modRevision?: number; absent?: unknown }
  const count = [value, modRevision, absent].filter((part) => part !== undefined).length
  if (count !== 1) {
    throw new InvalidArgumentError(
      'cas takes exactly one condition: { value }, { modRevision } or { absent: true }',
    )
  }
  if (value !== undefined) return { type: 'value', value: valueBytes(value, limits) }
  if (modRevision !== undefined) {
    if (!Number.isSafeInteger(modRevision) || modRevision < 1) {
      throw new InvalidArgumentError(`modRevision must be a whole number from 1, not ${String(modRevision)}`)
    }
    return { type: 'modRevision', modRevision }
  }
  if (absent !== true) throw new InvalidArgumentError('absent can only be true')
  return { type: 'absent' }
}

/** A time-out in milliseconds. */
export function checkTimeout(timeoutMs: number): number {
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0) || timeoutMs > MAX_TIMEOUT_MS) {
    throw new InvalidArgumentError(
      `timeoutMs must be a number of milliseconds above 0 and at most ${MAX_TIMEOUT_MS}, not ${String(timeoutMs)}`,
    )
  }
  return timeoutMs
}

/** A revision of the store. Throws InvalidArgumentError for what is none. */
export function checkRevision(revision: number): number {
  if (!Number.isSafeInteger(revision) || revision < 1) {
    throw new InvalidArgumentError(`revision must be a whole number from 1, not ${String(revision)}`)
  }
  return revision
}

/** Throws InvalidArgumentError for a consistency that there is not. */
export function checkConsistency(consistency: Consistency): Consistency {
  if (consistency !== 'linearizable' && consistency !== 'stale' && consistency !== 'lease') {
    throw new InvalidArgumentError(
      `consistency must be 'linearizable', 'stale' or 'lease', not ${String(consistency)}`,
    )
  }
  return consistency
}

const ENDPOINT = /^(?:\[[0-9a-fA-F:.%]+\]|[^\s/:[\]]+):(\d{1,5})$/

/** The endpoints, each host:port, without repetitions. */
export function checkEndpoints(endpoints: readonly string[]): readonly string[] {
  if (!Array.isArray(endpoints) || endpoints.length === 0) {
    throw new InvalidArgumentError('endpoints must be an array of at least one host:port')
  }
  for (const endpoint of endpoints as readonly unknown[]) {
    const port = typeof endpoint === 'string' ? Number(ENDPOINT.exec(endpoint)?.[1] ?? 0) : 0
    if (port < 1 || port > 65_535) {
      throw new InvalidArgumentError(`an endpoint must be host:port, not ${JSON.stringify(endpoint)}`)
    }
  }
  return Object.freeze([...new Set(endpoints as readonly string[])])
}

function copyBytes(input: Bytes, what: string): Uint8Array {
  if (typeof input === 'string') return Buffer.from(input, 'utf8')
  if (input instanceof Uint8Array) return Buffer.from(input)
  throw new InvalidArgumentError(`${what} must be a string or a Uint8Array, not ${describe(input)}`)
}

function describe(input: unknown): string {
  return input === null ? 'null' : typeof input
}

function checkCount(count: number, items: string): void {
  if (count > MAX_REQUEST_ITEMS) throw new InvalidArgumentError(tooManyItems(items))
}
