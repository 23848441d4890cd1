import { pino } from 'pino'
import { DamagedDataError, DiskError, DiskFullError } from '../../src/errors.ts'
import type { StopError } from '../../src/errors.ts'
import type { StateMachine } from '../../src/kv/types.ts'
import type { NodeId } from '../../src/raft/types.ts'
import type { NodeConfig } from '../../src/server/config.ts'
import type { KvFront } from '../../src/server/kv-front.ts'
import { loadReplica, Replica } from '../../src/server/replica.ts'
import type { LoadedReplica } from '../../src/server/replica.ts'
import { StreamTransport } from '../../src/transport/stream-transport.ts'
import { clientAddress, peerAddress, SimulatedService } from './engine/client-link.ts'
import { Dice } from './engine/dice.ts'
import { SimulatedDisk, soundDisk } from './engine/disk.ts'
import { PeerPipe } from './engine/peer-pipe.ts'
import { Process } from './engine/process.ts'
import { WatchedCore, WatchedMachine, WatchedTransport } from './watched.ts'
import type { World } from './world.ts'

const SILENT = pino({ level: 'silent' })

const MiB = 1024 * 1024

/** One machine of the cluster: its disk, and whatever runs on it. */
export class SimulatedNode {
  readonly id: NodeId
  readonly disk: SimulatedDisk
  readonly #world: World
  readonly #config: NodeConfig
  readonly #dice: Dice
  #process: Process | undefined
  #replica: Replica | undefined
  #clockRate = 1
  /** How often it was started. */
  starts = 0

  constructor(world: World, id: NodeId) {
    const { plan, events, trace } = world
    this.id = id
    this.#world = world
    this.#config = configOf(world, id)
    this.#dice = Dice.of(plan.seed, `node ${id}`)
    const temper = soundDisk(plan.syncMs, plan.slowestSyncMs)
    this.disk = new SimulatedDisk(events, Dice.of(plan.seed, `disk ${id}`), temper, {
      written: (database, changes, durable) => {
        trace.wrote(id, database, changes)
        if (database === 'log') world.invariants.logWritten(id, changes, durable)
      },
      did: (what) => trace.note(id, () => what),
      crashed: () => {
        trace.note(id, () => 'dies at an I/O step')
        this.crash(this.#ioCrashPower)
      },
    })
  }

  #ioCrashPower = false

  get up(): boolean {
    return this.#replica !== undefined && this.#process?.alive === true
  }

  /** Where requests go in; undefined while it is down. */
  get front(): KvFront | undefined {
    return this.up ? this.#replica!.front : undefined
  }

  get replica(): Replica | undefined {
    return this.up ? this.#replica : undefined
  }

  /** Starts it, unless something runs here. */
  start(): void {
    if (this.#process?.alive) return
    const process = new Process(this.id, this.#world.events)
    this.#process = process
    process.clock.setRate(this.#clockRate)
    this.disk.temper.crashIn = undefined
    this.starts++
    this.#world.trace.note(this.id, () => 'starts')
    this.#boot(process).then(undefined, (error: unknown) => this.#ended(process, error))
  }

  startIn(milliseconds: number): void {
    this.#world.events.after(milliseconds, () => this.start())
  }

  /** The process dies, or with `power` the machine. False: nothing was running. */
  crash(power: boolean): boolean {
    const process = this.#process
    if (process === undefined || !process.alive) return false
    this.#world.trace.note(this.id, () => (power ? 'loses power' : 'crashes'))
    this.#die(process, power)
    return true
  }

  /** It dies so many I/O steps from now. */
  crashAtIo(steps: number, power: boolean): void {
    this.#ioCrashPower = power
    this.disk.temper.crashIn = steps
  }

  /** A clean stop. */
  stop(): void {
    this.#world.trace.note(this.id, () => 'is told to stop')
    void this.replica?.stop()
  }

  /** False: it is down, or paused already. */
  pause(): boolean {
    const process = this.#process
    if (process === undefined || !process.alive || process.paused) return false
    this.#world.trace.note(this.id, () => 'is paused')
    process.pause()
    return true
  }

  resume(): void {
    if (this.#process?.paused !== true) return
    this.#world.trace.note(this.id, () => 'goes on')
    this.#process.resume()
  }

  setClockRate(rate: number): void {
    this.#world.trace.note(this.id, () => `its clock runs at ${rate.toFixed(2)} times the speed`)
    this.#clockRate = rate
    this.#process?.clock.setRate(rate)
  }

  jumpClock(milliseconds: number): void {
    this.#world.trace.note(this.id, () => `its clock jumps by ${Math.round(milliseconds)} ms`)
    this.#process?.clock.jump(milliseconds)
  }

  /** Nothing is wrong with it any more. */
  heal(): void {
    const { temper } = this.disk
    temper.slowness = 1
    temper.full = false
    temper.hangs = false
    temper.freeBytes = 2 ** 40
    temper.failNext = undefined
    temper.crashIn = undefined
    this.setClockRate(1)
    this.resume()
    this.start()
  }

  async #boot(process: Process): Promise<void> {
    const { plan, invariants } = this.#world
    const loaded = await loadReplica(this.#config, {
      disk: this.disk.mount(process),
      clock: process.clock,
      logger: SILENT,
      drawIncarnation: () => 1 + this.#dice.below(2 ** 31),
      limits: plan.limits,
    })
    invariants.started(this.id, loaded.recovered, loaded.machine.applied.index)
    const replica = this.#assemble(process, loaded)
    this.#replica = replica
    await replica.start()
    const { clusterId } = loaded.directory.identity
    const host = { id: this.id, clusterId, front: replica.front, leader: () => replica.leaderHint() }
    const service = new SimulatedService(this.#world.network, process, host)
    service.listen()
    const reason = await replica.stopped
    service.close()
    this.#ended(process, reason)
  }

  #assemble(process: Process, loaded: LoadedReplica): Replica {
    const { network, invariants, trace, ledger } = this.#world
    const { identity } = loaded.directory
    const { electionMs, peers } = this.#config
    const patienceMs = electionMs * 1.5
    const transport = new StreamTransport(
      {
        self: { id: this.id, incarnation: identity.incarnation, clientAddress: clientAddress(this.id) },
        clusterId: identity.clusterId,
        peers: new Map([...peers].filter(([id]) => id !== this.id)),
        electionMs,
        clock: process.clock,
        logger: SILENT,
        random: () => this.#dice.unit(),
      },
      {
        messages: (address) => new PeerPipe(network.dial(process, this.id, address, patienceMs)),
        snapshots: (address) =>
          new PeerPipe(network.dial(process, this.id, snapshotAddress(address), patienceMs)),
      },
    )
    network.listen(peerAddress(this.id), process, (end) => {
      const pipe = new PeerPipe(end)
      if (!transport.accept(pipe, (stream) => pipe.connect(stream))) pipe.end()
    })
    network.listen(snapshotAddress(peerAddress(this.id)), process, (end) => {
      const pipe = new PeerPipe(end)
      if (!transport.acceptSnapshot(pipe, (listener) => pipe.connect(listener))) pipe.end()
    })
    const { id } = this
    const watch = (machine: StateMachine): StateMachine =>
      new WatchedMachine(machine, {
        applied: (entry, result, hash) => {
          if (!process.alive) return
          invariants.applied(id, entry, result, hash)
          ledger.applied(entry, result)
        },
        checkpointWritten: (index) => invariants.checkpointWritten(id, index),
      })
    const restore: LoadedReplica['restore'] = async (store) => {
      const machine = await loaded.restore(store)
      if (process.alive) invariants.installed(id, machine.applied, machine.stateHash())
      return watch(machine)
    }
    return new Replica(
      this.#config,
      { ...loaded, machine: watch(loaded.machine), restore },
      {
        transport: new WatchedTransport(transport, (message) => {
          if (!process.alive) return
          trace.sent(message)
          invariants.sent(message)
        }),
        clock: process.clock,
        logger: SILENT,
        seed: this.#dice.below(2 ** 32),
        clientAddress: clientAddress(id),
        newCore: (options, initial) =>
          new WatchedCore(options, initial, (input, output, view) => {
            if (!process.alive) return
            invariants.stepped(id, input, output, view)
            trace.stepped(id, input, output)
          }),
      },
    )
  }

  /** The process ended by itself: whoever looks after it starts it again in a moment. */
  #ended(process: Process, reason: unknown): void {
    if (!process.alive) return
    const why = reason === undefined || reason instanceof Error ? reason : new Error('it threw no error')
    this.#world.trace.note(this.id, () => (why === undefined ? 'has stopped' : `stops: ${why.message}`))
    this.#die(process, false)
    if (why !== undefined && !isExcusable(why))
      this.#world.broken('nodes stay up', `${this.id} stops: ${why.stack ?? why.message}`)
    this.startIn(this.#dice.between(100, 1500))
  }

  #die(process: Process, power: boolean): void {
    process.kill()
    this.#replica = undefined
    this.disk.crash(power)
    this.#world.network.died(process, power)
    this.#world.invariants.stopped(this.id)
  }
}

/** Disks fail and fill up; nothing else may end a node. */
function isExcusable(why: Error | StopError): boolean {
  if (why instanceof DamagedDataError) return false
  return why instanceof DiskError || why instanceof DiskFullError
}

function configOf({ plan, ids }: World, id: NodeId): NodeConfig {
  return Object.freeze({
    id,
    dataDir: `data of ${id}`,
    listen: clientAddress(id),
    peerListen: peerAddress(id),
    advertise: clientAddress(id),
    peerAdvertise: peerAddress(id),
    peers: new Map(ids.map((other) => [other, peerAddress(other)])),
    clusterName: 'simulated',
    heartbeatMs: plan.heartbeatMs,
    electionMs: plan.electionMs,
    maxKeyBytes: 4096,
    maxValueBytes: MiB,
    maxRequestBytes: 4 * MiB,
    maxWaitingProposals: 1000,
    maxWaitingBytes: 4 * MiB,
    maxUnwrittenBytes: 16 * MiB,
    checkpointIntervalMs: plan.checkpointIntervalMs,
    checkpointBytes: 64 * 1024,
    logTailBytes: plan.logTailBytes,
    logKeepBytes: plan.logKeepBytes,
    cacheBytes: plan.cacheBytes,
    minFreeBytes: 256 * MiB,
    autoCompaction: true,
    ...plan.history,
    scrubIntervalMs: 1,
    scrubBytesPerSecond: 0,
    compareStatesMs: 10_000,
    logLevel: 'silent',
  })
}

/** The simulated network knows of no methods: what brings snapshots has a port of its own. */
function snapshotAddress(peer: string): string {
  return `${peer}1`
}
