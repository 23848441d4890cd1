import type { EventEmitter } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import type { Logger } from 'pino'
import type { BalsaClient } from '../client/client.ts'
import type { StopError } from '../errors.ts'
import type { NodeConfig } from '../server/config.ts'

/** What the commands need of a client. */
export type CliClient = Pick<BalsaClient, 'read' | 'putMany' | 'delete' | 'cas' | 'status' | 'close'>

/** A node that runs in this process. */
export interface RunningNode {
  /** Where clients reach it: `host:port` with the actual port. */
  readonly clientAddress: string
  readonly peerAddress: string
  /** Resolves when it has stopped, with the reason where it stopped by itself. */
  readonly stopped: Promise<StopError | undefined>
  stop(): Promise<void>
}

export interface StartNodeOptions {
  readonly logger: Logger
  readonly version: string
}

/** The world that the commands see: the process and what they start, so that tests can give them another. */
export interface CliContext {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable & { readonly isTTY?: boolean }
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  /** Emits SIGINT, SIGTERM, SIGHUP and, where the process was forked, `disconnect`: `process`. */
  readonly signals: EventEmitter
  /** The program and its first arguments that run this very CLI. */
  readonly self: readonly [string, ...string[]]
  connect(options: { readonly endpoints: readonly string[]; readonly timeoutMs: number }): Promise<CliClient>
  startNode(config: NodeConfig, options: StartNodeOptions): Promise<RunningNode>
}

/** One run of the program: its world and how it will exit. */
export interface Invocation {
  readonly context: CliContext
  exitCode: number
}

/** Writes and waits until it is written; a reader that has gone away is nobody's error. */
export function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => stream.write(data, () => resolve()))
}
