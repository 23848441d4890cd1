import assert from 'node:assert/strict'
import { raftOptions } from './cluster.ts'
import { entriesOfTerms } from './entries.ts'
import { preVoteReply, voteReply } from './messages.ts'
import { ModelServer } from './server.ts'
import type { NodeView } from '../../../src/raft/node.ts'
import type { RaftOptions } from '../../../src/raft/state.ts'
import type { Message, NodeId, Term } from '../../../src/raft/types.ts'
import type { Found } from './cluster.ts'

export interface LoneOptions extends Found {
  /** All servers of the cluster; the first is the one under test. */
  readonly voters?: readonly NodeId[]
  readonly raft?: Partial<RaftOptions>
  /** How much of the log it has in memory. */
  readonly tail?: number
}

/** One server, n1 unless told, that talks to nobody but the test: for rules of a single server. */
export class Lone {
  readonly server: ModelServer
  #sent: Message[] = []

  constructor({ voters = ['n1', 'n2', 'n3'], raft, log = [], term, votedFor, tail }: LoneOptions = {}) {
    const send = (message: Message) => void this.#sent.push(message)
    this.server = new ModelServer(raftOptions(voters[0]!, voters, raft), { send })
    this.server.disk.hardState = { currentTerm: term ?? log.at(-1) ?? 0, votedFor }
    this.server.disk.entries = entriesOfTerms(log)
    this.server.start(tail)
  }

  get view(): NodeView {
    return this.server.view
  }

  /** The terms of the entries of its log. */
  get terms(): Term[] {
    return this.server.log.map(({ term }) => term)
  }

  /** What it has sent since this was asked last. */
  sent(): Message[] {
    const sent = this.#sent
    this.#sent = []
    return sent
  }

  /** Hands it messages. Returns what it sent since this was asked last. */
  receive(...messages: Message[]): Message[] {
    for (const message of messages) this.server.receive(message)
    return this.sent()
  }

  tick(times = 1): Message[] {
    this.server.tick(times)
    return this.sent()
  }

  /** Ticks until it campaigns. Returns how many that took. */
  ticksToCampaign(): number {
    for (let ticks = 1; ticks <= 2 * this.server.options.electionTicks; ticks++) {
      this.tick()
      if (this.view.role !== 'follower') return ticks
    }
    return assert.fail('it does not campaign')
  }

  /** Ticks until it asks for pre-votes. Returns what it sent then. */
  timeout(): Message[] {
    for (let i = 0; i < 2 * this.server.options.electionTicks; i++) {
      const sent = this.tick()
      if (sent.some(({ type }) => type === 'preVote')) return sent
    }
    return assert.fail('it does not campaign')
  }

  /** Times out and gets its pre-votes: a candidate of the next term. Returns what it sent then. */
  campaign(): Message[] {
    this.timeout()
    const term = this.view.term + 1
    const voters = this.server.options.membership.voters.slice(1)
    const sent = voters.flatMap((from) =>
      this.view.role === 'preCandidate' ? this.receive(preVoteReply({ from, term })) : [],
    )
    assert.equal(this.view.role, 'candidate')
    return sent
  }

  /** Campaigns and gets the votes. Returns what it sent as the leader. */
  lead(): Message[] {
    this.campaign()
    const { term } = this.view
    const voters = this.server.options.membership.voters.slice(1)
    const sent = voters.flatMap((from) =>
      this.view.role === 'candidate' ? this.receive(voteReply({ from, term })) : [],
    )
    assert.equal(this.view.role, 'leader')
    return sent
  }
}
