import { assert } from './assert.ts'
import { Durability } from './durability.ts'
import { RaftLog } from './log.ts'
import type { InitialLog } from './log.ts'
import { Quorum } from './quorum.ts'
import { Random } from './random.ts'
import type {
  Fetch,
  HardState,
  LogEntry,
  LogIndex,
  LogPosition,
  LogReset,
  Membership,
  Message,
  NodeId,
  Output,
  Proposal,
  ReceivedSnapshot,
  Role,
  RoleStatus,
  SealEntries,
  SnapshotRequest,
  Term,
} from './types.ts'

/** How a node is set up. Times are in ticks, sizes in bytes. */
export interface RaftOptions {
  readonly id: NodeId
  readonly membership: Membership
  /** The shortest election time-out; each one is drawn from here up to twice this (§3.4). */
  readonly electionTicks: number
  readonly heartbeatTicks: number
  /**
   * How long a node that has just started waits for a leader's word before it asks, in its turn, whether it may lead; by
   * default an election time-out. It can be short: where a leader lives, nobody grants a pre-vote (§4.2.3, §9.6).
   */
  readonly firstElectionTicks?: number
  /** The most entries of one AppendEntries, unless a single entry is larger. */
  readonly maxAppendBytes: number
  /** The most that may be on its way to a follower without an answer. */
  readonly maxInFlightBytes: number
  readonly maxInFlightEntries: number
  /** How much of the log's end is kept in memory. */
  readonly maxTailBytes: number
  /** How much is handed out at once to be applied. */
  readonly maxApplyBytes: number
  /** Seeds the election time-outs. */
  readonly seed: number
  readonly seal: SealEntries
}

/** What a node finds on its disk when it starts. */
export interface InitialState {
  readonly hardState: HardState
  readonly log: InitialLog
  /** What the state machine has applied: committed, therefore. */
  readonly applied: LogIndex
}

const NOTHING: readonly never[] = Object.freeze([])

/**
 * The state of Figure 3.1 that all roles share, and the output of the step that is being taken. The roles
 * decide; everything that they decide goes through here.
 */
export class RaftState {
  readonly id: NodeId
  readonly options: RaftOptions
  readonly quorum: Quorum
  readonly peers: readonly NodeId[]
  readonly log: RaftLog
  readonly durability: Durability
  #currentTerm: Term
  #votedFor: NodeId | undefined
  #commitIndex: LogIndex
  #lastApplied: LogIndex
  #leader: NodeId | undefined
  readonly #random: Random

  // The output under construction.
  #hardStateChanged = false
  #reset: LogReset | undefined
  #entries: LogEntry[] = []
  #messages: Message[] = []
  #promises: Message[] = []
  #fetches: Fetch[] = []
  #snapshots: SnapshotRequest[] = []
  #install: LogReset | undefined
  #apply: readonly LogEntry[] = NOTHING
  #reads: number[] = []
  #refusedReads: number[] = []
  #proposed: Output['proposed']
  #reported: RoleStatus | undefined

  /** The last entry that was handed out to be applied, and from where on the next ones are being read from disk. */
  #handedOut: LogIndex
  #fetchingToApply: LogIndex | undefined
  /** A snapshot is taking the state machine's place: on its way to the disk, or being put in. */
  #installing: { readonly writeId: number; readonly reset: LogReset; handedOut: boolean } | undefined

  constructor(options: RaftOptions, initial: InitialState) {
    this.id = options.id
    this.options = options
    this.quorum = new Quorum(options.membership)
    this.peers = this.quorum.others(options.id)
    this.log = new RaftLog(initial.log, options)
    this.durability = new Durability(this.log.lastIndex)
    this.#currentTerm = initial.hardState.currentTerm
    this.#votedFor = initial.hardState.votedFor
    this.#commitIndex = initial.applied
    this.#lastApplied = initial.applied
    this.#handedOut = initial.applied
    this.#random = new Random(options.seed)
    assert(initial.applied <= this.log.lastIndex, 'the state machine is ahead of the log')
    assert(initial.applied >= this.log.boundary.index, 'the log begins after what the state machine holds')
    assert(this.log.lastTerm <= this.currentTerm, 'the log is of a later term than the hard state')
  }

  get currentTerm(): Term {
    return this.#currentTerm
  }

  get votedFor(): NodeId | undefined {
    return this.#votedFor
  }

  get commitIndex(): LogIndex {
    return this.#commitIndex
  }

  get lastApplied(): LogIndex {
    return this.#lastApplied
  }

  /** Who leads `currentTerm`, as far as this node knows. */
  get leader(): NodeId | undefined {
    return this.#leader
  }

  /** Moves on to a later term, in which this node has voted for nobody (or, as a candidate, for itself). */
  enterTerm(term: Term, votedFor: NodeId | undefined): void {
    assert(term > this.#currentTerm, `term ${term} does not follow term ${this.#currentTerm}`)
    this.#currentTerm = term
    this.#votedFor = votedFor
    this.#leader = undefined
    this.#hardStateChanged = true
  }

  /** Votes in the current term. */
  vote(candidate: NodeId): void {
    if (this.#votedFor === candidate) return
    assert(this.#votedFor === undefined, `a second vote in term ${this.#currentTerm}`)
    this.#votedFor = candidate
    this.#hardStateChanged = true
  }

  /** A term has one leader at most (election safety, §3.6.3). */
  followLeader(leader: NodeId): void {
    assert(
      this.#leader === undefined || this.#leader === leader,
      () => `term ${this.#currentTerm} has two leaders, ${this.#leader} and ${leader}`,
    )
    this.#leader = leader
  }

  /** Every change of role forgets who led. */
  forgetLeader(): void {
    this.#leader = undefined
  }

  /** An election time-out, in ticks: random, so that split votes are rare (§3.4). */
  drawElectionTimeout(): number {
    return this.options.electionTicks + this.#random.below(this.options.electionTicks)
  }

  /** How long this node leaves others the first turn where there is no leader, in ticks: in the order of ids, each a heartbeat. */
  campaignTurn(): number {
    const { id, leader, options } = this
    const before = this.peers.filter((peer) => peer < id && peer !== leader && this.quorum.isVoter(peer))
    return before.length * options.heartbeatTicks
  }

  // ---- the log ----

  /** A leader's append. */
  append(proposals: readonly Proposal[]): readonly LogEntry[] {
    const entries = this.log.append(this.#currentTerm, proposals)
    this.#entries.push(...entries)
    return entries
  }

  /** A follower's append. What is committed is never replaced (§3.6.2). */
  replaceAfter(previous: LogPosition, entries: readonly LogEntry[]): void {
    assert(
      previous.index >= this.#commitIndex,
      () =>
        `entry ${previous.index + 1} is to be replaced, but entries up to ${this.#commitIndex} are committed`,
    )
    this.durability.truncated(previous.index + 1)
    this.log.replaceAfter(previous, entries)
    this.#entries.push(...entries)
  }

  /** Marks everything up to `index` committed. commitIndex never goes back. */
  commit(index: LogIndex): void {
    if (index <= this.#commitIndex) return
    assert(index <= this.log.lastIndex, () => `commit of ${index}, beyond the end of the log`)
    this.#commitIndex = index
  }

  /** The log begins behind an entry that a checkpoint on disk holds (§5). */
  compact(upTo: LogPosition): void {
    assert(
      upTo.index <= this.#lastApplied,
      `the log is to be cut behind ${upTo.index}, of which only ${this.#lastApplied} is applied`,
    )
    if (upTo.index > this.log.boundary.index) this.log.compact(upTo)
  }

  /**
   * InstallSnapshot, receiver implementation 5 to 8 (Figure 5.3): what comes before and what contradicts the
   * snapshot goes, what follows its very last entry stays. A snapshot that is not ahead of what is committed here
   * brings nothing, and one that comes while another is put in has to come again.
   */
  receiveSnapshot({ position, directory }: ReceivedSnapshot): void {
    if (position.index <= this.#commitIndex || this.#installing !== undefined) return
    const keepSuffix = this.log.termAt(position.index) === position.term
    if (keepSuffix) {
      this.log.compact(position)
    } else {
      this.durability.truncated(position.index)
      this.log.reset(position)
    }
    this.commit(position.index)
    this.#fetchingToApply = undefined
    this.#reset = { boundary: position, keepSuffix, directory }
  }

  /** Writes up to this id are on disk. */
  persisted(writeId: number): void {
    this.durability.persisted(writeId)
    // Nothing is applied while a snapshot is put in: what is on disk need not wait for it in memory.
    if (this.#installing !== undefined) this.log.evict(this.durability.persistedIndex)
    const installing = this.#installing
    if (installing === undefined || installing.handedOut || installing.writeId > writeId) return
    installing.handedOut = true
    this.#install = installing.reset
  }

  /** The state machine has applied everything up to `index`, or has been replaced by one that has. */
  applied(index: LogIndex): void {
    if (index === this.#installing?.reset.boundary.index) {
      this.#installing = undefined
      this.#handedOut = index
    }
    assert(
      index >= this.#lastApplied && index <= this.#handedOut,
      () => `applied up to ${index}, handed out up to ${this.#handedOut}`,
    )
    this.#lastApplied = index
    this.log.evict(Math.min(index, this.durability.persistedIndex))
  }

  /** Entries that were fetched to be applied; a snapshot may have brought them meanwhile. */
  fetchedToApply({ from }: Fetch, entries: readonly LogEntry[]): void {
    if (this.#fetchingToApply !== from) return
    this.#fetchingToApply = undefined
    assert(entries[0]?.index === this.#handedOut + 1, 'the entries fetched are not the next to apply')
    this.#handOut(entries)
  }

  // ---- output ----

  /** Sends at once: the message promises nothing that is not on disk. */
  send(message: Message): void {
    this.#messages.push(message)
  }

  /** Sends once everything written so far, this step included, is on disk. */
  sendAfterWrite(message: Message): void {
    this.#promises.push(message)
  }

  fetch(fetch: Fetch): void {
    this.#fetches.push(fetch)
  }

  sendSnapshot(to: NodeId): void {
    this.#snapshots.push({ to, term: this.#currentTerm })
  }

  serveReads(ids: readonly number[]): void {
    this.#reads.push(...ids)
  }

  refuseReads(ids: readonly number[]): void {
    this.#refusedReads.push(...ids)
  }

  proposed(first: LogIndex, count: number): void {
    this.#proposed = { first, term: this.#currentTerm, count }
  }

  /** Ends the step: everything that it wants done. */
  takeOutput(role: Role): Output {
    this.#handOutCommitted()
    const output: Output = {
      write: this.#takeWrite(),
      messages: this.#messages,
      messagesAfterWrite: this.#promises,
      apply: this.#apply,
      fetches: this.#fetches,
      snapshots: this.#snapshots,
      install: this.#install,
      reads: this.#reads,
      refusedReads: this.#refusedReads,
      proposed: this.#proposed,
      status: this.#takeStatus(role),
    }
    this.#messages = []
    this.#promises = []
    this.#fetches = []
    this.#snapshots = []
    this.#install = undefined
    this.#apply = NOTHING
    this.#reads = []
    this.#refusedReads = []
    this.#proposed = undefined
    return output
  }

  #takeWrite(): Output['write'] {
    const reset = this.#reset
    if (!this.#hardStateChanged && reset === undefined && this.#entries.length === 0) return undefined
    const hardState = this.#hardStateChanged
      ? { currentTerm: this.#currentTerm, votedFor: this.#votedFor }
      : undefined
    const entries = this.#entries
    this.#hardStateChanged = false
    this.#entries = []
    this.#reset = undefined
    const id = this.durability.handOut(this.log.lastIndex)
    if (reset !== undefined) this.#installing = { writeId: id, reset, handedOut: false }
    return { id, hardState, reset, entries }
  }

  #takeStatus(role: Role): RoleStatus | undefined {
    const last = this.#reported
    if (last?.role === role && last.term === this.#currentTerm && last.leader === this.#leader)
      return undefined
    this.#reported = { role, term: this.#currentTerm, leader: this.#leader }
    return this.#reported
  }

  /**
   * Committed entries go out to be applied in pieces, the next when the last is applied; and only those on
   * this node's own disk, so that a checkpoint never holds what its log could still lose.
   */
  #handOutCommitted(): void {
    if (this.#reset !== undefined || this.#installing !== undefined) return
    if (this.#fetchingToApply !== undefined || this.#lastApplied !== this.#handedOut) return
    const upTo = Math.min(this.#commitIndex, this.durability.persistedIndex)
    const from = this.#handedOut + 1
    if (from > upTo) return
    const maxBytes = this.options.maxApplyBytes
    const entries = this.log.entries(from, upTo, maxBytes)
    if (entries !== undefined) {
      this.#handOut(entries)
    } else {
      this.#fetchingToApply = from
      this.fetch({ purpose: 'apply', to: this.id, term: this.#currentTerm, from, upTo, maxBytes })
    }
  }

  #handOut(entries: readonly LogEntry[]): void {
    this.#apply = entries
    this.#handedOut = entries.at(-1)!.index
  }
}
