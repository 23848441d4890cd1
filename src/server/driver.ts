import type { Timer } from '../clock.ts'
import { EntryKind } from '../raft/types.ts'
import type {
  Fetch,
  Input,
  LogEntry,
  LogReset,
  Message,
  NodeId,
  Output,
  ReceivedSnapshot,
  RoleStatus,
  SnapshotRequest,
} from '../raft/types.ts'
import { TransferError } from '../transport/snapshot-transfer.ts'
import { Applying } from './applying.ts'
import type { ReadCall, WriteCall } from './calls.ts'
import { ClusterTime } from './cluster-time.ts'
import type { DriverEvents, DriverParts, DriverSettings } from './driver-parts.ts'
import { Proposals } from './proposals.ts'
import { LogCutter } from './log-cutter.ts'
import { LogWriter } from './log-writer.ts'
import { OwnCall } from './own-call.ts'
import { leadershipLost, notLeader, tooBusy } from './refusals.ts'
import { stopErrorOf } from './stop-error.ts'
import { reporting } from './space-guard.ts'
import { WaitingReads } from './waiting-reads.ts'

/**
 * Turns what the core wants into I/O and what happens into the core's inputs. One function runs the cycle:
 * drain every waiting input → step each → send what may go at once → write once → send the rest → apply →
 * answer. What arrives while a write is on its way goes into the next one: that is the group commit.
 */
export class Driver {
  readonly #parts: DriverParts
  readonly #settings: DriverSettings
  readonly #events: DriverEvents
  readonly #clusterTime: ClusterTime
  readonly #proposals: Proposals
  readonly #cutter: LogCutter
  readonly #writer: LogWriter

  #status: RoleStatus
  #inbox: Input[] = []
  readonly #reads: WaitingReads

  #outbox: Message[] = []
  /** A snapshot whose write is on its way to the disk. */
  #resetting: { readonly writeId: number; ended(error?: Error): void } | undefined
  #installation = Promise.resolve()
  readonly #applying: Applying

  /** Something was proposed since the last time stamp. */
  #busy = false
  /** This node leads, and the term's first commit is applied. */
  #timeKnown = false

  #scheduled = false
  #stopped = false
  #failed = false
  #tick: Timer | undefined

  constructor(parts: DriverParts, settings: DriverSettings, events: DriverEvents) {
    this.#parts = parts
    this.#settings = settings
    this.#events = events
    this.#clusterTime = new ClusterTime(parts.clock)
    this.#proposals = new Proposals(settings)
    this.#reads = new WaitingReads({
      ...{ machine: parts.machine, clock: parts.clock },
      unreadable: () => this.#notLeader('this node cannot read its state'),
      failed: (error) => this.fail(error),
    })
    this.#applying = new Applying(parts.clock, (entry) => this.#apply(entry))
    this.#cutter = new LogCutter(parts, settings.logKeepBytes)
    this.#writer = new LogWriter(parts.log, {
      written: (writeId, promises) => this.#written(writeId, promises),
      failed: (error) => this.#writeFailed(error),
    })
    const { role, term, leader } = parts.raft.view()
    this.#status = { role, term, leader }
  }

  get status(): RoleStatus {
    return this.#status
  }

  /** How many writes wait for their turn or their commit. */
  get waitingProposals(): number {
    return this.#proposals.waiting
  }

  /** Begins to count time. */
  start(): void {
    this.#scheduleTick()
  }

  /**
   * Ends, and answers whatever waits. Resolves when no write is on its way any more; one that fails then is
   * reported like any other.
   */
  async stop(): Promise<void> {
    this.#end()
    await this.#writer.last
    await this.#installation
  }

  /** Whatever it was: nothing more is sent, written or answered as if it had worked. */
  fail(error: unknown): void {
    if (this.#stopped) return
    this.#failed = true
    this.#end()
    this.#events.failed(stopErrorOf(error))
  }

  #end(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#tick?.cancel()
    this.#parts.snapshots.cancel()
    this.#resetting?.ended(new TransferError('this node is stopping', { resumable: false }))
    const refusal = this.#notLeader('this node is stopping')
    this.#proposals.failAll(refusal, leadershipLost('this node stopped'))
    this.#reads.refuseAll(refusal)
  }

  /** Messages from other nodes, in the order in which they came. */
  receive(messages: readonly Message[]): void {
    if (this.#stopped) return
    for (const message of messages) {
      this.#inbox.push({ type: 'message', message })
      if (message.type === 'heartbeatReply') {
        this.#parts.spaceGuard.peerReported(message.from, message.lowSpaceBytes)
      }
    }
    this.#wake()
  }

  /** The link to a peer broke, after everything that it brought. */
  linkLost(peer: NodeId): void {
    this.#inbox.push({ type: 'linkLost', peer })
    this.#wake()
  }

  /**
   * A snapshot from a leader lies on this node's disk. Resolves when it counts: the log begins behind it, on disk;
   * resolves to false where it brings nothing. Rejects where the node stops before that is known.
   */
  async receiveSnapshot(snapshot: ReceivedSnapshot): Promise<boolean> {
    if (this.#stopped) throw new TransferError('this node is stopping', { resumable: false })
    const { write } = this.#step({ type: 'snapshotReceived', snapshot })
    this.#wake()
    if (write?.reset === undefined) return false
    await new Promise<void>((resolve, reject) => {
      const ended = (error?: Error): void => (error === undefined ? resolve() : reject(error))
      this.#resetting = { writeId: write.id, ended }
    })
    return true
  }

  /** Wants an entry appended. The call is answered when it is applied, or at once where that cannot be. */
  write(call: WriteCall): void {
    if (this.#stopped || this.#status.role !== 'leader') {
      call.fail(this.#notLeader())
    } else if (this.#proposals.full || this.#stateTooFarAhead()) {
      call.fail(tooBusy())
    } else {
      const refusal = call.takesSpace ? this.#parts.spaceGuard.refusal() : undefined
      if (refusal !== undefined) {
        call.fail(refusal)
        return
      }
      this.#proposals.add(call)
      this.#busy = true
      this.#wake()
    }
  }

  /** Wants a linearizable read. The call is served once a majority has confirmed that this node leads. */
  read(call: ReadCall): void {
    if (this.#stopped || this.#status.role !== 'leader') {
      call.fail(this.#notLeader())
    } else if (this.#reads.count >= this.#settings.maxWaitingProposals) {
      call.fail(tooBusy())
    } else {
      this.#reads.add(call)
      this.#wake()
    }
  }

  /** A read of what this node has applied, which may be behind: served without a round, whoever leads. */
  readApplied(call: ReadCall): void {
    if (this.#stopped) {
      call.fail(this.#notLeader('this node is stopping'))
    } else if (this.#reads.ready >= this.#settings.maxWaitingProposals) {
      call.fail(tooBusy())
    } else {
      try {
        this.#reads.serve(call)
      } catch (error) {
        this.fail(error)
      }
    }
  }

  // ---- the cycle ----

  #wake(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#parts.clock.soon(this.#cycle)
  }

  readonly #cycle = (): void => {
    this.#scheduled = false
    if (this.#stopped) return
    try {
      this.#stepInbox()
      this.#propose()
      this.#beginReads()
      this.#send()
      this.#writer.begin()
      this.#applyCommitted()
    } catch (error) {
      this.fail(error)
    }
  }

  #stepInbox(): void {
    const inputs = this.#inbox
    this.#inbox = []
    for (const input of inputs) this.#step(input)
  }

  /** While a write is on its way, proposals gather for the next one. */
  #propose(): void {
    if (this.#writer.busy || this.#proposals.queued.length === 0) return
    this.#step({ type: 'propose', proposals: this.#proposals.queued })
  }

  #beginReads(): void {
    const id = this.#reads.begin()
    if (id === undefined) return
    this.#step({ type: 'readIndex', id })
  }

  #send(): void {
    if (this.#outbox.length === 0) return
    const messages = this.#outbox
    this.#outbox = []
    this.#parts.transport.send(reporting(messages, this.#parts.spaceGuard.lowSpaceBytes))
  }

  #written(writeId: number | undefined, promises: readonly Message[]): void {
    if (this.#stopped) return
    this.#outbox.push(...promises)
    if (writeId !== undefined) this.#inbox.push({ type: 'persisted', writeId })
    if (writeId !== undefined && this.#resetting !== undefined && this.#resetting.writeId <= writeId) {
      this.#resetting.ended()
      this.#resetting = undefined
    }
    this.#cycle()
  }

  /** Also where it happens during a stop: that is then no clean one. */
  #writeFailed(error: unknown): void {
    if (!this.#stopped) this.fail(error)
    else if (!this.#failed) this.#events.failed(stopErrorOf(error))
  }

  // ---- one step ----

  #step(input: Input): Output {
    const output = this.#parts.raft.step(input)
    if (output.status !== undefined) this.#statusChanged(output.status)
    if (output.proposed !== undefined) this.#proposals.placed(output.proposed.first)
    if (output.messages.length > 0) this.#outbox.push(...output.messages)
    if (output.write !== undefined) this.#writer.add(output.write)
    if (output.messagesAfterWrite.length > 0) {
      this.#outbox.push(...this.#writer.promise(output.messagesAfterWrite))
    }
    for (const fetch of output.fetches) this.#fetch(fetch)
    for (const request of output.snapshots) this.#sendSnapshot(request)
    if (output.install !== undefined) this.#install(output.install)
    for (const id of output.reads) this.#reads.confirmed(id)
    for (const id of output.refusedReads) this.#reads.refuse(id, this.#notLeader())
    if (output.apply.length > 0) this.#applying.handOut(output.apply)
    return output
  }

  #fetch(fetch: Fetch): void {
    this.#parts.log.read(fetch.from, fetch.upTo, fetch.maxBytes).then(
      ({ previous, entries }) => {
        this.#inbox.push({ type: 'fetched', fetch, previous, entries })
        this.#wake()
      },
      (error: unknown) => this.fail(error),
    )
  }

  // ---- snapshots and compaction (§5) ----

  #sendSnapshot(request: SnapshotRequest): void {
    this.#parts.snapshots.send(request).then(
      (position) => {
        if (position !== undefined) this.#cutter.brought(request.to)
        this.#inbox.push({ type: 'snapshotSent', request, position })
        this.#wake()
      },
      (error: unknown) => this.fail(error),
    )
  }

  /** Its log is on disk: the state machine follows. The core applies nothing meanwhile. */
  #install(reset: LogReset): void {
    this.#applying.drop()
    this.#installation = this.#parts.snapshots.install(reset).then(
      () => {
        this.#inbox.push({ type: 'applied', upTo: reset.boundary.index })
        this.#wake()
      },
      (error: unknown) => this.fail(error),
    )
  }

  /** The log goes, where a checkpoint that is on disk holds what it brought. */
  #cutLog(): void {
    const upTo = this.#stopped ? undefined : this.#cutter.due()
    if (upTo === undefined) return
    this.#step({ type: 'compact', upTo })
    this.#parts.log.cut(upTo)
  }

  // ---- apply and answer ----

  #apply(entry: LogEntry): void {
    this.#proposals.applied(entry, this.#parts.machine.apply(entry))
    if (entry.kind === EntryKind.Time) this.#events.stamped?.(entry.index)
  }

  /** What one step handed out, once checkpoints have made room; the core hands out more when all of it is applied. */
  #applyCommitted(): void {
    const last = this.#stateTooFarAhead() ? undefined : this.#applying.turn()
    if (last === undefined) return
    if (this.#status.role === 'leader' && !this.#timeKnown && last.term === this.#status.term) {
      this.#timeKnown = true
      this.#clusterTime.begin(this.#parts.machine.clusterTimeMs)
    }
    this.#step({ type: 'applied', upTo: last.index })
    // A long replay leaves room for everything else between its pieces.
    if (this.#applying.waiting || this.#outbox.length > 0) this.#wake()
  }

  // ---- time ----

  #scheduleTick(): void {
    this.#tick = this.#parts.clock.after(this.#settings.tickMs, () => {
      this.#scheduleTick()
      this.#inbox.push({ type: 'tick' })
      this.#stampTime()
      this.#parts.checkpointer
        .writeIfDue()
        .then(() => this.#cutLog())
        .catch((error: unknown) => this.fail(error))
      this.#cycle()
    })
  }

  #stampTime(): void {
    if (!this.#timeKnown) return
    const stamp = this.#clusterTime.due(this.#busy)
    if (stamp === undefined) return
    this.#proposals.add(OwnCall.timeStamp(stamp))
    this.#busy = false
    const revision = this.#parts.compaction.due()
    if (revision !== undefined) this.#proposals.add(OwnCall.compaction(revision))
  }

  // ---- changes ----

  #statusChanged(status: RoleStatus): void {
    const led = this.#status.role === 'leader'
    this.#status = status
    if (led) {
      this.#parts.snapshots.cancel()
      this.#timeKnown = false
      this.#proposals.failAll(this.#notLeader(), leadershipLost('this node no longer leads'))
    }
    this.#events.changed(status)
  }

  #notLeader(reason?: string): ReturnType<typeof notLeader> {
    return notLeader(this.#status, this.#parts.leaderLookup, reason)
  }

  #stateTooFarAhead(): boolean {
    return this.#parts.machine.unwrittenMemoryBytes > this.#settings.maxUnwrittenBytes
  }
}
