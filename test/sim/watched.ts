import type { RetentionPolicy } from '../../src/kv/retention.ts'
import type { ApplyResult, Checkpoint, PastRead, StateMachine } from '../../src/kv/types.ts'
import type { KeyRecord } from '../../src/wire/types.ts'
import { RaftNode } from '../../src/raft/node.ts'
import type { NodeView } from '../../src/raft/node.ts'
import type { InitialState, RaftOptions } from '../../src/raft/state.ts'
import type { Input, LogEntry, LogIndex, LogPosition, Message, NodeId, Output } from '../../src/raft/types.ts'
import type { SnapshotSource, SnapshotTransfer } from '../../src/transport/snapshot-transfer.ts'
import type { Transport, TransportHandler } from '../../src/transport/transport.ts'

/** The core, with somebody who looks at every step. */
export class WatchedCore extends RaftNode {
  readonly #watch: (input: Input, output: Output, view: NodeView) => void

  constructor(
    options: RaftOptions,
    initial: InitialState,
    watch: (input: Input, output: Output, view: NodeView) => void,
  ) {
    super(options, initial)
    this.#watch = watch
  }

  override step(input: Input): Output {
    const output = super.step(input)
    this.#watch(input, output, this.view())
    return output
  }
}

export interface MachineWatcher {
  applied(entry: LogEntry, result: ApplyResult, hash: string): void
  checkpointWritten(index: LogIndex): void
}

/** The state machine, with somebody who looks at every apply. */
export class WatchedMachine implements StateMachine {
  readonly #machine: StateMachine
  readonly #watcher: MachineWatcher
  #frozen: LogIndex = 0

  constructor(machine: StateMachine, watcher: MachineWatcher) {
    this.#machine = machine
    this.#watcher = watcher
  }

  apply(entry: LogEntry): ApplyResult {
    const result = this.#machine.apply(entry)
    this.#watcher.applied(entry, result, this.#machine.stateHash())
    return result
  }

  get applied(): LogPosition {
    return this.#machine.applied
  }

  get revision(): number {
    return this.#machine.revision
  }

  get compactedRevision(): number {
    return this.#machine.compactedRevision
  }

  get clusterTimeMs(): number {
    return this.#machine.clusterTimeMs
  }

  get sessionCount(): number {
    return this.#machine.sessionCount
  }

  get unwrittenBytes(): number {
    return this.#machine.unwrittenBytes
  }

  get unwrittenMemoryBytes(): number {
    return this.#machine.unwrittenMemoryBytes
  }

  stateHash(): string {
    return this.#machine.stateHash()
  }

  get(key: Uint8Array): KeyRecord | undefined {
    return this.#machine.get(key)
  }

  readAt(keys: readonly Uint8Array[], revision: number, maxBytes: number): PastRead {
    return this.#machine.readAt(keys, revision, maxBytes)
  }

  compactionTarget(policy: RetentionPolicy): number | undefined {
    return this.#machine.compactionTarget(policy)
  }

  freeze(): Checkpoint | undefined {
    const checkpoint = this.#machine.freeze()
    if (checkpoint !== undefined) this.#frozen = checkpoint.upTo.index
    return checkpoint
  }

  checkpointWritten(): void {
    this.#machine.checkpointWritten()
    this.#watcher.checkpointWritten(this.#frozen)
  }
}

/** The transport, with somebody who looks at every message that leaves. */
export class WatchedTransport implements Transport {
  readonly #transport: Transport
  readonly #watch: (message: Message) => void

  constructor(transport: Transport, watch: (message: Message) => void) {
    this.#transport = transport
    this.#watch = watch
  }

  start(handler: TransportHandler): Promise<void> {
    return this.#transport.start(handler)
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) this.#watch(message)
    this.#transport.send(messages)
  }

  sendSnapshot(to: NodeId, source: SnapshotSource): SnapshotTransfer {
    return this.#transport.sendSnapshot(to, source)
  }

  close(): Promise<void> {
    return this.#transport.close()
  }
}
