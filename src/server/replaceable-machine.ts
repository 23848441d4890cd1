import type { RetentionPolicy } from '../kv/retention.ts'
import type { ApplyResult, Checkpoint, KeyRecord, PastRead, StateMachine } from '../kv/types.ts'
import type { LogEntry, LogPosition } from '../raft/types.ts'

/**
 * The state machine in force, the same object for all who hold it: a snapshot puts another one in its place (§5),
 * and nobody goes on with the old one by mistake.
 */
export class ReplaceableMachine implements StateMachine {
  #machine: StateMachine

  constructor(machine: StateMachine) {
    this.#machine = machine
  }

  /** From now on it is this one. */
  replace(machine: StateMachine): void {
    this.#machine = machine
  }

  apply(entry: LogEntry): ApplyResult {
    return this.#machine.apply(entry)
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
    let machine = this.#machine
    let read = machine.readAt(keys, revision, maxBytes)
    // What was at a revision is the same in every state machine, or given up there: it begins anew in the new one.
    const advance: PastRead['advance'] = (upTo) => {
      if (machine !== this.#machine) {
        machine = this.#machine
        read = machine.readAt(keys, revision, maxBytes)
      }
      return read.advance(upTo)
    }
    return { advance }
  }

  compactionTarget(policy: RetentionPolicy): number | undefined {
    return this.#machine.compactionTarget(policy)
  }

  freeze(): Checkpoint | undefined {
    return this.#machine.freeze()
  }

  checkpointWritten(): void {
    this.#machine.checkpointWritten()
  }
}
