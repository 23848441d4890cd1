import { assert } from './assert.ts'
import { Progress } from './progress.ts'
import { ReadRounds } from './reads.ts'
import { EntryKind } from './types.ts'
import type { RaftState } from './state.ts'
import type { RoleBehaviour, Transition } from './role.ts'
import type {
  AppendEntriesReply,
  Fetch,
  HeartbeatReply,
  LogEntry,
  LogIndex,
  LogPosition,
  Message,
  NodeId,
  Proposal,
  SnapshotRequest,
} from './types.ts'

const NO_OP: Proposal = Object.freeze({ kind: EntryKind.NoOp, data: new Uint8Array(0) })

/**
 * How many election time-outs a leader waits for its own disk. A disk that hangs says nothing, and heartbeats do
 * not wait for it: such a leader would be followed for ever and answer nobody.
 */
const DISK_PATIENCE = 4

/** A leader (§3.5): it appends, replicates, commits, and makes sure that it still leads. */
export class Leader implements RoleBehaviour {
  readonly role = 'leader'
  readonly #state: RaftState
  readonly #progress: ReadonlyMap<NodeId, Progress>
  readonly #reads: ReadRounds
  #ticksSinceHeartbeat = 0
  #ticksSinceQuorumCheck = 0
  #ticksSincePersisted = 0

  /** @param lastReadContext the last read context that this node used: contexts are never used again. */
  constructor(state: RaftState, lastReadContext: number) {
    this.#state = state
    const next = state.log.lastIndex + 1
    this.#progress = new Map(state.peers.map((id) => [id, new Progress(next, state.options)]))
    this.#reads = new ReadRounds(lastReadContext)
  }

  get progress(): ReadonlyMap<NodeId, Progress> {
    return this.#progress
  }

  get readContext(): number {
    return this.#reads.context
  }

  /** A term begins with a no-op: only its commit tells the leader what is committed (§3.6.2, §6.4). */
  begin(): void {
    this.#state.followLeader(this.#state.id)
    this.propose([NO_OP])
  }

  propose(proposals: readonly Proposal[]): readonly LogEntry[] {
    const entries = this.#state.append(proposals)
    for (const [id, progress] of this.#progress) this.#replicate(id, progress)
    return entries
  }

  readIndex(id: number): void {
    this.#reads.add(id)
    this.#beginReads()
  }

  tick(): Transition {
    const { heartbeatTicks, electionTicks } = this.#state.options
    if (++this.#ticksSinceQuorumCheck >= electionTicks) {
      this.#ticksSinceQuorumCheck = 0
      if (!this.#hasActiveQuorum()) return 'follower'
    }
    if (this.#diskHangs()) return 'follower'
    if (++this.#ticksSinceHeartbeat >= heartbeatTicks) {
      this.#ticksSinceHeartbeat = 0
      this.#sendHeartbeats()
      for (const progress of this.#progress.values()) progress.verify = true
    }
    return
  }

  receive(message: Message): Transition {
    const progress = this.#progress.get(message.from)
    if (progress === undefined) return
    progress.recentlyActive = true
    if (message.type === 'appendReply') this.#onAppendReply(message, progress)
    else if (message.type === 'heartbeatReply') this.#onHeartbeatReply(message, progress)
    assert(
      message.type !== 'append' && message.type !== 'heartbeat',
      () => `${message.from} leads term ${message.term}, and so does ${this.#state.id}`,
    )
    return
  }

  persisted(): Transition {
    this.#ticksSincePersisted = 0
    this.#advanceCommit()
    return
  }

  /** Entries that were no longer in memory have been read for a follower. */
  fetched(fetch: Fetch, previous: LogPosition, entries: readonly LogEntry[]): void {
    const progress = this.#progress.get(fetch.to)
    // What an earlier leadership of this node asked for may have been replaced since.
    if (progress === undefined || fetch.term !== this.#state.currentTerm) return
    const cut = fetch.from <= this.#state.log.boundary.index
    assert(entries.length > 0 || cut, `nothing was found in the log from entry ${fetch.from} on`)
    progress.fetching = false
    if (entries.length > 0 && progress.nextIndex === fetch.from && progress.state !== 'snapshot') {
      // Where no more may be on its way, this was read to find out what got lost.
      this.#sendAppend(fetch.to, progress, previous, progress.paused ? [] : entries)
    }
    this.#replicate(fetch.to, progress)
  }

  /** A follower has a snapshot, up to `position`; or has it not. */
  snapshotSent({ to, term }: SnapshotRequest, position: LogPosition | undefined): void {
    const progress = this.#progress.get(to)
    if (progress === undefined || term !== this.#state.currentTerm) return
    progress.snapshotEnded(position?.index)
    this.#replicate(to, progress)
  }

  followsLiveLeader(): boolean {
    return true
  }

  leave(): void {
    this.#state.forgetLeader()
    this.#state.refuseReads(this.#reads.takeAll())
  }

  /** Reads whose round is confirmed and whose index is applied. Asked at the end of each step. */
  serveReads(): void {
    const ids = this.#reads.takeServable(this.#state.lastApplied)
    if (ids.length > 0) this.#state.serveReads(ids)
  }

  // ---- replication (§3.5) ----

  #onAppendReply(reply: AppendEntriesReply, progress: Progress): void {
    const { log } = this.#state
    if (reply.success) {
      assert(reply.matchIndex <= log.lastIndex, () => `${reply.from} holds more than its leader`)
      if (progress.matched(reply.matchIndex, log.firstIndex)) this.#advanceCommit()
    } else {
      // The hint says where the logs may agree by the follower's terms; this log's terms may tell more.
      const hint = log.lastIndexOfTermAtMost(reply.conflictTerm, reply.conflictIndex)
      if (!progress.rejected(reply.matchIndex, hint)) return
    }
    this.#replicate(reply.from, progress)
  }

  #onHeartbeatReply(reply: HeartbeatReply, progress: Progress): void {
    progress.readContext = Math.max(progress.readContext, reply.readContext)
    this.#confirmReads()
    if (!progress.verify) return
    progress.verify = false
    if (progress.state === 'probe') {
      progress.retryProbe()
      this.#replicate(reply.from, progress)
    } else if (progress.state === 'replicate' && progress.matchIndex < this.#state.log.lastIndex) {
      // Nothing may be missing, or the last messages were lost: an empty append, behind all that was sent,
      // brings either nothing or the rejection that starts the repair.
      const previous = this.#state.log.positionAt(progress.nextIndex - 1)
      if (previous !== undefined) this.#sendAppend(reply.from, progress, previous, [])
      else if (!progress.fetching) this.#fetchOrSnapshot(reply.from, progress)
    }
  }

  /** Sends a follower what it lacks, as far as its limits allow. A probe is sent even with nothing to bring. */
  #replicate(id: NodeId, progress: Progress): void {
    const { log, options } = this.#state
    while (!progress.paused) {
      const from = progress.nextIndex
      if (progress.state === 'replicate' && from > log.lastIndex) return
      const previous = log.positionAt(from - 1)
      const entries = log.entries(from, log.lastIndex, options.maxAppendBytes)
      if (previous === undefined || entries === undefined) {
        this.#fetchOrSnapshot(id, progress)
        return
      }
      this.#sendAppend(id, progress, previous, entries)
    }
  }

  /**
   * Has the next entries for a follower read from disk, and what stands before them; where the log does not go
   * back that far any more, has the follower brought the state (§5).
   */
  #fetchOrSnapshot(to: NodeId, progress: Progress): void {
    const { log, durability, currentTerm, options } = this.#state
    if (progress.nextIndex <= log.boundary.index) {
      progress.awaitSnapshot()
      this.#state.sendSnapshot(to)
      return
    }
    progress.fetching = true
    this.#state.fetch({
      purpose: 'replicate',
      to,
      term: currentTerm,
      from: progress.nextIndex,
      upTo: Math.min(log.lastIndex, durability.persistedIndex),
      maxBytes: options.maxAppendBytes,
    })
  }

  #sendAppend(to: NodeId, progress: Progress, previous: LogPosition, entries: readonly LogEntry[]): void {
    progress.sent(entries)
    this.#state.send({
      type: 'append',
      from: this.#state.id,
      to,
      term: this.#state.currentTerm,
      prevLogIndex: previous.index,
      prevLogTerm: previous.term,
      prevChecksum: previous.checksum,
      entries,
      leaderCommit: this.#state.commitIndex,
    })
  }

  /**
   * What a majority holds is committed if it is of this term (§3.6.2): an entry of an older term on a majority
   * may still be replaced. This node's own disk counts like any other.
   */
  #advanceCommit(): void {
    const { quorum, log, currentTerm, durability, id, commitIndex } = this.#state
    const index = quorum.reached((voter) =>
      voter === id ? durability.persistedIndex : this.#progress.get(voter)?.matchIndex,
    )
    if (index <= commitIndex || log.termAt(index) !== currentTerm) return
    this.#state.commit(index)
    this.#beginReads() // those that waited for the term's first commit
  }

  // ---- leadership ----

  #sendHeartbeats(): void {
    for (const [to, progress] of this.#progress) this.#sendHeartbeat(to, progress.matchIndex)
  }

  #sendHeartbeat(to: NodeId, matchIndex: LogIndex): void {
    const { id: from, currentTerm: term, commitIndex } = this.#state
    const leaderCommit = Math.min(commitIndex, matchIndex)
    this.#state.send({ type: 'heartbeat', from, to, term, leaderCommit, readContext: this.#reads.context })
  }

  /** CheckQuorum (§6.2): a leader that hears of no majority any more steps down. */
  #hasActiveQuorum(): boolean {
    const active = new Map([[this.#state.id, true]])
    for (const [id, progress] of this.#progress) {
      active.set(id, progress.recentlyActive)
      progress.recentlyActive = false
    }
    return this.#state.quorum.vote(active) === 'won'
  }

  /** Counted in ticks: a process that was paused finds that time has passed, but not that its disk was slow. */
  #diskHangs(): boolean {
    const { durability, options, peers } = this.#state
    if (!durability.busy) this.#ticksSincePersisted = 0
    else this.#ticksSincePersisted++
    // Alone in its cluster, nobody could do better.
    return peers.length > 0 && this.#ticksSincePersisted >= DISK_PATIENCE * options.electionTicks
  }

  // ---- reads (§6.4) ----

  /** Before its term's first commit a leader does not know what is committed: reads wait for it. */
  #beginReads(): void {
    const { log, commitIndex, currentTerm } = this.#state
    if (log.termAt(commitIndex) !== currentTerm) return
    if (!this.#reads.begin(commitIndex)) return
    this.#sendHeartbeats()
    this.#confirmReads() // a cluster of one needs nobody's word
  }

  #confirmReads(): void {
    const { id, quorum } = this.#state
    const context = quorum.reached((voter) =>
      voter === id ? this.#reads.context : this.#progress.get(voter)?.readContext,
    )
    if (this.#reads.confirm(context)) this.#beginReads()
  }
}
