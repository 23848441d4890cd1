import { model, tests } from '../mutant.ts'
import type { Mutant } from '../mutant.ts'

/** Mistakes in elections: votes, terms, timers, majorities. */
export const ELECTIONS: readonly Mutant[] = [
  {
    name: 'votes-counted-per-message',
    mistake: 'A vote that the network repeats counts as another voter’s (§3.4: one vote a server)',
    edits: [
      {
        file: 'src/raft/candidate.ts',
        find: `    if (!this.#votes.has(voter)) this.#votes.set(voter, granted)\n`,
        replace:
          `    const silent = this.#state.peers.find((peer) => !this.#votes.has(peer))\n` +
          `    this.#votes.set(this.#votes.has(voter) ? (silent ?? voter) : voter, granted)\n`,
      },
    ],
    caughtBy: model(5),
  },
  {
    name: 'stale-vote-reply-counted',
    mistake: 'A vote of an older term counts in this one (Figure 3.1, rules for all servers)',
    edits: [
      {
        file: 'src/raft/node.ts',
        find: `    if (message.term < currentTerm) {`,
        replace: `    if (message.term < currentTerm && message.type !== 'voteReply') {`,
      },
    ],
    caughtBy: model(5),
  },
  {
    name: 'even-majority-too-small',
    mistake: 'Half of an even number of voters passes for a majority (§3.2)',
    edits: [
      {
        file: 'src/raft/quorum.ts',
        find: `Math.floor(count / 2) + 1`,
        replace: `Math.ceil(count / 2)`,
      },
    ],
    caughtBy: model(4),
  },
  {
    name: 'vote-without-log-check',
    mistake: 'A vote goes to whoever asks first, however short its log (§3.6.1)',
    edits: [
      {
        file: 'src/raft/log.ts',
        find: `    return lastLogTerm > this.lastTerm || (lastLogTerm === this.lastTerm && lastLogIndex >= this.lastIndex)`,
        replace: `    return lastLogTerm >= 0 && lastLogIndex >= 0`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'longer-log-wins',
    mistake: 'Logs are compared by length before the terms of their last entries (§3.6.1)',
    edits: [
      {
        file: 'src/raft/log.ts',
        find: `    return lastLogTerm > this.lastTerm || (lastLogTerm === this.lastTerm && lastLogIndex >= this.lastIndex)`,
        replace: `    return lastLogIndex > this.lastIndex || (lastLogIndex === this.lastIndex && lastLogTerm >= this.lastTerm)`,
      },
    ],
    caughtBy: model(5),
  },
  {
    name: 'pre-vote-against-live-leader',
    mistake: 'A pre-vote is granted although a leader was heard of just now (§9.6)',
    edits: [
      {
        file: 'src/raft/node.ts',
        find: `      if (message.term > currentTerm && this.#role.followsLiveLeader()) return`,
        replace: `      if (message.type === 'vote' && message.term > currentTerm && this.#role.followsLiveLeader()) return`,
      },
    ],
    caughtBy: tests('raft/liveness'),
  },
  {
    name: 'vote-against-live-leader',
    mistake: 'Who hears a live leader helps to unseat it, and enters the term of who tries (§4.2.3)',
    edits: [
      {
        file: 'src/raft/node.ts',
        find: `      if (message.term > currentTerm && this.#role.followsLiveLeader()) return`,
        replace: `      if (message.type === 'preVote' && message.term > currentTerm && this.#role.followsLiveLeader()) return`,
      },
    ],
    caughtBy: tests('raft/liveness'),
  },
  {
    name: 'no-check-quorum',
    mistake: 'A leader that hears of no majority goes on leading (§6.2)',
    edits: [
      {
        file: 'src/raft/leader.ts',
        find: `      if (!this.#hasActiveQuorum()) return 'follower'`,
        replace: `      this.#hasActiveQuorum()`,
      },
    ],
    caughtBy: tests('raft/liveness'),
  },
  {
    name: 'vote-not-persisted',
    mistake: 'votedFor is kept in memory only: after a crash there is a second vote in the term (Figure 3.1)',
    edits: [
      {
        file: 'src/raft/state.ts',
        find: `    this.#votedFor = candidate\n    this.#hardStateChanged = true\n`,
        replace: `    this.#votedFor = candidate\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'term-not-persisted',
    mistake: 'A term that a message brought is kept in memory only (Figure 3.1)',
    edits: [
      {
        file: 'src/raft/state.ts',
        find: `    this.#leader = undefined\n    this.#hardStateChanged = true\n`,
        replace: `    this.#leader = undefined\n    this.#hardStateChanged ||= votedFor !== undefined\n`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'vote-sent-before-fsync',
    mistake: 'The vote leaves before it is on disk (§3.8)',
    edits: [
      {
        file: 'src/raft/node.ts',
        find: `    this.#state.sendAfterWrite({ ...reply, type: 'voteReply', term: currentTerm, granted: true })`,
        replace: `    this.#state.send({ ...reply, type: 'voteReply', term: currentTerm, granted: true })`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'vote-request-sent-before-fsync',
    mistake: 'A candidate asks for votes before the one for itself is on disk (§3.8)',
    edits: [
      {
        file: 'src/raft/candidate.ts',
        find: `      else this.#state.sendAfterWrite({ ...request, type: 'vote'`,
        replace: `      else this.#state.send({ ...request, type: 'vote'`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'own-vote-counted-before-fsync',
    mistake: 'A candidate counts its own vote before it is on disk (§3.8): a lone server leads at once',
    edits: [
      {
        file: 'src/raft/candidate.ts',
        find: `    return this.role === 'preCandidate' ? this.#count(id, true) : undefined\n`,
        replace: `    return this.#count(id, true)\n`,
      },
    ],
    caughtBy: model(1),
  },
  {
    name: 'timer-reset-by-stale-leader',
    mistake:
      'AppendEntries of an older term put the election off (Figure 3.1, followers; MIT’s students’ guide)',
    edits: [
      {
        file: 'src/raft/node.ts',
        find: `      this.#answerOldTerm(message)\n`,
        replace:
          `      const leads = message.type === 'append' || message.type === 'heartbeat'\n` +
          `      if (leads && this.#role instanceof Follower) this.#role.resetElectionTimer()\n` +
          `      this.#answerOldTerm(message)\n`,
      },
    ],
    caughtBy: tests('raft/servers'),
  },
  {
    name: 'timer-reset-by-refused-vote',
    mistake:
      'A vote that is refused puts the election off: a hopeless candidate can keep a fit one waiting (§3.4)',
    edits: [
      {
        file: 'src/raft/node.ts',
        find: `    if (!free || !upToDate) {\n`,
        replace: `    if (!free || !upToDate) {\n      this.#role.receive(request)\n`,
      },
    ],
    caughtBy: tests('raft/request-vote'),
  },
  {
    name: 'fixed-election-timeout',
    mistake: 'All election time-outs are the same: votes are split again and again (§3.4)',
    edits: [
      {
        file: 'src/raft/state.ts',
        find: `this.#random.below(this.options.electionTicks)`,
        replace: `this.#random.below(1)`,
      },
    ],
    caughtBy: tests('raft/elections'),
  },
  {
    name: 'candidate-ignores-leader',
    mistake: 'A candidate does not follow the leader that its term has got (§3.4)',
    edits: [
      {
        file: 'src/raft/candidate.ts',
        find: `        return 'follower' // someone leads this term`,
        replace: `        return`,
      },
    ],
    caughtBy: model(3),
  },
  {
    name: 'higher-term-of-reply-ignored',
    mistake: 'A reply of a higher term does not depose the leader (Figure 3.1, rules for all servers)',
    edits: [
      {
        file: 'src/raft/node.ts',
        find: `    if (message.term > currentTerm && !speaksOfTheFuture(message)) {`,
        replace:
          `    const reply = message.type === 'appendReply' || message.type === 'heartbeatReply'\n` +
          `    if (message.term > currentTerm && !reply && !speaksOfTheFuture(message)) {`,
      },
    ],
    caughtBy: tests('raft/liveness', 'raft/servers'),
  },
  {
    name: 'old-pre-vote-not-answered',
    mistake:
      'A pre-vote of a lower term gets no answer: who asks stays cut off for ever (§9.6; etcd issue 8501)',
    edits: [
      {
        file: 'src/raft/node.ts',
        find: `      case 'preVote':\n      case 'vote':\n        this.#state.send(`,
        replace: `      case 'preVote':\n        break\n      case 'vote':\n        this.#state.send(`,
      },
    ],
    caughtBy: tests('raft/liveness'),
  },
  {
    name: 'leader-remembered-in-campaign',
    mistake: 'A follower that campaigns still names the leader that it gave up',
    edits: [
      {
        file: 'src/raft/follower.ts',
        find: `  leave(): void {\n    this.#state.forgetLeader()\n`,
        replace: `  leave(): void {\n    this.#ticksSinceLeader = 0\n`,
      },
    ],
    caughtBy: tests('raft/servers', 'raft/elections', 'raft/liveness'),
  },
  {
    name: 'old-pre-vote-grant-counted',
    mistake: 'The grant of an earlier round, for another term, counts in this one (§9.6)',
    edits: [
      {
        file: 'src/raft/candidate.ts',
        find: `        const ofThisRound = !message.granted || message.term === this.#state.currentTerm + 1`,
        replace: `        const ofThisRound = !message.granted || message.term <= this.#state.currentTerm + 1`,
      },
    ],
    caughtBy: tests('raft/liveness'),
  },
  {
    name: 'asks-for-votes-once',
    mistake:
      'Who still heard a leader when it was asked is not asked again: an election time-out is lost (§5.5)',
    edits: [
      {
        file: 'src/raft/candidate.ts',
        find: `    if (this.#ticks % this.#state.options.heartbeatTicks === 0) this.#ask()\n`,
        replace: '',
      },
    ],
    caughtBy: tests('raft/link-lost'),
  },
  {
    name: 'start-without-turns',
    mistake: 'Servers that start together all stand for election at once, and split the vote',
    edits: [
      {
        file: 'src/raft/node.ts',
        find: `first === undefined ? undefined : first + this.#state.campaignTurn()`,
        replace: `first`,
      },
    ],
    caughtBy: tests('raft/starting'),
  },
  {
    name: 'any-link-is-the-leaders',
    mistake: 'A follower stands for election when the link to another follower breaks',
    edits: [
      {
        file: 'src/raft/follower.ts',
        find: `    if (peer !== this.#state.leader || !this.followsLiveLeader()) return\n`,
        replace: `    if (peer === this.#state.id || !this.followsLiveLeader()) return\n`,
      },
    ],
    caughtBy: tests('raft/link-lost'),
  },
  {
    name: 'all-campaign-at-once',
    mistake: 'When the leader is lost all followers stand for election at once, and split the vote',
    edits: [
      {
        file: 'src/raft/follower.ts',
        find: `const wait = 1 + this.#state.campaignTurn()`,
        replace: `const wait = 1`,
      },
    ],
    caughtBy: tests('raft/link-lost'),
  },
  {
    name: 'lost-leader-still-heard',
    mistake: 'Who lost the link to the leader campaigns early, but helps nobody else to unseat it',
    edits: [
      {
        file: 'src/raft/follower.ts',
        find: `    this.#ticksSinceLeader = electionTicks
    this.#electionTimeout = electionTicks + Math.min(left, wait)\n`,
        replace:
          `    this.#electionTimeout = this.#ticksSinceLeader + Math.min(left, wait)\n` +
          `    void electionTicks\n`,
      },
    ],
    caughtBy: tests('raft/link-lost'),
  },
]
