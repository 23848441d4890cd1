import type { RaftState } from './state.ts'
import type { RoleBehaviour, Transition } from './role.ts'
import type { Message, NodeId } from './types.ts'

/**
 * A candidate (§3.4), in two rounds. As `preCandidate` it asks, without entering a new term, whether it would
 * be elected, so that a node that was cut off does not disturb the others (§9.6). As `candidate` it has
 * entered the new term and voted for itself; its requests leave only when that vote is on disk.
 */
export class Candidate implements RoleBehaviour {
  readonly role: 'preCandidate' | 'candidate'
  readonly #state: RaftState
  readonly #votes = new Map<NodeId, boolean>()
  readonly #electionTimeout: number
  #ticks = 0
  /** The write that holds the vote for itself; 0 while it is not handed out. */
  #ownVote = 0

  constructor(state: RaftState, role: 'preCandidate' | 'candidate') {
    this.#state = state
    this.role = role
    this.#electionTimeout = state.drawElectionTimeout()
  }

  /** Asks everyone. Returns the next role where this node alone decides. */
  begin(): Transition {
    const { id, currentTerm, durability } = this.#state
    if (this.role === 'candidate') {
      this.#state.enterTerm(currentTerm + 1, id)
      this.#ownVote = durability.lastWriteId + 1
    }
    this.#ask()
    return this.role === 'preCandidate' ? this.#count(id, true) : undefined
  }

  tick(): Transition {
    this.#ticks++
    if (this.#ticks >= this.#electionTimeout) return 'preCandidate'
    if (this.#ticks % this.#state.options.heartbeatTicks === 0) this.#ask()
    return
  }

  receive(message: Message): Transition {
    switch (message.type) {
      case 'append':
      case 'heartbeat':
        return 'follower' // someone leads this term
      case 'preVoteReply': {
        // A grant names the term that was asked for: one of an earlier round says nothing about this one.
        const ofThisRound = !message.granted || message.term === this.#state.currentTerm + 1
        return this.role === 'preCandidate' && ofThisRound
          ? this.#count(message.from, message.granted)
          : undefined
      }
      case 'voteReply':
        return this.role === 'candidate' ? this.#count(message.from, message.granted) : undefined
      default:
        return
    }
  }

  /** Its own vote counts like any other: once it is on disk. */
  persisted(writeId: number): Transition {
    const counts = this.role === 'candidate' && writeId >= this.#ownVote
    return counts ? this.#count(this.#state.id, true) : undefined
  }

  followsLiveLeader(): boolean {
    return false
  }

  leave(): void {
    this.#votes.clear()
  }

  /**
   * Asks those that have not answered, again where need be (§5.5): a request may have been lost, and who still heard a
   * leader when it came says nothing, but may have missed that leader since.
   */
  #ask(): void {
    const { id, log, currentTerm, peers } = this.#state
    const request = { from: id, lastLogIndex: log.lastIndex, lastLogTerm: log.lastTerm }
    for (const to of peers) {
      if (this.#votes.has(to)) continue
      if (this.role === 'preCandidate')
        this.#state.send({ ...request, type: 'preVote', to, term: currentTerm + 1 })
      else this.#state.sendAfterWrite({ ...request, type: 'vote', to, term: currentTerm })
    }
  }

  /** Each voter counts once, whatever the number of its messages. */
  #count(voter: NodeId, granted: boolean): Transition {
    if (!this.#votes.has(voter)) this.#votes.set(voter, granted)
    switch (this.#state.quorum.vote(this.#votes)) {
      case 'won':
        return this.role === 'preCandidate' ? 'candidate' : 'leader'
      case 'lost':
        return 'follower'
      case 'pending':
        return
    }
  }
}
