import type { LogIndex, Membership, NodeId } from './types.ts'

export type VoteResult = 'won' | 'lost' | 'pending'

/** How many of `count` voters are a majority. */
export function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1
}

/**
 * The highest value that a majority of `voters` has reached, 0 for a voter that has reached none.
 * No voters at all never hold anything up (as the absent half of a joint configuration): Infinity.
 */
export function reachedByMajority(
  voters: readonly NodeId[],
  reached: (voter: NodeId) => number | undefined,
): number {
  if (voters.length === 0) return Infinity
  const values = voters.map((voter) => reached(voter) ?? 0).sort((a, b) => b - a)
  return values[majorityOf(voters.length) - 1]!
}

/** What the votes cast so far mean. A voter that has not answered is absent from `votes`. */
export function countVotes(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  if (voters.length === 0) return 'won'
  let granted = 0
  let missing = 0
  for (const voter of voters) {
    const vote = votes.get(voter)
    if (vote === undefined) missing++
    else if (vote) granted++
  }
  const needed = majorityOf(voters.length)
  if (granted >= needed) return 'won'
  return granted + missing >= needed ? 'pending' : 'lost'
}

/**
 * Who decides in a configuration. In a joint one (§4.3) a decision needs a majority of the voters that come
 * and a majority of those that go.
 */
export class Quorum {
  readonly #membership: Membership

  constructor(membership: Membership) {
    this.#membership = membership
  }

  /** The highest index (or read context) that both majorities have reached. */
  reached(by: (voter: NodeId) => LogIndex | undefined): LogIndex {
    return Math.min(
      reachedByMajority(this.#membership.voters, by),
      reachedByMajority(this.#membership.outgoing, by),
    )
  }

  vote(votes: ReadonlyMap<NodeId, boolean>): VoteResult {
    const incoming = countVotes(this.#membership.voters, votes)
    const outgoing = countVotes(this.#membership.outgoing, votes)
    if (incoming === outgoing) return incoming
    return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending'
  }

  isVoter(id: NodeId): boolean {
    return this.#membership.voters.includes(id) || this.#membership.outgoing.includes(id)
  }

  /** Everyone who takes part, voting or learning, but `self`. */
  others(self: NodeId): NodeId[] {
    const { voters, outgoing, learners } = this.#membership
    return [...new Set([...voters, ...outgoing, ...learners])].filter((id) => id !== self)
  }
}
