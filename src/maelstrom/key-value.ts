import type { StateMachine } from '../kv/types.ts'
import type { KvFront } from '../server/kv-front.ts'
import { encodeCommand } from '../wire/command.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import type { CommandResult, Operation } from '../wire/types.ts'
import { canonicalJson, JsonError } from './json.ts'
import type { Json } from './json.ts'
import { errorBody, MaelstromError, MalformedRequest } from './protocol.ts'
import type { Body } from './protocol.ts'

/**
 * How reads are made: `index`, confirmed by a majority (§6.4); `log`, as entries of the log; `local`, from what the
 * asked node has applied, which is not linearizable.
 */
export type Reads = 'index' | 'log' | 'local'
export const READS: readonly Reads[] = Object.freeze(['index', 'log', 'local'])

/** What is to be done in the store, and how its result is told. */
export type StoreRequest =
  | {
      readonly type: 'write'
      readonly operation: Operation
      readonly answer: (result: CommandResult) => Body
    }
  | { readonly type: 'read'; readonly key: Uint8Array; readonly answer: (value: Found) => Body }

type Found = Uint8Array | undefined

/** Where the result of a request goes: exactly one of the two is called, once. */
export interface Reply {
  answer(body: Body): void
  fail(detail: ErrorDetail): void
}

/** A key that no JSON text is. */
const COUNTER = bytes('!unique-ids')

/** A value that no JSON text is, so that no key holds it. */
const NO_VALUE = bytes('!')

const REQUESTS: Readonly<Record<string, (body: Body) => StoreRequest>> = Object.freeze({
  read: (body) => {
    const key = bytesOf(body, 'key')
    return { type: 'read', key, answer: (value) => readAnswer(body, value) }
  },
  write: (body) => ({
    type: 'write',
    operation: { type: 'put', key: bytesOf(body, 'key'), value: bytesOf(body, 'value') },
    answer: () => ({ type: 'write_ok' }),
  }),
  cas: (body) => {
    const key = bytesOf(body, 'key')
    const expected = { type: 'value', value: bytesOf(body, 'from') } as const
    return {
      type: 'write',
      operation: { type: 'cas', key, expected, newValue: bytesOf(body, 'to') },
      answer: (result) => casAnswer(body, result),
    }
  },
  // Every put has a revision of its own, which stands for the term and the index of its entry.
  generate: () => ({
    type: 'write',
    operation: { type: 'put', key: COUNTER, value: NO_VALUE },
    answer: ({ revision }) => ({ type: 'generate_ok', id: revision }),
  }),
})

/** Whether requests of this type are for the store. */
export function isForStore(type: string): boolean {
  return Object.hasOwn(REQUESTS, type)
}

/** Reads a request for the store. Throws MalformedRequest. */
export function parseStoreRequest(body: Body): StoreRequest {
  if (!isForStore(body.type)) throw new MalformedRequest(`"${body.type}" is not for the store`)
  return REQUESTS[body.type]!(body)
}

/**
 * Asks the store of this node. A read through the log is a compare-and-swap that no key can meet: the answer shows
 * what the key holds at its place in the log.
 */
export function execute(front: KvFront, request: StoreRequest, reads: Reads, reply: Reply): void {
  if (request.type === 'write') {
    write(front, request.operation, reply, request.answer)
  } else if (reads === 'log') {
    const expected = { type: 'value', value: NO_VALUE } as const
    const operation = { type: 'cas', key: request.key, expected, newValue: NO_VALUE } as const
    write(front, operation, reply, ({ current }) => request.answer(current?.value))
  } else {
    const consistency = reads === 'local' ? 'stale' : 'linearizable'
    front.read(
      { keys: [request.key], consistency, revision: 0 },
      {
        serve: (machine: StateMachine) => reply.answer(request.answer(machine.get(request.key)?.value)),
        // Only reads of older revisions are answered this way.
        found: () => undefined,
        fail: (detail) => reply.fail(detail),
      },
    )
  }
}

function write(
  front: KvFront,
  operation: Operation,
  reply: Reply,
  answer: (result: CommandResult) => Body,
): void {
  front.command(encodeCommand({ session: 0, sequence: 0, firstUnacked: 0, operation }), {
    result: (result) => reply.answer(answer(result)),
    fail: (detail) => reply.fail(detail),
  })
}

function readAnswer({ key }: Body, value: Found): Body {
  if (value === undefined) return missing(key)
  return { type: 'read_ok', value: JSON.parse(Buffer.from(value).toString()) as Json }
}

function casAnswer({ key, from }: Body, { succeeded, current }: CommandResult): Body {
  if (succeeded) return { type: 'cas_ok' }
  if (current === undefined) return missing(key)
  const text = `expected ${JSON.stringify(from)}, but found ${Buffer.from(current.value).toString()}`
  return errorBody(MaelstromError.PreconditionFailed, text)
}

function missing(key: Json | undefined): Body {
  return errorBody(MaelstromError.KeyDoesNotExist, `the key ${JSON.stringify(key)} does not exist`)
}

function bytesOf(body: Body, field: string): Uint8Array {
  const value = body[field]
  if (value === undefined) throw new MalformedRequest(`a ${body.type} needs "${field}"`)
  try {
    return bytes(canonicalJson(value))
  } catch (error) {
    if (error instanceof JsonError) throw new MalformedRequest(`"${field}" cannot be kept: ${error.message}`)
    throw error
  }
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}
