import { MAX_REQUEST_ITEMS, readRequestSize, tooManyItems } from '../wire/read-request.ts'
import type { Command, Operation } from '../wire/types.ts'

/** What a request may weigh, in bytes. Checked before anything is proposed. */
export interface RequestLimits {
  readonly maxKeyBytes: number
  readonly maxValueBytes: number
  readonly maxRequestBytes: number
}

/** What is wrong with the command, in words; undefined where nothing is. `bytes`: its encoded size. */
export function commandProblem(command: Command, bytes: number, limits: RequestLimits): string | undefined {
  if (bytes > limits.maxRequestBytes) return requestTooLarge(bytes, limits)
  if (command.session !== 0 && command.sequence === 0) {
    return 'a request of a session needs a sequence number, from 1'
  }
  if (command.session !== 0 && command.firstUnacked > command.sequence) {
    return `first_unacked ${command.firstUnacked} is beyond the request's own sequence ${command.sequence}`
  }
  return operationProblem(command.operation, limits)
}

/** What is wrong with the keys of a read, in words; undefined where nothing is. */
export function readProblem(keys: readonly Uint8Array[], limits: RequestLimits): string | undefined {
  if (keys.length === 0) return 'no key is given'
  for (const key of keys) {
    const problem = keyProblem(key, limits)
    if (problem !== undefined) return problem
  }
  const bytes = keys.length > 1 ? readRequestSize(keys) : 0
  return bytes > limits.maxRequestBytes ? requestTooLarge(bytes, limits) : undefined
}

function requestTooLarge(bytes: number, { maxRequestBytes }: RequestLimits): string {
  return `the request has ${bytes} bytes, at most ${maxRequestBytes} are allowed: split it`
}

function operationProblem(operation: Operation, limits: RequestLimits): string | undefined {
  switch (operation.type) {
    case 'put':
      return keyProblem(operation.key, limits) ?? valueProblem(operation.value, limits)
    case 'delete':
      return keyProblem(operation.key, limits)
    case 'cas':
      return keyProblem(operation.key, limits) ?? valueProblem(operation.newValue, limits)
    case 'putMany':
      return putsProblem(operation.puts, limits)
    case 'compact':
      return operation.revision === 0 ? 'no revision is given: the first one is 1' : undefined
  }
}

function putsProblem(
  puts: readonly { key: Uint8Array; value: Uint8Array }[],
  limits: RequestLimits,
): string | undefined {
  if (puts.length === 0) return 'no key is given'
  if (puts.length > MAX_REQUEST_ITEMS) return tooManyItems('pairs')
  const seen = new Set<string>()
  for (const { key, value } of puts) {
    const problem = keyProblem(key, limits) ?? valueProblem(value, limits)
    if (problem !== undefined) return problem
    const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
    if (seen.has(name)) return `the key ${JSON.stringify(name)} is given twice: one request puts a key once`
    seen.add(name)
  }
  return undefined
}

function keyProblem(key: Uint8Array, { maxKeyBytes }: RequestLimits): string | undefined {
  if (key.length === 0) return 'a key has at least one byte'
  if (key.length > maxKeyBytes) return `the key has ${key.length} bytes, at most ${maxKeyBytes} are allowed`
  return undefined
}

function valueProblem(value: Uint8Array, { maxValueBytes }: RequestLimits): string | undefined {
  if (value.length <= maxValueBytes) return undefined
  return `the value has ${value.length} bytes, at most ${maxValueBytes} are allowed`
}
