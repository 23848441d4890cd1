import { EntryKind } from '../raft/types.ts'
import { encodeCommand, encodeTimeStamp } from '../wire/command.ts'
import type { WriteCall } from './calls.ts'

/** The leader's own proposal: nobody waits for its answer. */
export class OwnCall implements WriteCall {
  readonly kind: EntryKind
  readonly data: Uint8Array

  private constructor(kind: EntryKind, data: Uint8Array) {
    this.kind = kind
    this.data = data
  }

  /** So much of the cluster's time has passed. */
  static timeStamp(clusterTimeMs: number): OwnCall {
    return new OwnCall(EntryKind.Time, encodeTimeStamp(clusterTimeMs))
  }

  /** History goes up to a revision. */
  static compaction(revision: number): OwnCall {
    const operation = { type: 'compact', revision } as const
    const command = { session: 0, sequence: 0, firstUnacked: 0, operation }
    return new OwnCall(EntryKind.Command, encodeCommand(command))
  }

  succeed(): void {}

  fail(): void {}
}
