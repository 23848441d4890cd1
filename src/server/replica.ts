import type { Logger } from 'pino'
import { atMost } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { UnavailableError } from '../errors.ts'
import type { LeaderHint, StopError } from '../errors.ts'
import { KV_LIMITS, KV_TUNING } from '../kv/limits.ts'
import type { KvLimits } from '../kv/limits.ts'
import { KvStateMachine } from '../kv/state-machine.ts'
import type { StateMachine } from '../kv/types.ts'
import { RaftNode } from '../raft/node.ts'
import type { NodeView } from '../raft/node.ts'
import type { InitialState, RaftOptions } from '../raft/state.ts'
import type { LogIndex, NodeId, RoleStatus } from '../raft/types.ts'
import { checkAnchor, openDataDirectory } from '../storage/data-directory.ts'
import type { DataDirectory } from '../storage/data-directory.ts'
import type { Disk } from '../storage/disk.ts'
import { CUT_STEP_BYTES } from '../storage/log-cutting.ts'
import type { RecoveredLog } from '../storage/log-store.ts'
import type { StateSnapshot } from '../storage/snapshot/snapshot.ts'
import type { StateStore } from '../storage/state-store.ts'
import type { PeerIdentity, Transport } from '../transport/transport.ts'
import { sealEntries } from '../wire/entry.ts'
import { Checkpointer } from './checkpointer.ts'
import type { NodeConfig } from './config.ts'
import { CompactionSchedule } from './compaction-schedule.ts'
import { diskStatusOf } from './disk-status.ts'
import type { DiskStatus } from './disk-status.ts'
import { Driver } from './driver.ts'
import { KvFront } from './kv-front.ts'
import { PastReads } from './past-reads.ts'
import { Peers } from './peers.ts'
import type { PeerView } from './peers.ts'
import { stateReplaced, stopping } from './refusals.ts'
import { ReplaceableMachine } from './replaceable-machine.ts'
import { SpaceGuard } from './space-guard.ts'
import { StartProgress } from './start-progress.ts'
import { StateTransfer } from './state-transfer.ts'
import { StateDigests } from './state-digests.ts'
import { stopErrorOf } from './stop-error.ts'

const MiB = 1024 * 1024

/** The most entries of one AppendEntries; the most of them under way to one follower; the most applied at a time. */
const MAX_APPEND_BYTES = 1 * MiB
const MAX_IN_FLIGHT_BYTES = 8 * MiB
const MAX_IN_FLIGHT_ENTRIES = 65_536
const MAX_APPLY_BYTES = 1 * MiB

/** How long a backup waits for this node to apply what the leader has, and how often it looks, in milliseconds. */
const LONGEST_LAG_MS = 10_000
const LAG_POLL_MS = 10

/** How often it is looked how far the replay of the log has come, in milliseconds. */
const REPLAY_POLL_MS = 500

/** How long a node whose disk has failed waits for that disk to close what is open, in milliseconds. */
const FAILED_DISK_GRACE_MS = 1000

/** What a data directory holds, read and verified: a replica before it takes part. */
export interface LoadedReplica {
  readonly directory: DataDirectory
  readonly machine: StateMachine
  readonly recovered: RecoveredLog
  /** The state machine as another state store has it: a snapshot's. */
  readonly restore: (store: StateStore) => Promise<StateMachine>
  /** Told how far the start has come. */
  readonly progress: StartProgress
}

export interface LoadOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  /** Draws the incarnation at the first start. Default: at random. */
  readonly drawIncarnation?: () => number
  /** What the state machine is bound to, the same on every node. Default: the limits in force. */
  readonly limits?: KvLimits
  /** Told how far the start has come. Default: one that begins now. */
  readonly progress?: StartProgress
}

/**
 * Opens the node's data directory and verifies it: the state's checkpoint first, then the whole log, then one
 * against the other. Throws a StopError where it cannot be used; nothing stays open then.
 */
export async function loadReplica(config: NodeConfig, options: LoadOptions): Promise<LoadedReplica> {
  const { disk, clock, logger } = options
  const progress = options.progress ?? new StartProgress(clock, logger)
  const members = [...config.peers.keys()]
  const identity = { nodeId: config.id, clusterName: config.clusterName, members }
  const directory = await openDataDirectory(disk, {
    ...identity,
    clock,
    ...(options.drawIncarnation && { drawIncarnation: options.drawIncarnation }),
  })
  try {
    const tuning = { ...KV_TUNING, cacheBytes: config.cacheBytes }
    const restore = (store: StateStore): Promise<StateMachine> =>
      KvStateMachine.restore(store, options.limits ?? KV_LIMITS, tuning)
    const machine = await restore(directory.stateStore)
    const recovered = await directory.logStore.open({
      tailBytes: config.logTailBytes,
      anchorIndex: machine.applied.index,
      cutStepBytes: Math.max(1, Math.min(CUT_STEP_BYTES, config.logKeepBytes / 16)),
      progress: (read, of) => progress.report('reading the log', read, of),
    })
    checkAnchor(machine.applied, recovered, directory.path)
    return { directory, machine, recovered, restore, progress }
  } catch (error) {
    await directory.close()
    throw error
  }
}

export interface ReplicaParts {
  readonly transport: Transport
  readonly clock: Clock
  readonly logger: Logger
  /** Seeds the election time-outs. */
  readonly seed: number
  /** Where clients reach this node. */
  readonly clientAddress: string
  /** Role, term or leader changed. */
  readonly changed?: (status: RoleStatus) => void
  /** Makes the core, for who wants to watch its every step. Default: a RaftNode. */
  readonly newCore?: (options: RaftOptions, initial: InitialState) => RaftNode
}

/** What a replica knows of itself and of its peers. */
export interface ReplicaView extends NodeView {
  readonly revision: number
  /** The oldest revision that can be read. */
  readonly compactedRevision: number
  readonly sessions: number
  readonly clusterTimeMs: number
  readonly stateHash: string
  readonly checkpointIndex: number
  readonly peers: readonly PeerView[]
}

/**
 * One node without its listening ports: data directory, core, state machine and driver, put together. What it
 * is made of (disk, transport, clock) is given to it, so that a simulation runs the same.
 */
export class Replica {
  readonly front: KvFront
  /** Of its state, to be compared with other nodes'. */
  readonly digests = new StateDigests()
  readonly #raft: RaftNode
  readonly #driver: Driver
  readonly #machine: StateMachine
  readonly #states: StateTransfer
  readonly #pastReads: PastReads
  readonly #checkpointer: Checkpointer
  readonly #directory: DataDirectory
  readonly #loaded: LoadedReplica
  readonly #peers: Peers
  readonly #spaceGuard: SpaceGuard
  readonly #parts: ReplicaParts
  readonly #id: NodeId
  #failure: StopError | undefined
  #resolveStopped!: (error: StopError | undefined) => void
  #stopping: Promise<void> | undefined

  /** Resolves when it has stopped, with the reason where nobody asked for it. */
  readonly stopped = new Promise<StopError | undefined>((resolve) => {
    this.#resolveStopped = resolve
  })

  constructor(config: NodeConfig, loaded: LoadedReplica, parts: ReplicaParts) {
    const { directory, recovered, restore } = loaded
    const machine = new ReplaceableMachine(loaded.machine)
    const { transport, clock } = parts
    const members = [...config.peers.keys()]
    const tickMs = Math.max(1, Math.round(config.heartbeatMs / 5))
    this.#id = config.id
    this.#parts = parts
    this.#directory = directory
    this.#loaded = loaded
    this.#machine = machine
    const electionTicks = Math.ceil(config.electionMs / tickMs)
    const heartbeatTicks = Math.max(1, Math.round(config.heartbeatMs / tickMs))
    const newCore = parts.newCore ?? ((options, initial) => new RaftNode(options, initial))
    this.#raft = newCore(
      {
        id: config.id,
        membership: { voters: members, outgoing: [], learners: [] },
        ...{ electionTicks, heartbeatTicks },
        firstElectionTicks: Math.min(2 * heartbeatTicks, electionTicks),
        maxAppendBytes: MAX_APPEND_BYTES,
        maxInFlightBytes: MAX_IN_FLIGHT_BYTES,
        maxInFlightEntries: MAX_IN_FLIGHT_ENTRIES,
        maxTailBytes: config.logTailBytes,
        maxApplyBytes: MAX_APPLY_BYTES,
        seed: parts.seed,
        seal: sealEntries,
      },
      { hardState: recovered.hardState, log: recovered, applied: machine.applied.index },
    )
    this.#peers = new Peers(
      members.filter((id) => id !== config.id),
      directory,
    )
    const { logger } = parts
    const peerViews = (): readonly PeerView[] => this.#peers.view()
    this.#spaceGuard = new SpaceGuard(
      { disk: directory, clock, logger, id: config.id, peers: peerViews },
      config,
    )
    const headStart = members.filter((id) => id < config.id).length / members.length
    this.#checkpointer = new Checkpointer(machine, directory.stateStore, clock, { ...config, headStart })
    const log = directory.logStore
    const checkpointer = this.#checkpointer
    this.#states = new StateTransfer({
      ...{ directory, machine, restore, checkpointer, transport, clock, logger, seed: parts.seed },
      commitIndex: () => this.#raft.view().commitIndex,
      received: (snapshot) => this.#driver.receiveSnapshot(snapshot),
      replaced: () => this.#pastReads.interrupt(stateReplaced()),
      failed: (error) => this.#driver.fail(error),
    })
    this.#driver = new Driver(
      {
        raft: this.#raft,
        log,
        machine,
        checkpointer,
        transport,
        clock,
        leaderLookup: this.#clientAddressOf,
        snapshots: this.#states,
        compaction: new CompactionSchedule(machine, clock, config),
        spaceGuard: this.#spaceGuard,
      },
      { ...config, tickMs },
      {
        changed: (status) => this.#changed(status),
        stamped: (index) => this.digests.add(index, machine.stateHash()),
        failed: (error) => this.#failed(error),
      },
    )
    this.#pastReads = new PastReads(clock, (error) => this.#driver.fail(error))
    this.front = new KvFront(this.#driver, config, this.#pastReads)
  }

  /** Begins to take part. */
  async start(): Promise<void> {
    await this.#spaceGuard.start()
    await this.#parts.transport.start({
      admit: (peer) => this.#admit(peer),
      snapshots: this.#states.receiver,
      receive: (messages) => this.#driver.receive(messages),
      connected: (peer) => this.#peers.connected(peer),
      disconnected: (id, reason, refused) => {
        this.#peers.disconnected(id, reason, refused)
        this.#driver.linkLost(id)
      },
    })
    this.#driver.start()
    this.#tellReplay(this.#loaded.recovered.last.index, this.#machine.applied.index)
  }

  /** Stops taking part, writes a last checkpoint and closes the data directory. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  /** Role, term and leader as this node knows them. */
  get status(): RoleStatus {
    return this.#driver.status
  }

  /** Who leads and where clients reach it, if this node knows. */
  leaderHint(): LeaderHint | undefined {
    const { leader, term } = this.#driver.status
    if (leader === undefined) return undefined
    return { id: leader, clientAddress: this.#clientAddressOf(leader), term }
  }

  view(): ReplicaView {
    return {
      ...this.#raft.view(),
      revision: this.#machine.revision,
      compactedRevision: this.#machine.compactedRevision,
      sessions: this.#machine.sessionCount,
      clusterTimeMs: this.#machine.clusterTimeMs,
      stateHash: this.#machine.stateHash(),
      checkpointIndex: this.#checkpointer.index,
      peers: this.#peers.view(),
    }
  }

  /**
   * A view of the state that holds everything up to a revision, which this node may still have to apply. Rejects
   * with UnavailableError where that takes too long, with StopError where the node has to stop for it.
   */
  async snapshot(leastRevision: number): Promise<StateSnapshot> {
    await this.#applied(leastRevision)
    try {
      await this.#checkpointer.writeUpTo(this.#machine.applied.index)
    } catch (error) {
      if (!(error instanceof UnavailableError)) this.#driver.fail(error)
      throw error
    }
    const snapshot = await this.#directory.stateStore.snapshot()
    if (snapshot === undefined) throw new UnavailableError('this node has applied nothing yet')
    return snapshot
  }

  /** What the state takes on disk, in bytes. */
  async stateBytes(): Promise<number> {
    return (await this.#directory.usage()).stateBytes
  }

  /** Somebody found this node's data damaged: it must stop. */
  fail(error: StopError): void {
    this.#driver.fail(error)
  }

  async #applied(revision: number): Promise<void> {
    const { clock } = this.#parts
    const deadline = clock.now() + LONGEST_LAG_MS
    while (this.#machine.revision < revision) {
      if (this.#stopping !== undefined) throw new UnavailableError('this node is stopping')
      if (clock.now() > deadline) throw new UnavailableError('this node is too far behind the leader')
      await new Promise<void>((resolve) => clock.after(LAG_POLL_MS, resolve))
    }
  }

  /** What the log holds beyond the checkpoint is applied once it is known to be committed. */
  #tellReplay(upTo: LogIndex, from: LogIndex): void {
    const applied = this.#machine.applied.index
    if (applied >= upTo || this.#stopping !== undefined) return
    this.#loaded.progress.report('applying the log', applied - from, upTo - from)
    this.#parts.clock.after(REPLAY_POLL_MS, () => this.#tellReplay(upTo, from))
  }

  /** What the data takes of the disk, and what is left; undefined where the disk cannot be looked at. */
  diskStatus(): Promise<DiskStatus | undefined> {
    return diskStatusOf(this.#directory, this.#spaceGuard, this.#checkpointer, this.#parts.logger)
  }

  /** A peer whose incarnation cannot be written down is not only refused: the disk is broken. */
  async #admit(peer: PeerIdentity): Promise<string | undefined> {
    try {
      return await this.#peers.admit(peer)
    } catch (error) {
      this.#driver.fail(error)
      throw error
    }
  }

  readonly #clientAddressOf = (id: NodeId): string =>
    id === this.#id ? this.#parts.clientAddress : this.#peers.clientAddressOf(id)

  #changed(status: RoleStatus): void {
    const { role, term, leader } = status
    const what = { role, term, leader: leader ?? null }
    if (role === 'leader') this.#parts.logger.info(what, 'this node leads')
    else if (leader !== undefined) this.#parts.logger.info(what, `following ${leader}`)
    else this.#parts.logger.info(what, role === 'follower' ? 'no leader is known' : 'campaigning')
    this.#parts.changed?.(status)
  }

  #failed(error: StopError): void {
    this.#failure = error
    void this.stop()
  }

  async #stop(): Promise<void> {
    const closed = this.#close()
    // A disk that has failed once may never answer again, and the node has to end at once.
    const ended =
      this.#failure === undefined ? closed : atMost(this.#parts.clock, FAILED_DISK_GRACE_MS, closed)
    await ended.catch((error: unknown) => (this.#failure ??= stopErrorOf(error)))
    this.#resolveStopped(this.#failure)
  }

  async #close(): Promise<void> {
    this.#spaceGuard.stop()
    const written = this.#driver.stop()
    this.#pastReads.stop(stopping())
    await this.#parts.transport.close()
    await this.#orTell('a snapshot that was being received could not be removed', this.#states.close())
    await written
    try {
      // After a failure nothing more is written: what is on disk is what can be trusted.
      if (this.#failure === undefined) await this.#checkpointer.flush()
    } catch (error) {
      this.#failure = stopErrorOf(error)
    }
    await this.#orTell('the data directory could not be closed cleanly', this.#directory.close())
  }

  /** What is not done at the end keeps nothing from being done after it. */
  #orTell(what: string, done: Promise<void>): Promise<void> {
    return done.catch((error: unknown) => this.#parts.logger.warn({ err: error }, what))
  }
}
