import type { LeaderHint } from '../errors.ts'
import type { NodeId, RoleStatus } from '../raft/types.ts'
import type { PastRefusal } from '../kv/types.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'

/** Where clients reach a node; empty where it has not said so yet. */
export type LeaderLookup = (id: NodeId) => string

/** This node does not lead: where the leader is, or that there is none. Nothing was executed. */
export function notLeader(
  status: RoleStatus,
  clientAddressOf: LeaderLookup,
  reason = 'this node does not lead',
): ErrorDetail {
  const { role, leader, term } = status
  if (leader === undefined || role === 'leader') {
    return {
      code: 'UNAVAILABLE',
      message: `${reason}, and no leader is known in term ${term}: an election is under way, or no majority is connected`,
      notExecuted: true,
      leader: undefined,
    }
  }
  const hint: LeaderHint = { id: leader, clientAddress: clientAddressOf(leader), term }
  return { code: 'NOT_LEADER', message: `${reason}: ${leader} does`, notExecuted: true, leader: hint }
}

/** The node stopped leading while the write stood in its log: the next leader may commit it, or replace it. */
export function leadershipLost(reason: string): ErrorDetail {
  return {
    code: 'UNAVAILABLE',
    message: `${reason}, before the write was committed: it may or may not happen`,
    notExecuted: false,
    leader: undefined,
  }
}

/** This node is about to end; others may serve. */
export function stopping(): ErrorDetail {
  return { code: 'UNAVAILABLE', message: 'this node is stopping', notExecuted: true, leader: undefined }
}

/** A snapshot has taken the place of the state that was being read. */
export function stateReplaced(): ErrorDetail {
  const message = 'this node was brought another state while it was reading: ask again'
  return { code: 'UNAVAILABLE', message, notExecuted: true, leader: undefined }
}

/** A limit on waiting work is reached. */
export function tooBusy(): ErrorDetail {
  return {
    code: 'RESOURCE_EXHAUSTED',
    message: 'too many requests are waiting at the leader: try again a little later, or with fewer at a time',
    notExecuted: true,
    leader: undefined,
  }
}

/** Nodes without which nothing can be committed are low on disk space; `nodes` has what each has left, in bytes. */
export function lowSpace(nodes: readonly (readonly [NodeId, number])[], minFreeBytes: number): ErrorDetail {
  const left = nodes.map(([id, bytes]) => `${id} has ${mebibytes(bytes)} left`).join(', ')
  return {
    code: 'RESOURCE_EXHAUSTED',
    message:
      `low on disk space: ${left}, below --min-free-bytes (${mebibytes(minFreeBytes)}). Writes are refused until ` +
      'there is more; reads and deletes go on',
    notExecuted: true,
    leader: undefined,
    lasting: true,
  }
}

/** Bytes as people read them. */
export function mebibytes(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MiB`
}

/** The revision that is asked for cannot be read. */
export function pastRefused({ refused, message, oldestRevision }: PastRefusal): ErrorDetail {
  const detail: ErrorDetail = { code: refused, message, notExecuted: true, leader: undefined }
  return refused === 'COMPACTED' ? { ...detail, oldestRevision } : detail
}

/** The request is wrong, and says so in words. */
export function invalid(message: string): ErrorDetail {
  return { code: 'INVALID_ARGUMENT', message, notExecuted: true, leader: undefined }
}
