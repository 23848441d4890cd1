import { assert } from './assert.ts'
import { Candidate } from './candidate.ts'
import { Follower } from './follower.ts'
import { Leader } from './leader.ts'
import type { ProgressState } from './progress.ts'
import { RaftState } from './state.ts'
import type { InitialState, RaftOptions } from './state.ts'
import type { RoleBehaviour, Transition } from './role.ts'
import type {
  HardState,
  Input,
  LogIndex,
  Message,
  NodeId,
  Output,
  ReceivedSnapshot,
  RequestVote,
  Role,
  RoleStatus,
} from './types.ts'

/** What a node looks like from outside, for status pages, golden scripts and invariant checkers. */
export interface NodeView extends RoleStatus {
  readonly id: NodeId
  readonly hardState: HardState
  readonly commitIndex: LogIndex
  readonly lastApplied: LogIndex
  readonly persistedIndex: LogIndex
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  /** Known to a leader only. */
  readonly followers: readonly FollowerView[]
}

export interface FollowerView {
  readonly id: NodeId
  readonly state: ProgressState
  readonly matchIndex: LogIndex
  readonly nextIndex: LogIndex
  readonly inFlightBytes: number
}

/**
 * A Raft server as a pure function of what happens to it: `step(input)` changes its state and says what is to
 * be done. No I/O, no clock; the driver does both.
 */
export class RaftNode {
  readonly #state: RaftState
  #role: RoleBehaviour
  #lastReadContext = 0

  constructor(options: RaftOptions, initial: InitialState) {
    assert(options.heartbeatTicks < options.electionTicks, 'a heartbeat must come well before an election')
    this.#state = new RaftState(options, initial)
    const { firstElectionTicks: first } = options
    this.#role = new Follower(
      this.#state,
      first === undefined ? undefined : first + this.#state.campaignTurn(),
    )
  }

  /** Takes one input. Throws InvariantViolation where a rule of the algorithm is broken: the node must stop then. */
  step(input: Input): Output {
    switch (input.type) {
      case 'tick':
        this.#take(this.#role.tick())
        break
      case 'message':
        this.#receive(input.message)
        break
      case 'linkLost':
        if (this.#role instanceof Follower) this.#role.linkLost(input.peer)
        break
      case 'propose':
        if (this.#role instanceof Leader) {
          const entries = this.#role.propose(input.proposals)
          this.#state.proposed(entries[0]!.index, entries.length)
        }
        break
      case 'readIndex':
        if (this.#role instanceof Leader) this.#role.readIndex(input.id)
        else this.#state.refuseReads([input.id])
        break
      case 'persisted':
        this.#state.persisted(input.writeId)
        this.#take(this.#role.persisted(input.writeId))
        break
      case 'applied':
        this.#state.applied(input.upTo)
        break
      case 'fetched':
        if (input.fetch.purpose === 'apply') this.#state.fetchedToApply(input.fetch, input.entries)
        else if (this.#role instanceof Leader) this.#role.fetched(input.fetch, input.previous, input.entries)
        break
      case 'compact':
        this.#state.compact(input.upTo)
        break
      case 'snapshotReceived':
        this.#receiveSnapshot(input.snapshot)
        break
      case 'snapshotSent':
        if (this.#role instanceof Leader) this.#role.snapshotSent(input.request, input.position)
        break
    }
    if (this.#role instanceof Leader) this.#role.serveReads()
    return this.#state.takeOutput(this.#role.role)
  }

  get role(): Role {
    return this.#role.role
  }

  get leader(): NodeId | undefined {
    return this.#state.leader
  }

  view(): NodeView {
    const { id, currentTerm, votedFor, leader, commitIndex, lastApplied, durability, log } = this.#state
    return {
      id,
      role: this.#role.role,
      term: currentTerm,
      leader,
      hardState: { currentTerm, votedFor },
      commitIndex,
      lastApplied,
      persistedIndex: durability.persistedIndex,
      firstIndex: log.firstIndex,
      lastIndex: log.lastIndex,
      followers: this.#role instanceof Leader ? followersOf(this.#role) : [],
    }
  }

  // ---- messages: terms first, then votes, then the role ----

  /** Rules for all servers (Figure 3.1): terms are compared once, here. */
  #receive(message: Message): void {
    assert(message.to === this.#state.id, () => `a message to ${message.to} came to ${this.#state.id}`)
    if (!this.#state.peers.includes(message.from)) return
    const { currentTerm } = this.#state
    if (message.term < currentTerm) {
      this.#answerOldTerm(message)
      return
    }
    if (message.type === 'preVote' || message.type === 'vote') {
      // Who hears a live leader does not help to unseat it, and does not enter the term of who tries (§4.2.3).
      if (message.term > currentTerm && this.#role.followsLiveLeader()) return
    }
    if (message.term > currentTerm && !speaksOfTheFuture(message)) {
      this.#become('follower', () => this.#state.enterTerm(message.term, undefined))
    }
    if (message.type === 'preVote' || message.type === 'vote') this.#answerVote(message)
    else this.#receiveInRole(message)
  }

  /**
   * InstallSnapshot (§5), once all of it is here. It holds what is committed and nothing else, so it is welcome
   * whoever sent it and whenever; the term counts as in any message.
   */
  #receiveSnapshot(snapshot: ReceivedSnapshot): void {
    const { from, term } = snapshot
    if (!this.#state.peers.includes(from)) return
    if (term > this.#state.currentTerm) {
      this.#become('follower', () => this.#state.enterTerm(term, undefined))
    }
    // A leader holds everything that was ever committed.
    if (this.#role instanceof Leader) return
    this.#state.receiveSnapshot(snapshot)
    if (term < this.#state.currentTerm) return
    if (!(this.#role instanceof Follower)) this.#become('follower')
    if (this.#role instanceof Follower) this.#role.gotSnapshotFrom(from)
  }

  #receiveInRole(message: Message): void {
    const transition = this.#role.receive(message)
    this.#take(transition)
    const leads = message.type === 'append' || message.type === 'heartbeat'
    if (transition === 'follower' && leads) this.#role.receive(message) // as the follower that it is now
  }

  /**
   * The sender is behind. Those who wait for an answer learn the term: a deposed leader steps down, and one
   * who asks for a pre-vote does not stay cut off by a node of a higher term.
   */
  #answerOldTerm(message: Message): void {
    const reply = { from: this.#state.id, to: message.from, term: this.#state.currentTerm }
    switch (message.type) {
      case 'append': {
        const { prevLogIndex: matchIndex } = message
        const rejection = { success: false, matchIndex, conflictIndex: 0, conflictTerm: 0 }
        this.#state.send({ ...reply, ...rejection, type: 'appendReply' })
        break
      }
      case 'heartbeat':
        this.#state.send({ ...reply, type: 'heartbeatReply', readContext: 0 })
        break
      case 'preVote':
      case 'vote':
        this.#state.send({ ...reply, type: `${message.type}Reply`, granted: false })
        break
      default:
        break // an answer to what this node asked in an older term
    }
  }

  /** RequestVote, receiver implementation (Figure 3.1); for a pre-vote, what it would be. */
  #answerVote(request: RequestVote): void {
    const { id, currentTerm, votedFor, leader, log } = this.#state
    const upToDate = log.isUpToDate(request.lastLogTerm, request.lastLogIndex)
    const reply = { from: id, to: request.from }
    if (request.type === 'preVote') {
      const granted = upToDate && request.term > currentTerm
      const term = granted ? request.term : currentTerm
      this.#state.send({ ...reply, type: 'preVoteReply', term, granted })
      return
    }
    const free = votedFor === undefined ? leader === undefined : votedFor === request.from
    if (!free || !upToDate) {
      this.#state.send({ ...reply, type: 'voteReply', term: currentTerm, granted: false })
      return
    }
    this.#state.vote(request.from)
    this.#role.receive(request)
    this.#state.sendAfterWrite({ ...reply, type: 'voteReply', term: currentTerm, granted: true })
  }

  // ---- roles ----

  #take(transition: Transition): void {
    if (transition !== undefined) this.#become(transition)
  }

  /** Leaves the role, lets `between` happen, and takes the next one. */
  #become(role: Exclude<Transition, undefined>, between?: () => void): void {
    if (this.#role instanceof Leader) this.#lastReadContext = this.#role.readContext
    this.#role.leave()
    between?.()
    switch (role) {
      case 'follower':
        this.#role = new Follower(this.#state)
        return
      case 'preCandidate':
      case 'candidate': {
        const candidate = new Candidate(this.#state, role)
        this.#role = candidate
        this.#take(candidate.begin())
        return
      }
      case 'leader': {
        const leader = new Leader(this.#state, this.#lastReadContext)
        this.#role = leader
        leader.begin()
        return
      }
    }
  }
}

/** A pre-vote, or its being granted, names a term that nobody has entered (§9.6). */
function speaksOfTheFuture(message: Message): boolean {
  return message.type === 'preVote' || (message.type === 'preVoteReply' && message.granted)
}

function followersOf(leader: Leader): FollowerView[] {
  return [...leader.progress].map(([id, { state, matchIndex, nextIndex, inFlightBytes }]) => ({
    id,
    state,
    matchIndex,
    nextIndex,
    inFlightBytes,
  }))
}
