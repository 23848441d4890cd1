import { LOG_START } from '../../../src/raft/types.ts'
import type {
  AppendEntries,
  AppendEntriesReply,
  Heartbeat,
  HeartbeatReply,
  LogPosition,
  Message,
  RequestVote,
  RequestVoteReply,
} from '../../../src/raft/types.ts'

/** Messages made by hand, from n2 to n1 unless told. `after` is the entry before the first one that is sent. */
export function append(fields: Partial<AppendEntries> & { after?: LogPosition } = {}): AppendEntries {
  const { after = LOG_START, ...rest } = fields
  const { index: prevLogIndex, term: prevLogTerm, checksum: prevChecksum } = after
  const envelope = { type: 'append', from: 'n2', to: 'n1', term: 1 } as const
  return { ...envelope, prevLogIndex, prevLogTerm, prevChecksum, entries: [], leaderCommit: 0, ...rest }
}

export function appendReply(fields: Partial<AppendEntriesReply> = {}): AppendEntriesReply {
  const envelope = { type: 'appendReply', from: 'n2', to: 'n1', term: 1 } as const
  return { ...envelope, success: true, matchIndex: 0, conflictIndex: 0, conflictTerm: 0, ...fields }
}

export function heartbeat(fields: Partial<Heartbeat> = {}): Heartbeat {
  return { type: 'heartbeat', from: 'n2', to: 'n1', term: 1, leaderCommit: 0, readContext: 0, ...fields }
}

export function heartbeatReply(fields: Partial<HeartbeatReply> = {}): HeartbeatReply {
  return { type: 'heartbeatReply', from: 'n2', to: 'n1', term: 1, readContext: 0, ...fields }
}

export function vote(fields: Partial<RequestVote> = {}): RequestVote {
  return { type: 'vote', from: 'n2', to: 'n1', term: 1, lastLogIndex: 0, lastLogTerm: 0, ...fields }
}

export function preVote(fields: Partial<RequestVote> = {}): RequestVote {
  return vote({ type: 'preVote', ...fields })
}

export function voteReply(fields: Partial<RequestVoteReply> = {}): RequestVoteReply {
  return { type: 'voteReply', from: 'n2', to: 'n1', term: 1, granted: true, ...fields }
}

export function preVoteReply(fields: Partial<RequestVoteReply> = {}): RequestVoteReply {
  return voteReply({ type: 'preVoteReply', ...fields })
}

/** The AppendEntries among messages. */
export function appends(messages: readonly Message[]): AppendEntries[] {
  return messages.filter((message) => message.type === 'append')
}
