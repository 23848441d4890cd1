import type { Clock } from '../clock.ts'
import type { StatusResponse } from '../wire/proto.ts'

/** What a connection tells its owner. Never called while `connect` or `send` still runs. */
export interface ConnectionHandlers {
  /** A ServerFrame arrived. The bytes are the receiver's to keep. */
  frame(bytes: Uint8Array): void
  /** What was sent has left: `unsentBytes` is low again. */
  drained(): void
  /**
   * The connection is gone, or never came about. Called at most once, and nothing after it. A ResourceExhaustedError
   * says that a message was too large for the other side, or for somebody on the way.
   */
  closed(error: Error): void
}

/** An Exchange stream to one node. */
export interface Connection {
  /** Hands over a ClientFrame. Never blocks and never throws: a connection that broke says so by `closed`. */
  send(frame: Uint8Array): void
  /** Bytes handed over that have not left this process. */
  readonly unsentBytes: number
  /** Drops the connection at once. No handler is called any more. */
  close(): void
}

/** How the client reaches nodes: gRPC, or a simulated network. */
export interface Connector {
  /** Begins to open a stream of its own to `endpoint` (host:port), which may be used at once. */
  connect(endpoint: string, handlers: ConnectionHandlers): Connection
  /** Asks one node for its status. Rejects within `timeoutMs` where it does not answer. */
  status(endpoint: string, timeoutMs: number): Promise<StatusResponse>
}

/** What the client does not do by itself, so that a simulation can do it instead. */
export interface Runtime {
  readonly connector: Connector
  readonly clock: Clock
  /** In [0, 1): for jitter, and for which endpoint comes first. */
  readonly random: () => number
}
