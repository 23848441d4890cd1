import type { StatusObject } from '@grpc/grpc-js'

type Bytes = Uint8Array

/** Why a call failed, as gRPC says it: what is left out is empty. */
export type CallStatus = Pick<StatusObject, 'code' | 'details'> & Partial<StatusObject>

/** One unary call of a client, whoever read it off the wire. It is answered or failed once; later words are lost. */
export interface UnaryCall {
  /** `/service/method`. */
  readonly path: string
  readonly request: Bytes
  /** Whether another node has passed it on already. */
  readonly forwarded: boolean
  /** Until when the client waits, in milliseconds since 1970; Infinity: it said nothing. */
  readonly deadline: number
  /** Nobody takes the answer any more, or so much waits for the client already that a read is better refused. */
  readonly congested: boolean
  answer(response: Bytes): void
  fail(status: CallStatus): void
  /** Runs once nobody waits for the answer any more: the client gave up, went away, or waited for too long. */
  whenCancelled(run: () => void): void
}

/** What answers a kind of call. */
export type UnaryHandler = (call: UnaryCall) => void

/** Marks a request that another node passed on: whoever gets it answers it, or says that it cannot. */
export const FORWARDED = 'balsa-forwarded'
