import { RaftNode } from '../../../src/raft/node.ts'
import { EntryKind, LOG_START } from '../../../src/raft/types.ts'
import { Disk } from './disk.ts'
import type { ModelSnapshot } from './disk.ts'
import { textOf } from './entries.ts'
import type { NodeView } from '../../../src/raft/node.ts'
import type { RaftOptions } from '../../../src/raft/state.ts'
import type {
  Fetch,
  Input,
  LogEntry,
  LogIndex,
  Message,
  NodeId,
  Output,
  Proposal,
  SnapshotRequest,
  Write,
} from '../../../src/raft/types.ts'

/** Who wants to know what a server does. */
export interface ServerObserver {
  /** A message leaves the server. */
  send(message: Message): void
  /** The server took a step; `server` shows how it stands after it. */
  stepped?(server: ModelServer, input: Input, output: Output): void
  persisted?(server: ModelServer, writes: readonly Write[]): void
  /** The state machine was replaced by a snapshot's. */
  installed?(server: ModelServer): void
  /** The state machine took this entry. */
  applied?(server: ModelServer, entry: LogEntry): void
}

/**
 * A server of the model: a RaftNode with a driver whose every delay is under the test's control. What is
 * `auto` happens by itself after each step; what is not waits to be called.
 */
export class ModelServer {
  readonly id: NodeId
  readonly options: RaftOptions
  readonly disk = new Disk()
  readonly auto = { persist: true, apply: true, fetch: true }
  /** The log as the node believes it to be: what is on disk with all writes on their way. */
  log: LogEntry[] = []
  pendingWrites: Write[] = []
  pendingFetches: Fetch[] = []
  pendingApply: LogEntry[] = []
  pendingSnapshots: SnapshotRequest[] = []
  /** A snapshot counts, and the state machine is still the one before it. */
  pendingInstall = false
  /** The state machine, and the last entry that it took. */
  values = new Map<string, string>()
  machineIndex: LogIndex = 0
  /** Reads that were served and refused, by id. */
  served: number[] = []
  refused: number[] = []
  readonly #observer: ServerObserver
  #held: { after: number; messages: readonly Message[] }[] = []
  #lastWriteId = 0
  #directories = 0
  #node: RaftNode | undefined
  #settling = false

  constructor(options: RaftOptions, observer: ServerObserver) {
    this.id = options.id
    this.options = options
    this.#observer = observer
  }

  get up(): boolean {
    return this.#node !== undefined
  }

  get view(): NodeView {
    return this.#running().view()
  }

  /** Messages that wait until what they promise is on disk. */
  get held(): readonly Message[] {
    return this.#held.flatMap(({ messages }) => messages)
  }

  /** Starts from what is on disk, with the last `tail` entries in memory. */
  start(tail?: number): this {
    this.#node = new RaftNode(this.options, this.disk.load(tail))
    this.log = [...this.disk.entries]
    this.values = new Map(this.disk.checkpoint.values)
    this.machineIndex = this.disk.checkpoint.applied
    this.#lastWriteId = 0
    return this
  }

  /** Loses everything but the disk, which the first `reachedDisk` waiting writes still reach. */
  crash(reachedDisk = 0): void {
    for (const write of this.pendingWrites.slice(0, reachedDisk)) this.disk.store(write)
    this.#node = undefined
    this.pendingWrites = []
    this.pendingFetches = []
    this.pendingApply = []
    this.pendingSnapshots = []
    this.pendingInstall = false
    this.disk.received.clear()
    this.#held = []
  }

  step(input: Input): Output {
    const output = this.#running().step(input)
    if (output.write !== undefined) {
      this.log = this.disk.changed(this.log, output.write)
      this.#lastWriteId = output.write.id
      this.pendingWrites.push(output.write)
    }
    this.pendingFetches.push(...output.fetches)
    this.pendingApply.push(...output.apply)
    this.pendingSnapshots.push(...output.snapshots)
    if (output.install !== undefined) this.pendingInstall = true
    this.served.push(...output.reads)
    this.refused.push(...output.refusedReads)
    this.#observer.stepped?.(this, input, output)
    for (const message of output.messages) this.#observer.send(message)
    if (output.messagesAfterWrite.length > 0) {
      this.#held.push({ after: this.#lastWriteId, messages: output.messagesAfterWrite })
      this.#release()
    }
    this.settle()
    return output
  }

  tick(times = 1): void {
    for (let i = 0; i < times; i++) this.step({ type: 'tick' })
  }

  receive(message: Message): Output {
    return this.step({ type: 'message', message })
  }

  propose(...proposals: Proposal[]): Output['proposed'] {
    return this.step({ type: 'propose', proposals }).proposed
  }

  /** Does what is automatic, until nothing is left of it. */
  settle(): void {
    if (this.#settling) return
    this.#settling = true
    try {
      for (;;) {
        if (this.auto.persist && this.pendingWrites.length > 0) this.persist()
        else if (this.auto.apply && this.pendingInstall) this.install()
        else if (this.auto.apply && this.pendingApply.length > 0) this.apply()
        else if (this.auto.fetch && this.pendingFetches.length > 0) this.answerFetch()
        else return
      }
    } finally {
      this.#settling = false
    }
  }

  /** The first `count` waiting writes reach the disk; what was held for them is sent, and the node is told. */
  persist(count = this.pendingWrites.length): void {
    const writes = this.pendingWrites.splice(0, count)
    if (writes.length === 0) return
    for (const write of writes) this.disk.store(write)
    this.#observer.persisted?.(this, writes)
    this.#release()
    this.step({ type: 'persisted', writeId: writes.at(-1)!.id })
  }

  /** The state machine takes the first `count` entries that wait for it. */
  apply(count = this.pendingApply.length): void {
    const entries = this.pendingApply.splice(0, count)
    if (entries.length === 0) return
    for (const entry of entries) this.#applyEntry(entry)
    this.step({ type: 'applied', upTo: entries.at(-1)!.index })
  }

  /** Reads from disk what the oldest waiting fetch asks for. */
  answerFetch(): void {
    const fetch = this.pendingFetches.shift()
    if (fetch === undefined) return
    const entries: LogEntry[] = []
    let bytes = 0
    // Cut, or truncated, since it was asked.
    if (fetch.from <= this.disk.boundary.index || fetch.from > this.disk.entries.length) {
      this.step({ type: 'fetched', fetch, previous: LOG_START, entries })
      return
    }
    for (const entry of this.disk.entries.slice(fetch.from - 1, fetch.upTo)) {
      bytes += entry.size
      if (entries.length > 0 && bytes > fetch.maxBytes) break
      entries.push(entry)
    }
    this.step({ type: 'fetched', fetch, previous: this.disk.positionAt(fetch.from - 1), entries })
  }

  /** Puts the state machine on disk as it is. */
  checkpoint(): void {
    // A snapshot that counts has taken the place of what this state machine would write.
    if (this.disk.checkpoint.applied > this.machineIndex) return
    this.disk.checkpoint = { applied: this.machineIndex, values: new Map(this.values) }
  }

  /** Cuts the log behind `index`, which the checkpoint on disk holds. */
  compact(index = this.disk.checkpoint.applied): void {
    if (index <= this.disk.boundary.index || this.view.firstIndex > index || this.machineIndex < index) return
    const upTo = this.disk.positionAt(index)
    this.step({ type: 'compact', upTo })
    this.disk.boundary = upTo
  }

  /** Its checkpoint, to be sent for the oldest request that waits. */
  takeSnapshot(): { request: SnapshotRequest; snapshot: ModelSnapshot } | undefined {
    const request = this.pendingSnapshots.shift()
    if (request === undefined) return undefined
    const { checkpoint, entries } = this.disk
    const position = this.disk.positionAt(checkpoint.applied)
    const before = entries.slice(0, checkpoint.applied)
    return {
      request,
      snapshot: { from: this.id, term: request.term, position, checkpoint, entries: before },
    }
  }

  /** A snapshot has arrived: it is on disk, beside the state in force. */
  receiveSnapshot(snapshot: ModelSnapshot): Output {
    const directory = `state-${++this.#directories}`
    this.disk.received.set(directory, snapshot)
    const { from, term, position } = snapshot
    return this.step({ type: 'snapshotReceived', snapshot: { from, term, position, directory } })
  }

  /** Puts the state that the disk has in the state machine's place. */
  install(): void {
    const { applied, values } = this.disk.checkpoint
    this.pendingInstall = false
    this.pendingApply = []
    this.values = new Map(values)
    this.machineIndex = applied
    this.#observer.installed?.(this)
    this.step({ type: 'applied', upTo: applied })
  }

  #applyEntry(entry: LogEntry): void {
    this.machineIndex = entry.index
    applyTo(this.values, entry)
    this.#observer.applied?.(this, entry)
  }

  /** Sends what waited for writes that are now on disk. */
  #release(): void {
    const oldestWaiting = this.pendingWrites[0]?.id ?? Infinity
    while (this.#held.length > 0 && this.#held[0]!.after < oldestWaiting) {
      for (const message of this.#held.shift()!.messages) this.#observer.send(message)
    }
  }

  #running(): RaftNode {
    if (this.#node === undefined) throw new Error(`${this.id} is down`)
    return this.#node
  }
}

/** What a command does to the state machine's values. */
export function applyTo(values: Map<string, string>, entry: LogEntry): void {
  const [verb, key, value] = entry.kind === EntryKind.Command ? textOf(entry).split(' ') : []
  if (verb === 'set') values.set(key!, value!)
  if (verb === 'delete') values.delete(key!)
}
