import { EntryKind } from '../../src/raft/types.ts'
import type { Input, LogEntry, Message, Output } from '../../src/raft/types.ts'
import { decodeCommand } from '../../src/wire/command.ts'
import type { Asked, Outcome } from './workload/operation.ts'

/** A message in the paper's words. `3/1` is the entry, or position, of index 3 and term 1. */
export function describeMessage(message: Message): string {
  const { term } = message
  switch (message.type) {
    case 'preVote':
    case 'vote': {
      const name = message.type === 'vote' ? 'RequestVote' : 'PreVote'
      return `${name} term ${term}, last entry ${message.lastLogIndex}/${message.lastLogTerm}`
    }
    case 'preVoteReply':
    case 'voteReply': {
      const name = message.type === 'voteReply' ? 'RequestVote' : 'PreVote'
      return `${name} reply term ${term}, ${message.granted ? 'granted' : 'refused'}`
    }
    case 'append': {
      const { prevLogIndex, prevLogTerm, entries, leaderCommit } = message
      return `AppendEntries term ${term}, prev ${prevLogIndex}/${prevLogTerm}, ${list(entries)}, leaderCommit ${leaderCommit}`
    }
    case 'appendReply': {
      const { success, matchIndex, conflictIndex, conflictTerm } = message
      if (success) return `AppendEntries reply term ${term}, success, matchIndex ${matchIndex}`
      return `AppendEntries reply term ${term}, no entry ${matchIndex} like that, conflict ${conflictIndex}/${conflictTerm}`
    }
    case 'heartbeat':
      return `heartbeat term ${term}, leaderCommit ${message.leaderCommit}, read context ${message.readContext}`
    case 'heartbeatReply':
      return `heartbeat reply term ${term}, read context ${message.readContext}`
  }
}

/** What a step was and what it wanted done, apart from messages. */
export function* describeStep(input: Input, output: Output): Generator<string> {
  if (input.type === 'message') {
    yield `← ${input.message.from} ${describeMessage(input.message)}`
  }
  const { status, proposed, write, apply, reads, refusedReads } = output
  if (status !== undefined) {
    const { role, term, leader } = status
    yield `is ${role} in term ${term}, leader ${leader ?? 'unknown'}`
  }
  if (proposed !== undefined) yield `appends ${proposed.count} from ${proposed.first}/${proposed.term} on`
  if (write?.hardState !== undefined) {
    const { currentTerm, votedFor } = write.hardState
    yield `persists currentTerm ${currentTerm}, votedFor ${votedFor ?? 'nobody'}`
  }
  if (write !== undefined && write.entries.length > 0) yield `persists ${list(write.entries)}`
  if (input.type === 'persisted') yield `write #${input.writeId} is on disk`
  if (apply.length > 0) yield `applies ${list(apply)}`
  if (reads.length > 0) yield `serves reads ${reads.join(', ')}`
  if (refusedReads.length > 0) yield `refuses reads ${refusedReads.join(', ')}`
}

function list(entries: readonly LogEntry[]): string {
  if (entries.length === 0) return 'no entries'
  const shown = entries.slice(0, 4).map(describeEntry).join(', ')
  return entries.length > 4 ? `${shown} and ${entries.length - 4} more` : shown
}

const KINDS: Readonly<Record<number, string>> = Object.freeze({
  [EntryKind.NoOp]: 'no-op',
  [EntryKind.Configuration]: 'configuration',
  [EntryKind.Session]: 'session',
  [EntryKind.Time]: 'time',
  [EntryKind.FeatureLevel]: 'feature level',
})

function describeEntry(entry: LogEntry): string {
  const place = `${entry.index}/${entry.term}`
  if (entry.kind !== EntryKind.Command) return `${place} ${KINDS[entry.kind] ?? entry.kind}`
  const { session, sequence, operation } = decodeCommand(entry.data)
  const who = session === 0 ? '' : ` (${session}:${sequence})`
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
  switch (operation.type) {
    case 'put':
      return `${place} put ${text(operation.key)}=${text(operation.value)}${who}`
    case 'cas':
      return `${place} cas ${text(operation.key)}=${text(operation.newValue)}${who}`
    case 'compact':
      return `${place} compact to ${operation.revision}${who}`
    case 'delete':
      return `${place} delete ${text(operation.key)}${who}`
    case 'putMany':
      return `${place} put ${operation.puts.map(({ key, value }) => `${text(key)}=${text(value)}`).join(' ')}${who}`
  }
}

/** An operation of a client. */
export function describeAsked(asked: Asked): string {
  switch (asked.type) {
    case 'put':
      return `put ${asked.key} ${asked.value}`
    case 'putMany':
      return `put ${asked.puts.flat().join(' ')}`
    case 'delete':
      return `delete ${asked.key}`
    case 'cas':
      return `cas ${asked.key} ${JSON.stringify(asked.expected)} ${asked.value}`
    case 'compact':
      return `compact to ${asked.revision}`
    case 'get': {
      const at = asked.revision === undefined ? '' : ` at ${asked.revision}`
      return `get ${asked.keys.join(' ')}${at}${asked.stale ? ' (stale)' : ''}`
    }
  }
}

/** How it ended. */
export function describeOutcome(outcome: Outcome): string {
  if (outcome.type !== 'ok') return `${outcome.type}: ${outcome.code} ${outcome.message}`
  const { revision, succeeded, entries } = outcome.answer
  const parts = [`revision ${revision}`]
  if (succeeded !== undefined) parts.push(succeeded ? 'succeeded' : 'did not succeed')
  if (entries !== undefined) parts.push(entries.map((entry) => entry?.value ?? 'nothing').join(', '))
  return parts.join(', ')
}
