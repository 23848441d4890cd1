import assert from 'node:assert/strict'
import { KvStateMachine } from '../../../src/kv/state-machine.ts'
import type { StateMachine } from '../../../src/kv/types.ts'
import { RaftNode } from '../../../src/raft/node.ts'
import { EntryKind } from '../../../src/raft/types.ts'
import type { Message, NodeId, RoleStatus, Write } from '../../../src/raft/types.ts'
import type { ReadCall, WriteCall } from '../../../src/server/calls.ts'
import { Checkpointer } from '../../../src/server/checkpointer.ts'
import { Driver } from '../../../src/server/driver.ts'
import type { DriverSettings } from '../../../src/server/driver-parts.ts'
import type { StopError } from '../../../src/errors.ts'
import { MemoryLogStore } from '../../../src/storage/memory-log-store.ts'
import { MemoryStateStore } from '../../../src/storage/memory-state-store.ts'
import { encodeCommand } from '../../../src/wire/command.ts'
import type { CommandResult } from '../../../src/wire/types.ts'
import { sealEntries } from '../../../src/wire/entry.ts'
import type { ErrorDetail } from '../../../src/wire/error-detail.ts'
import { ManualClock } from '../../client/manual-clock.ts'

export const TICK_MS = 10

const SETTINGS: DriverSettings = {
  tickMs: TICK_MS,
  maxWaitingProposals: 100,
  maxWaitingBytes: 1024 * 1024,
  maxUnwrittenBytes: 64 * 1024 * 1024,
  logKeepBytes: 64 * 1024 * 1024,
}

/** A log in memory whose appends wait until the test lets them through, where it says so. */
class GatedLog extends MemoryLogStore {
  /** What was appended, by append. */
  readonly appends: (readonly Write[])[] = []
  held = false
  #release: ((error?: Error) => void) | undefined

  get waiting(): boolean {
    return this.#release !== undefined
  }

  override async append(writes: readonly Write[]): Promise<void> {
    this.appends.push(writes)
    if (this.held) {
      await new Promise<void>((resolve, reject) => {
        this.#release = (error) => (error === undefined ? resolve() : reject(error))
      })
    }
    await super.append(writes)
  }

  release(error?: Error): void {
    assert.ok(this.#release, 'no append is under way')
    const release = this.#release
    this.#release = undefined
    release(error)
  }
}

/** Disk space as a test says it is. */
class TestGuard {
  lowSpaceBytes: number | undefined
  refused: ErrorDetail | undefined
  readonly reports: [NodeId, number | undefined][] = []

  peerReported(id: NodeId, lowSpaceBytes: number | undefined): void {
    this.reports.push([id, lowSpaceBytes])
  }

  refusal(): ErrorDetail | undefined {
    return this.refused
  }
}

/** A write and what became of it. */
export class RecordedWrite implements WriteCall {
  readonly kind = EntryKind.Command
  readonly data: Uint8Array
  readonly takesSpace: boolean
  readonly answers: (CommandResult | ErrorDetail)[] = []

  constructor(key: string, value: string | Uint8Array = 'v', takesSpace = true) {
    this.takesSpace = takesSpace
    const operation = { type: 'put', key: Buffer.from(key), value: Buffer.from(value) } as const
    this.data = encodeCommand({ session: 0, sequence: 0, firstUnacked: 0, operation })
  }

  succeed(result: CommandResult): void {
    this.answers.push(result)
  }

  fail(detail: ErrorDetail): void {
    this.answers.push(detail)
  }

  /** How it failed; undefined where it has no answer yet. Fails where it succeeded, or was answered twice. */
  get failure(): ErrorDetail | undefined {
    assert.ok(this.answers.length <= 1, 'answered more than once')
    const [answer] = this.answers
    if (answer === undefined) return undefined
    assert.ok('code' in answer, 'it succeeded')
    return answer
  }

  get succeeded(): boolean {
    assert.ok(this.answers.length <= 1, 'answered more than once')
    return this.answers.length === 1 && 'revision' in this.answers[0]!
  }
}

/** A read and what became of it. */
export class RecordedRead implements ReadCall {
  readonly answers: (string | undefined | ErrorDetail)[] = []
  readonly #key: string
  readonly #error: Error | undefined

  /** @param error what reading the state fails with */
  constructor(key: string, error?: Error) {
    this.#key = key
    this.#error = error
  }

  serve(machine: StateMachine): void {
    if (this.#error !== undefined) throw this.#error
    const record = machine.get(Buffer.from(this.#key))
    this.answers.push(record === undefined ? undefined : Buffer.from(record.value).toString())
  }

  fail(detail: ErrorDetail): void {
    this.answers.push(detail)
  }

  /** The code that it failed with. */
  get code(): string | undefined {
    const [answer] = this.answers
    return typeof answer === 'object' ? answer.code : undefined
  }
}

/** A driver whose log, state, network and clock are the test's. */
export class Driven {
  readonly clock = new ManualClock()
  readonly log = new GatedLog()
  readonly #sent: Message[] = []
  readonly statuses: RoleStatus[] = []
  readonly failures: StopError[] = []
  readonly #raft: RaftNode
  readonly driver: Driver
  readonly machine: StateMachine
  /** Where a leader's history is to be compacted to, as a test says it is. */
  compactTo: number | undefined
  /** The driver's view of disk space, and what peers have reported. */
  readonly guard = new TestGuard()

  private constructor(
    voters: readonly NodeId[],
    machine: StateMachine,
    store: MemoryStateStore,
    settings: object,
  ) {
    this.machine = machine
    this.#raft = new RaftNode(
      {
        id: 'n1',
        membership: { voters, outgoing: [], learners: [] },
        electionTicks: 10,
        heartbeatTicks: 2,
        maxAppendBytes: 1024,
        maxInFlightBytes: 1024 * 1024,
        maxInFlightEntries: 1000,
        maxTailBytes: 1024 * 1024,
        maxApplyBytes: 1024,
        seed: 1,
        seal: sealEntries,
      },
      {
        hardState: { currentTerm: 0, votedFor: undefined },
        log: {
          boundary: { index: 0, term: 0, checksum: 0 },
          termStarts: [],
          tail: [],
          tailPrevious: { index: 0, term: 0, checksum: 0 },
        },
        applied: 0,
      },
    )
    const limits = { checkpointIntervalMs: 1000, checkpointBytes: 1024 * 1024 }
    this.driver = new Driver(
      {
        raft: this.#raft,
        log: this.log,
        machine,
        checkpointer: new Checkpointer(machine, store, this.clock, limits),
        transport: {
          start: async () => {},
          send: (messages) => void this.#sent.push(...messages),
          sendSnapshot: () => ({ done: Promise.resolve(false), cancel: () => {} }),
          close: async () => {},
        },
        clock: this.clock,
        leaderLookup: (id) => `${id}:7001`,
        snapshots: {
          send: async () => undefined,
          cancel: () => {},
          heldIndex: Infinity,
          install: async () => {},
        },
        compaction: { due: () => this.compactTo },
        spaceGuard: this.guard,
      },
      { ...SETTINGS, ...settings },
      {
        changed: (status) => void this.statuses.push(status),
        failed: (error) => void this.failures.push(error),
      },
    )
    this.driver.start()
  }

  /** A driver of n1, by default of a cluster of one. */
  static async create(
    voters: readonly NodeId[] = ['n1'],
    settings: Partial<DriverSettings> = {},
  ): Promise<Driven> {
    const store = new MemoryStateStore()
    await store.open()
    const driven = new Driven(voters, await KvStateMachine.restore(store), store, settings)
    await driven.log.open({ tailBytes: 0, anchorIndex: 0 })
    return driven
  }

  /** The same, once it leads and has applied its first commit. */
  static async leading(voters?: readonly NodeId[], settings?: Partial<DriverSettings>): Promise<Driven> {
    const driven = await Driven.create(voters, settings)
    for (let i = 0; i < 40 && driven.#raft.view().lastApplied === 0; i++) {
      await driven.clock.advance(TICK_MS)
      await driven.#agree()
    }
    assert.equal(driven.driver.status.role, 'leader')
    assert.equal(driven.#raft.view().lastApplied, 1)
    driven.takeSent()
    return driven
  }

  /** What n1 has sent since this was asked last. */
  takeSent(): Message[] {
    return this.#sent.splice(0)
  }

  async receive(...messages: Message[]): Promise<void> {
    this.driver.receive(messages)
    await this.clock.settle()
  }

  /** Another node leads a later term. */
  async depose(): Promise<void> {
    const term = this.driver.status.term + 1
    await this.receive({ type: 'heartbeat', from: 'n2', to: 'n1', term, leaderCommit: 0, readContext: 0 })
  }

  /** n2 grants and takes whatever n1 sends. */
  async #agree(): Promise<void> {
    for (let sent = this.takeSent(); sent.length > 0; sent = this.takeSent()) {
      for (const message of sent) {
        const { to, term, type } = message
        const reply = { from: 'n2', to: 'n1', term }
        if (to !== 'n2') continue
        if (type === 'preVote' || type === 'vote') {
          await this.receive({ ...reply, type: `${type}Reply`, granted: true })
        } else if (type === 'append') {
          const matchIndex = message.prevLogIndex + message.entries.length
          const agreed = { success: true, matchIndex, conflictIndex: 0, conflictTerm: 0 }
          await this.receive({ ...reply, type: 'appendReply', ...agreed })
        }
      }
    }
  }
}
