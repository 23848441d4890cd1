/** A node's name within its cluster, such as `n1`. */
export type NodeId = string

/** Raft's logical time (§3.3): grows with every election. 0: before the first. */
export type Term = number

/** A position in the log, from 1. 0: none. A safe integer. */
export type LogIndex = number

/** What an entry is for. The numbers are the wire's. */
export const EntryKind = {
  NoOp: 0,
  Command: 1,
  Configuration: 2,
  Session: 3,
  Time: 4,
  FeatureLevel: 5,
} as const
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind]

/** Something to be appended to the log, before it has a place there. */
export interface Proposal {
  readonly kind: EntryKind
  readonly data: Uint8Array
}

/** An entry of the log. It never changes: an index is given another entry only by truncation. */
export interface LogEntry {
  readonly index: LogIndex
  readonly term: Term
  readonly kind: EntryKind
  readonly data: Uint8Array
  /** CRC32 over the entry, seeded by the checksum of the entry before it: equal checksums, equal logs. */
  readonly checksum: number
  /** The entry as it stands on disk and on the wire, tag and length included. */
  readonly encoded: Uint8Array
  /** The length of `encoded`, in bytes. */
  readonly size: number
}

/** An entry's place in the log and what identifies the log up to there. */
export interface LogPosition {
  readonly index: LogIndex
  readonly term: Term
  readonly checksum: number
}

/** Before the first entry. */
export const LOG_START: LogPosition = Object.freeze({ index: 0, term: 0, checksum: 0 })

/** Gives proposals their place in the log, after `previous`, in `term`: encodes them and chains their checksums. */
export type SealEntries = (
  previous: LogPosition,
  term: Term,
  proposals: readonly Proposal[],
) => readonly LogEntry[]

/** What must be on disk before anything that it promises leaves the node (Figure 3.1, "persistent state"). */
export interface HardState {
  readonly currentTerm: Term
  /** Whom this node voted for in `currentTerm`. */
  readonly votedFor: NodeId | undefined
}

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader'

/** Who decides. Where `outgoing` is not empty, both groups must agree (joint consensus, §4.3). */
export interface Membership {
  readonly voters: readonly NodeId[]
  readonly outgoing: readonly NodeId[]
  readonly learners: readonly NodeId[]
}

// ---- messages ----

interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
  /** The sender's current term; of a pre-vote request, the term in which it would campaign. */
  readonly term: Term
}

/** RequestVote (Figure 3.1); as `preVote`, the question whether it would be granted (§9.6). */
export interface RequestVote extends Envelope {
  readonly type: 'preVote' | 'vote'
  readonly lastLogIndex: LogIndex
  readonly lastLogTerm: Term
}

export interface RequestVoteReply extends Envelope {
  readonly type: 'preVoteReply' | 'voteReply'
  readonly granted: boolean
}

/** AppendEntries with entries, or empty as a probe (Figure 3.1). */
export interface AppendEntries extends Envelope {
  readonly type: 'append'
  readonly prevLogIndex: LogIndex
  readonly prevLogTerm: Term
  readonly prevChecksum: number
  readonly entries: readonly LogEntry[]
  readonly leaderCommit: LogIndex
}

export interface AppendEntriesReply extends Envelope {
  readonly type: 'appendReply'
  readonly success: boolean
  /** On success the last entry known to equal the leader's; else the prevLogIndex that did not fit. */
  readonly matchIndex: LogIndex
  /** Where it did not fit: the follower's last entry that may equal the leader's, and its term. */
  readonly conflictIndex: LogIndex
  readonly conflictTerm: Term
}

/** The leader lives, and asks who still follows it (§6.4). Answered without waiting for the disk. */
export interface Heartbeat extends Envelope {
  readonly type: 'heartbeat'
  /** Never beyond what the follower is known to hold. */
  readonly leaderCommit: LogIndex
  /** The newest round of reads that waits for a majority. */
  readonly readContext: number
}

export interface HeartbeatReply extends Envelope {
  readonly type: 'heartbeatReply'
  readonly readContext: number
  /** Not the algorithm's: while the sender is low on disk space, how many bytes it has left. */
  readonly lowSpaceBytes?: number
}

export type Message =
  RequestVote | RequestVoteReply | AppendEntries | AppendEntriesReply | Heartbeat | HeartbeatReply

// ---- the boundary of the core: input and output ----

export type Input =
  /** One unit of time has passed. */
  | { readonly type: 'tick' }
  | { readonly type: 'message'; readonly message: Message }
  /** The link to a peer broke. Nothing is promised by it: a leader whose links break is gone, most likely. */
  | { readonly type: 'linkLost'; readonly peer: NodeId }
  /** Append these, if this node leads. `Output.proposed` says where; its absence, that it does not lead. */
  | { readonly type: 'propose'; readonly proposals: readonly Proposal[] }
  /** A round of linearizable reads wants to be served. `id` is the driver's, unique among those that wait. */
  | { readonly type: 'readIndex'; readonly id: number }
  /** Everything up to the write with this id is on disk. */
  | { readonly type: 'persisted'; readonly writeId: number }
  /** The state machine has applied everything up to here; after `Output.install`, by having been replaced. */
  | { readonly type: 'applied'; readonly upTo: LogIndex }
  /** The log may begin behind this entry (§5): a checkpoint of the state machine that is on disk holds it. */
  | { readonly type: 'compact'; readonly upTo: LogPosition }
  /** A leader's snapshot lies on this node's disk, whole and synced (InstallSnapshot, Figure 5.3). */
  | { readonly type: 'snapshotReceived'; readonly snapshot: ReceivedSnapshot }
  /** What became of an `Output.snapshots`: how far the follower got by it. Undefined: it does not have it. */
  | {
      readonly type: 'snapshotSent'
      readonly request: SnapshotRequest
      readonly position: LogPosition | undefined
    }
  /** The answer to a `Fetch`: what stands in the log after `previous`. */
  | {
      readonly type: 'fetched'
      readonly fetch: Fetch
      readonly previous: LogPosition
      readonly entries: readonly LogEntry[]
    }

/** Entries that are no longer in memory, to be read from disk: for a follower, or to be applied. */
export interface Fetch {
  readonly purpose: 'replicate' | 'apply'
  /** The follower; for `apply`, this node. */
  readonly to: NodeId
  /** The term in which it is asked: a leader of a later term must not send what this one read. */
  readonly term: Term
  /** The first entry wanted, and the last (at most as many of them as fit in `maxBytes`, at least one). */
  readonly from: LogIndex
  readonly upTo: LogIndex
  readonly maxBytes: number
}

/** A follower lacks entries that are no longer in the log: it is to be brought the state instead (§5). */
export interface SnapshotRequest {
  readonly to: NodeId
  /** The leader's, in which it is asked. */
  readonly term: Term
}

/** A snapshot that was built beside the state in force, of which nothing counts yet. */
export interface ReceivedSnapshot {
  /** The leader that sent it, and its term. */
  readonly from: NodeId
  readonly term: Term
  /** The last entry that is in it. */
  readonly position: LogPosition
  /** Where it lies; the core only passes it on. */
  readonly directory: string
}

/** The log is to begin behind a snapshot. It counts, with the state that it brings, once this is on disk. */
export interface LogReset {
  readonly boundary: LogPosition
  /** Whether what the log holds behind the boundary stays: the log held the boundary's very entry. */
  readonly keepSuffix: boolean
  /** Where the state is from then on. */
  readonly directory: string
}

/** What has to be on disk. A later write contains no part of an earlier one: all of them, in their order. */
export interface Write {
  /** Grows with each. */
  readonly id: number
  /** Absent: unchanged. */
  readonly hardState: HardState | undefined
  /** Absent: the log begins where it did. A write with it has no entries. */
  readonly reset: LogReset | undefined
  /** Consecutive; they replace whatever the log holds from the first one's index on. */
  readonly entries: readonly LogEntry[]
}

/** What one step wants done. Absent parts are `undefined` or empty. */
export interface Output {
  readonly write: Write | undefined
  /** To be sent at once. */
  readonly messages: readonly Message[]
  /** They promise something: to be sent only when every write handed out so far is on disk. */
  readonly messagesAfterWrite: readonly Message[]
  /** Committed, and on this node's disk: to be applied in this order. */
  readonly apply: readonly LogEntry[]
  readonly fetches: readonly Fetch[]
  /** Followers that need a snapshot; each ends with a `snapshotSent`. */
  readonly snapshots: readonly SnapshotRequest[]
  /** A reset that is on disk: the state machine is to be replaced by what is there, then `applied` reported. */
  readonly install: LogReset | undefined
  /** Of `readIndex` inputs: to be served now from the state machine. */
  readonly reads: readonly number[]
  /** Of `readIndex` inputs: this node does not lead (any more). */
  readonly refusedReads: readonly number[]
  /** Where the proposals of this step stand in the log. */
  readonly proposed: { readonly first: LogIndex; readonly term: Term; readonly count: number } | undefined
  /** Set when role, term or leader changed. */
  readonly status: RoleStatus | undefined
}

export interface RoleStatus {
  readonly role: Role
  readonly term: Term
  readonly leader: NodeId | undefined
}
