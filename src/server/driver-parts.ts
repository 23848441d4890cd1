import type { Clock } from '../clock.ts'
import type { StopError } from '../errors.ts'
import type { StateMachine } from '../kv/types.ts'
import type { RaftNode } from '../raft/node.ts'
import type { LogIndex, RoleStatus } from '../raft/types.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { Transport } from '../transport/transport.ts'
import type { Checkpointer } from './checkpointer.ts'
import type { CompactionSchedule } from './compaction-schedule.ts'
import type { DriverSnapshots } from './log-cutter.ts'
import type { ProposalLimits } from './proposals.ts'
import type { LeaderLookup } from './refusals.ts'
import type { SpaceGuard } from './space-guard.ts'

export interface DriverSettings extends ProposalLimits {
  /** The length of the core's unit of time, in milliseconds. */
  readonly tickMs: number
  /** Proposals are refused while more than this waits for its checkpoint. */
  readonly maxUnwrittenBytes: number
  /** At least so much of the log is kept for followers, in bytes. */
  readonly logKeepBytes: number
}

export interface DriverParts {
  readonly raft: RaftNode
  readonly log: LogStore
  readonly machine: StateMachine
  readonly checkpointer: Checkpointer
  readonly transport: Transport
  readonly clock: Clock
  /** Where the leader is, for redirects. */
  readonly leaderLookup: LeaderLookup
  readonly snapshots: DriverSnapshots
  readonly compaction: Pick<CompactionSchedule, 'due'>
  readonly spaceGuard: Pick<SpaceGuard, 'lowSpaceBytes' | 'peerReported' | 'refusal'>
}

export interface DriverEvents {
  /** Role, term or leader changed. */
  changed(status: RoleStatus): void
  /** A time stamp of the log was applied. */
  stamped?(index: LogIndex): void
  /** The node cannot go on: it has stopped taking part, and its process must end. Called once. */
  failed(error: StopError): void
}
