import type { EventEmitter } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import type { BackupStream } from '../client/backup.ts'
import type { BalsaClient } from '../client/client.ts'
import type { NodeConfig } from '../server/config.ts'
import type { NodeOptions, RunningNode } from '../server/node.ts'

/** What the commands need of a client. */
export type CliClient = Pick<
  BalsaClient,
  'read' | 'putMany' | 'delete' | 'cas' | 'compact' | 'status' | 'close'
>

/** The world that the commands see: the process and what they start, so that tests can give them another. */
export interface CliContext {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable & { readonly isTTY?: boolean }
  readonly stderr: Writable & { readonly isTTY?: boolean }
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  /** Emits SIGINT, SIGTERM and, where the process was forked, `disconnect`: `process`. */
  readonly signals: EventEmitter
  /** What V8's heap may grow to, in this process and in the nodes that it starts. */
  readonly heapBytes: number
  /** The program and its first arguments that run this very CLI. */
  readonly self: readonly [string, ...string[]]
  connect(options: { readonly endpoints: readonly string[]; readonly timeoutMs: number }): Promise<CliClient>
  /** Asks the nodes in turn for a backup of the cluster. */
  openBackup(endpoints: readonly string[]): Promise<BackupStream>
  startNode(config: NodeConfig, options: NodeOptions): Promise<RunningNode>
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
