import type { ErrorDetail } from '../wire/error-detail.ts'
import type { Json } from './json.ts'

/** The body of a message: what it is, and what that takes. */
export interface Body {
  readonly [name: string]: Json | undefined
  readonly type: string
  /** Of a request: the sender's number, which the reply repeats. */
  readonly msg_id?: number
  readonly in_reply_to?: number
}

/** One message of Maelstrom's network, one line of JSON. */
export interface Envelope {
  readonly src: string
  readonly dest: string
  readonly body: Body
}

/** Maelstrom's errors, as far as this node gives them. 0 and 13 are indefinite: the operation may have happened. */
export const MaelstromError = Object.freeze({
  Timeout: 0,
  NotSupported: 10,
  TemporarilyUnavailable: 11,
  MalformedRequest: 12,
  Crash: 13,
  Abort: 14,
  KeyDoesNotExist: 20,
  PreconditionFailed: 22,
} as const)
export type MaelstromError = (typeof MaelstromError)[keyof typeof MaelstromError]

/** The request makes no sense. The message says why. */
export class MalformedRequest extends Error {
  override readonly name = 'MalformedRequest'
}

/** Reads a line; undefined where it is no message. */
export function parseEnvelope(line: string): Envelope | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    return undefined
  }
  if (!isRecord(parsed) || typeof parsed.src !== 'string' || typeof parsed.dest !== 'string') return undefined
  return isBody(parsed.body) ? (parsed as unknown as Envelope) : undefined
}

/** Whether a value is the body of a message. */
export function isBody(value: unknown): value is Body {
  if (!isRecord(value) || typeof value.type !== 'string') return false
  return [value.msg_id, value.in_reply_to].every((id) => id === undefined || typeof id === 'number')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The body of an error. */
export function errorBody(code: MaelstromError, text: string): Body {
  return { type: 'error', code, text }
}

/** A refusal or failure of ours as Maelstrom's: a definite one only where the operation did not and will not happen. */
export function errorOf({ code, message, notExecuted }: ErrorDetail): Body {
  if (!notExecuted) {
    return errorBody(code === 'TIMEOUT' ? MaelstromError.Timeout : MaelstromError.Crash, message)
  }
  if (code === 'INVALID_ARGUMENT') return errorBody(MaelstromError.MalformedRequest, message)
  if (code === 'ABORTED') return errorBody(MaelstromError.Abort, message)
  return errorBody(MaelstromError.TemporarilyUnavailable, message)
}
