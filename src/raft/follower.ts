import { assert } from './assert.ts'
import type { RaftState } from './state.ts'
import type { RoleBehaviour, Transition } from './role.ts'
import type { AppendEntries, Heartbeat, LogIndex, LogPosition, Message, NodeId } from './types.ts'

/** A follower (§3.4): it takes what the leader sends, and campaigns when it hears of none for too long. */
export class Follower implements RoleBehaviour {
  readonly role = 'follower'
  readonly #state: RaftState
  #ticksSinceLeader = 0
  #electionTimeout: number

  /** @param firstTimeout how long it waits for a leader's first word, in ticks: by default an election time-out. */
  constructor(state: RaftState, firstTimeout = state.drawElectionTimeout()) {
    this.#state = state
    this.#electionTimeout = firstTimeout
  }

  tick(): Transition {
    this.#ticksSinceLeader++
    const due = this.#ticksSinceLeader >= this.#electionTimeout
    return due && this.#state.quorum.isVoter(this.#state.id) ? 'preCandidate' : undefined
  }

  receive(message: Message): Transition {
    switch (message.type) {
      case 'append':
        this.#hearFrom(message.from)
        this.#append(message)
        return
      case 'heartbeat':
        this.#hearFrom(message.from)
        this.#heartbeat(message)
        return
      case 'vote':
        // Only a vote that is granted reaches the role: it would be rude to campaign against one's own choice.
        this.resetElectionTimer()
        return
      default:
        return // a reply to what this node was before
    }
  }

  persisted(): Transition {
    return undefined
  }

  followsLiveLeader(): boolean {
    return this.#state.leader !== undefined && this.#ticksSinceLeader < this.#state.options.electionTicks
  }

  leave(): void {
    this.#state.forgetLeader()
  }

  /**
   * Where the link to the leader breaks, the election time-out need not be sat out: most likely the leader has died,
   * and all others notice it now as well. So this node helps to unseat it, and campaigns in its turn, in the order
   * of ids, each a heartbeat after the one before: two at once would split the vote. Where the leader lives, its next
   * message calls this off; and those that still hear it grant no pre-vote (§4.2.3, §9.6).
   */
  linkLost(peer: NodeId): void {
    if (peer !== this.#state.leader || !this.followsLiveLeader()) return
    const { electionTicks } = this.#state.options
    const wait = 1 + this.#state.campaignTurn()
    const left = this.#electionTimeout - this.#ticksSinceLeader
    this.#ticksSinceLeader = electionTicks
    this.#electionTimeout = electionTicks + Math.min(left, wait)
  }

  resetElectionTimer(): void {
    this.#ticksSinceLeader = 0
    this.#electionTimeout = this.#state.drawElectionTimeout()
  }

  /** The current leader's snapshot is here, or was not needed: the leader learns up to where the logs agree. */
  gotSnapshotFrom(leader: NodeId): void {
    this.#hearFrom(leader)
    this.#acknowledge(leader, this.#state.commitIndex)
  }

  #hearFrom(leader: NodeId): void {
    this.#state.followLeader(leader)
    this.resetElectionTimer()
  }

  /** Up to `matchIndex` the log equals the leader's; said when all of it is on disk. */
  #acknowledge(to: NodeId, matchIndex: LogIndex): void {
    const { id, currentTerm } = this.#state
    // Written out, not spread: V8 takes a microsecond for each property that follows a spread.
    this.#state.sendAfterWrite({
      type: 'appendReply',
      from: id,
      to,
      term: currentTerm,
      success: true,
      matchIndex,
      conflictIndex: 0,
      conflictTerm: 0,
    })
  }

  /** AppendEntries, receiver implementation 2 to 5 (Figure 3.1). 1, the term, is compared before. */
  #append(message: AppendEntries): void {
    const { log, currentTerm, id } = this.#state
    const { from, prevLogIndex, prevLogTerm, entries } = message
    if (prevLogIndex < log.boundary.index) {
      // What came before the log's first entry is committed, and so equals the leader's.
      this.#acknowledge(from, this.#state.commitIndex)
      return
    }
    if (log.termAt(prevLogIndex) !== prevLogTerm) {
      const conflictIndex = log.lastIndexOfTermAtMost(prevLogTerm, prevLogIndex)
      const conflictTerm = log.termAt(conflictIndex) ?? 0
      const reply = { type: 'appendReply', from: id, to: from, term: currentTerm } as const
      this.#state.send({ ...reply, success: false, matchIndex: prevLogIndex, conflictIndex, conflictTerm })
      return
    }
    this.#checkChecksum(message)

    // Entries that are there already stay: the message may be an old one, and what follows may be needed.
    const fresh = entries.findIndex((entry) => log.termAt(entry.index) !== entry.term)
    if (fresh !== -1) this.#state.replaceAfter(predecessor(message, fresh), entries.slice(fresh))

    const matchIndex = prevLogIndex + entries.length
    this.#state.commit(Math.min(message.leaderCommit, matchIndex))
    this.#acknowledge(from, matchIndex)
  }

  /** Equal index and term mean equal logs up to there (log matching, §3.5); if the bytes differ, a disk lied. */
  #checkChecksum({ from, prevLogIndex, prevChecksum }: AppendEntries): void {
    const own = this.#state.log.positionAt(prevLogIndex)
    assert(
      own === undefined || own.checksum === prevChecksum,
      () =>
        `the log up to entry ${prevLogIndex} has another checksum here than at ${from}, although index and term are equal`,
    )
  }

  #heartbeat({ from, leaderCommit, readContext }: Heartbeat): void {
    const { id, currentTerm } = this.#state
    this.#state.commit(leaderCommit)
    this.#state.send({ type: 'heartbeatReply', from: id, to: from, term: currentTerm, readContext })
  }
}

/** What stands before the message's entry number `position`. */
function predecessor(message: AppendEntries, position: number): LogPosition {
  if (position > 0) return message.entries[position - 1]!
  return { index: message.prevLogIndex, term: message.prevLogTerm, checksum: message.prevChecksum }
}
