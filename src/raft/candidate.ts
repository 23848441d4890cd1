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
    const { id, log, currentTerm, peers } = this.#state
    const request = { from: id, lastLogIndex: log.lastIndex, lastLogTerm: log.lastTerm }
    if (this.role === 'preCandidate') {
      for (const to of peers) this.#state.send({ ...request, type: 'preVote', to, term: currentTerm + 1 })
      return this.#count(id, true)
    }
    this.#state.enterTerm(currentTerm + 1, id)
    for (const to of peers) {
      this.#state.sendAfterWrite({ ...request, type: 'vote', to, term: this.#state.currentTerm })
    }
    this.#ownVote = this.#state.durability.lastWriteId + 1
    return
  }

  tick(): Transition {
    this.#ticks++
    return this.#ticks >= this.#electionTimeout ? 'preCandidate' : undefined
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
