import type { LogIndex, NodeId, Role, Term } from '../../src/raft/types.ts'

/** What is known of a node from outside: what it was seen to do, and what its disk was seen to take. */
export class Shadow {
  readonly id: NodeId
  /** The checksum of each entry of its log, as the core has it; at 0 that of the start. */
  log: number[] = [0]
  /** The same of what is durable on its disk, with the hard state. */
  durable: number[] = [0]
  durableTerm: Term = 0
  durableVote: NodeId | undefined
  /** What it promised to others and must never forget: a term with its vote, and a log up to somewhere. */
  promisedTerm: Term = 0
  promisedVote: NodeId | undefined
  promised: { index: LogIndex; checksum: number } = { index: 0, checksum: 0 }
  up = false
  role: Role = 'follower'
  term: Term = 0
  leader: NodeId | undefined
  commitIndex: LogIndex = 0
  lastApplied: LogIndex = 0
  /** What its state machine has applied, and what a checkpoint of it that is on disk holds. */
  machineIndex: LogIndex = 0
  checkpointIndex: LogIndex = 0
  /** Where its log begins on disk, and the state that is in force with it. */
  boundaryIndex: LogIndex = 0
  stateDirectory = 'state-1'

  constructor(id: NodeId) {
    this.id = id
  }
}
