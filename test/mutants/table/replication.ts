import { model, tests } from '../mutant.ts'
import type { Mutant } from '../mutant.ts'

const TRUNCATES_ALWAYS = {
  file: 'src/raft/follower.ts',
  find:
    `    const fresh = entries.findIndex((entry) => log.termAt(entry.index) !== entry.term)\n` +
    `    if (fresh !== -1) this.#state.replaceAfter(predecessor(message, fresh), entries.slice(fresh))\n`,
  replace: `    if (entries.length > 0) this.#state.replaceAfter(predecessor(message, 0), entries)\n`,
}

/** Mistakes in replication and commit. */
export const REPLICATION: readonly Mutant[] = [
  {
    name: 'old-term-committed-by-counting',
    mistake: 'An entry of an older term counts as committed once a majority holds it (§3.6.2, Figure 3.7)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `    if (index <= commitIndex || log.termAt(index) !== currentTerm) return\n`,
        replace: `    if (index <= commitIndex || log.termAt(index) === undefined || currentTerm === 0) return\n`,
      },
    ],
    caughtBy: model(5),
  },
  {
    name: 'stale-append-truncates',
    mistake:
      'An old AppendEntries cuts off what came after it (Figure 3.1, AppendEntries 3: only on a conflict)',
    edits: [TRUNCATES_ALWAYS],
    caughtBy: model(3),
  },
  {
    name: 'truncation-below-commit-index',
    mistake: 'The same, and nothing keeps it from cutting off what is committed (§3.6.2)',
    edits: [
      TRUNCATES_ALWAYS,
      {
        file: 'src/raft/state.ts',
        find: `      previous.index >= this.#commitIndex,`,
        replace: `      previous.index >= 0,`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'match-index-goes-back',
    mistake: 'An acknowledgement that was overtaken takes matchIndex back (§3.5)',
    edits: [
      {
        file: 'src/raft/progress.ts',
        find: `    if (news) this.#matchIndex = index\n`,
        replace: `    this.#matchIndex = index\n`,
      },
    ],
    caughtBy: tests('raft/progress'),
  },
  {
    name: 'commit-beyond-verified-prefix',
    mistake:
      'A follower commits up to leaderCommit whatever stands behind the new entries (Figure 3.1, AppendEntries 5)',
    edits: [
      {
        file: 'src/raft/follower.ts',
        find: `    this.#state.commit(Math.min(message.leaderCommit, matchIndex))`,
        replace: `    this.#state.commit(Math.min(message.leaderCommit, log.lastIndex))`,
      },
    ],
    caughtBy: tests('raft/append-entries'),
  },
  {
    name: 'heartbeat-commits-unmatched-entries',
    mistake:
      'A heartbeat carries the leader’s commitIndex to followers that are not known to hold it (etcd: min(match, commit))',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `    const leaderCommit = Math.min(commitIndex, matchIndex)`,
        replace: `    const leaderCommit = Math.max(commitIndex, matchIndex)`,
      },
      {
        file: 'src/raft/follower.ts',
        find: `    this.#state.commit(leaderCommit)`,
        replace: `    this.#state.commit(Math.min(leaderCommit, this.#state.log.lastIndex))`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'acknowledges-whole-log',
    mistake:
      'The follower acknowledges all that it holds, not what it compared (MIT’s students’ guide: matchIndex = prevLogIndex + entries)',
    edits: [
      {
        file: 'src/raft/follower.ts',
        find:
          `    this.#state.commit(Math.min(message.leaderCommit, matchIndex))\n` +
          `    this.#acknowledge(from, matchIndex)`,
        replace:
          `    this.#state.commit(Math.min(message.leaderCommit, matchIndex))\n` +
          `    this.#acknowledge(from, log.lastIndex)`,
      },
    ],
    caughtBy: tests('raft/append-entries'),
  },
  {
    name: 'stale-append-reply-counted',
    mistake: 'An acknowledgement of an older term counts in this one (MIT’s students’ guide: term confusion)',
    edits: [
      {
        file: 'src/raft/node.ts',
        find: `    if (message.term < currentTerm) {`,
        replace: `    if (message.term < currentTerm && message.type !== 'appendReply') {`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'conflict-hint-skips-matching-entries',
    mistake:
      'The hint goes back past the entries of a term that both logs have, which are then all sent again (§3.5)',
    edits: [
      {
        file: 'src/raft/log.ts',
        find: `      if (start.term <= term) return end\n`,
        replace: `      if (start.term < term) return end\n`,
      },
    ],
    caughtBy: tests('raft/log', 'raft/log-consistency'),
  },
  {
    name: 'hint-taken-for-match',
    mistake: 'The leader takes the hint of a rejection for what the follower holds',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `      if (!progress.rejected(reply.matchIndex, hint)) return\n`,
        replace: `      progress.matched(hint, log.firstIndex)\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'previous-term-not-compared',
    mistake:
      'AppendEntries fits wherever there is an entry at prevLogIndex, of whatever term (Figure 3.1, AppendEntries 2)',
    edits: [
      {
        file: 'src/raft/follower.ts',
        find: `    if (log.termAt(prevLogIndex) !== prevLogTerm) {`,
        replace: `    if (log.termAt(prevLogIndex) === undefined) {`,
      },
      {
        file: 'src/raft/follower.ts',
        find: `      own === undefined || own.checksum === prevChecksum,`,
        replace: `      own === undefined || own.checksum === prevChecksum || own.term !== this.#state.currentTerm,`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'only-the-first-entry-compared',
    mistake:
      'A conflict in the middle of a message goes unseen: entries behind one that is there already are dropped',
    edits: [
      {
        file: 'src/raft/follower.ts',
        find: `    const fresh = entries.findIndex((entry) => log.termAt(entry.index) !== entry.term)\n`,
        replace:
          `    const [first] = entries\n` +
          `    const fresh = first === undefined || log.termAt(first.index) === first.term ? -1 : 0\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'checksum-of-previous-not-compared',
    mistake:
      'Equal index and term are believed although the bytes before differ: a disk that lied goes unseen',
    edits: [
      {
        file: 'src/raft/follower.ts',
        find: `      own === undefined || own.checksum === prevChecksum,`,
        replace: `      own === undefined || prevChecksum >= 0,`,
      },
    ],
    caughtBy: tests('raft/append-entries'),
  },
  {
    name: 'lost-append-never-repeated',
    mistake: 'What the network lost is not sent again (§3.5: the leader retries indefinitely)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `      for (const progress of this.#progress.values()) progress.verify = true\n`,
        replace: ``,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'in-flight-never-freed',
    mistake:
      'What was on its way at a rejection counts against the limit for ever (etcd: inflights not reset)',
    edits: [
      {
        file: 'src/raft/progress.ts',
        find: `    this.#inFlight.length = 0\n    this.#inFlightBytes = 0\n    this.#inFlightEntries = 0\n`,
        replace: `    this.#inFlight.length = 0\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'no-op-left-out',
    mistake: 'A new leader appends no no-op: what older terms left waits for the next write (§6.4)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `    this.propose([NO_OP])\n`,
        replace: `    if (this.#state.currentTerm === 1) this.propose([NO_OP])\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'commit-index-goes-back',
    mistake: 'An older leaderCommit takes commitIndex back (Figure 3.1: it increases monotonically)',
    edits: [
      {
        file: 'src/raft/state.ts',
        find: `    if (index <= this.#commitIndex) return\n`,
        replace: ``,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'fetch-of-older-term-sent',
    mistake: 'What a leader had read from disk in an earlier term is sent in this one',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `    if (progress === undefined || fetch.term !== this.#state.currentTerm) return\n`,
        replace: `    if (progress === undefined) return\n`,
      },
    ],
    caughtBy: tests('raft/replication', 'raft/servers', 'raft/log-consistency'),
  },
]
