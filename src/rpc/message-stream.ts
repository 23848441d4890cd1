import { status } from '@grpc/grpc-js'

/**
 * A stream of messages both ways, as gRPC has it, from one of its ends. Nothing here throws, also where the stream is
 * gone; nothing is heard while one of these is called.
 */
export interface MessageStream {
  /** What was sent and has not left this process, in bytes. */
  readonly unsentBytes: number
  /** @param message is not changed afterwards */
  send(message: Uint8Array): void
  /** Says nothing more. What was sent goes first. */
  end(): void
  /** Ends the stream at once, and drops what has not left. Nothing is heard any more. */
  abort(): void
  /** Takes nothing more in, so that the other side has to wait. */
  pause(): void
  resume(): void
}

/** Hears what happens on a stream. */
export interface MessageListener {
  /** The bytes are the listener's to keep. */
  message(bytes: Uint8Array): void
  /** So many bytes that were sent have left: `unsentBytes` is less by them. */
  left(bytes: number): void
  /** The stream is over. Called at most once, and last. `status` is undefined where it ended as it should. */
  closed(status: StreamStatus | undefined): void
}

/** Hears what happens on a stream that was accepted. */
export interface IncomingListener extends MessageListener {
  /** The dialler says nothing more, and may still listen. */
  ended(): void
}

/** Why a stream is over, as gRPC says it. */
export interface StreamStatus {
  readonly code: status
  readonly details: string
}

/** What an accepted stream ends with that broke off. */
export const BROKEN_OFF: StreamStatus = Object.freeze({
  code: status.CANCELLED,
  details: 'the connection was lost',
})

/** A stream that somebody dialled. */
export interface IncomingStream extends MessageStream {
  /** The value of a header that the dialer sent, by its name in small letters; undefined where it sent none. */
  header(name: string): string | undefined
  /** Lets `listener` hear what comes in. Called once, before anything else is waited for. */
  hear(listener: IncomingListener): void
  /** Ends the stream with an error, after what was sent. Only `closed` is heard from now on. */
  fail(status: StreamStatus): void
}

/** What answers a stream. */
export type StreamHandler = (stream: IncomingStream) => void
