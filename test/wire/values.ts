import fc from 'fast-check'
import { EntryKind } from '../../src/raft/types.ts'
import type { LogPosition, Message, Proposal } from '../../src/raft/types.ts'
import type { ErrorDetail } from '../../src/wire/error-detail.ts'
import type { Consistency } from '../../src/wire/frames.ts'
import { sealEntries } from '../../src/wire/entry.ts'
import type { Command, CommandResult, Expectation, KeyEntry, Operation } from '../../src/wire/types.ts'
import { bytes, text, uint, uint32 } from './oracle.ts'

// Arbitrary values of what goes over the wire, and the same as plain objects for the oracle.

const expectation: fc.Arbitrary<Expectation> = fc.oneof(
  fc.record({ type: fc.constant('value' as const), value: bytes }),
  fc.record({ type: fc.constant('modRevision' as const), modRevision: uint }),
  fc.constant({ type: 'absent' as const }),
)

export const operations = {
  put: fc.record({ type: fc.constant('put' as const), key: bytes, value: bytes }),
  delete: fc.record({ type: fc.constant('delete' as const), key: bytes }),
  cas: fc.record({ type: fc.constant('cas' as const), key: bytes, expected: expectation, newValue: bytes }),
  putMany: fc.record({
    type: fc.constant('putMany' as const),
    puts: fc.array(fc.record({ key: bytes, value: bytes }), { maxLength: 5 }),
  }),
  compact: fc.record({ type: fc.constant('compact' as const), revision: uint }),
}

export function commandOf<O extends Operation>(
  operation: fc.Arbitrary<O>,
): fc.Arbitrary<Command & { operation: O }> {
  return fc.record({ session: uint, sequence: uint, firstUnacked: uint, operation })
}

export const command: fc.Arbitrary<Command> = commandOf(
  fc.oneof(operations.put, operations.delete, operations.cas, operations.putMany, operations.compact),
)

export function plainExpectation(expected: Expectation): object {
  switch (expected.type) {
    case 'value':
      return { value: expected.value }
    case 'modRevision':
      return { modRevision: expected.modRevision }
    case 'absent':
      return { absent: true }
  }
}

export function plainCommand({ operation, ...numbers }: Command): object {
  switch (operation.type) {
    case 'put':
      return { ...numbers, put: { key: operation.key, value: operation.value } }
    case 'delete':
      return { ...numbers, delete: { key: operation.key } }
    case 'cas': {
      const { key, newValue, expected } = operation
      return { ...numbers, compareAndSwap: { key, newValue, ...plainExpectation(expected) } }
    }
    case 'putMany':
      return { ...numbers, putMany: { puts: operation.puts } }
    case 'compact':
      return { ...numbers, compact: { revision: operation.revision } }
  }
}

export const keyEntry: fc.Arbitrary<KeyEntry> = fc.record({
  key: bytes,
  value: bytes,
  createRevision: uint,
  modRevision: uint,
  version: uint,
  lease: uint,
})

export const maybeEntry = fc.option(keyEntry, { nil: undefined })

export const result: fc.Arbitrary<CommandResult> = fc.record({
  revision: uint,
  succeeded: fc.boolean(),
  current: maybeEntry,
  session: uint,
})

export const readResult = fc.record({ revision: uint, entries: fc.array(maybeEntry, { maxLength: 5 }) })

export const consistency = fc.constantFrom<Consistency>('linearizable', 'stale', 'lease')

export const leaderHint = fc.record({ id: text, clientAddress: text, term: uint })

export const errorDetail: fc.Arbitrary<ErrorDetail> = fc.record(
  {
    code: fc.constantFrom(
      'UNAVAILABLE' as const,
      'NOT_LEADER' as const,
      'TIMEOUT' as const,
      'OUTCOME_UNKNOWN' as const,
      'INVALID_ARGUMENT' as const,
      'RESOURCE_EXHAUSTED' as const,
      'SESSION_EXPIRED' as const,
      'COMPACTED' as const,
      'DAMAGED' as const,
      'ABORTED' as const,
    ),
    message: text,
    notExecuted: fc.boolean(),
    leader: fc.option(leaderHint, { nil: undefined }),
    lasting: fc.constant(true),
  },
  { requiredKeys: ['code', 'message', 'notExecuted', 'leader'] },
)

export const proposals: fc.Arbitrary<Proposal[]> = fc.array(
  fc.record({ kind: fc.constantFrom(...Object.values(EntryKind)), data: bytes }),
  { maxLength: 6 },
)

/** Not so near the largest number that the entries after it have no index. */
export const position: fc.Arbitrary<LogPosition> = fc.record({
  index: fc.oneof(
    fc.nat(300),
    fc.maxSafeNat().map((n) => Math.floor(n / 2)),
  ),
  term: fc.oneof(
    fc.nat(300),
    fc.maxSafeNat().map((n) => Math.floor(n / 2)),
  ),
  checksum: uint32,
})

const envelope = { from: text, to: text, term: uint }

export const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: fc.constantFrom('preVote' as const, 'vote' as const),
    ...envelope,
    lastLogIndex: uint,
    lastLogTerm: uint,
  }),
  fc.record({
    type: fc.constantFrom('preVoteReply' as const, 'voteReply' as const),
    ...envelope,
    granted: fc.boolean(),
  }),
  fc
    .record({ ...envelope, previous: position, proposals, more: proposals, leaderCommit: uint })
    .map(({ previous, proposals, more, ...rest }) => {
      const first = sealEntries(previous, previous.term, proposals)
      const second = sealEntries(first.at(-1) ?? previous, previous.term + 1, more)
      return {
        type: 'append' as const,
        ...rest,
        prevLogIndex: previous.index,
        prevLogTerm: previous.term,
        prevChecksum: previous.checksum,
        entries: [...first, ...second],
      }
    }),
  fc.record({
    type: fc.constant('appendReply' as const),
    ...envelope,
    success: fc.boolean(),
    matchIndex: uint,
    conflictIndex: uint,
    conflictTerm: uint,
  }),
  fc.record({ type: fc.constant('heartbeat' as const), ...envelope, leaderCommit: uint, readContext: uint }),
  fc.record({ type: fc.constant('heartbeatReply' as const), ...envelope, readContext: uint }),
  fc.record({
    type: fc.constant('heartbeatReply' as const),
    ...envelope,
    readContext: uint,
    lowSpaceBytes: fc.integer({ min: 1, max: 2 ** 40 }),
  }),
)

export function plainMessage({ from, to, term, type, ...body }: Message): object {
  const entries =
    'entries' in body
      ? {
          entries: body.entries.map(({ index, term, kind, data, checksum }) => ({
            index,
            term,
            kind,
            data,
            checksum,
          })),
        }
      : {}
  return { from, to, term, [type]: { ...body, ...entries } }
}
