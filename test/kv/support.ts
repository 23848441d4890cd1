import assert from 'node:assert/strict'
import { KV_LIMITS, KV_TUNING, type KvLimits, type KvTuning } from '../../src/kv/limits.ts'
import { KvStateMachine } from '../../src/kv/state-machine.ts'
import type {
  ApplyResult,
  Checkpoint,
  CommandResult,
  KeyRecord,
  Operation,
  PastRefusal,
  StateChange,
  StateReader,
} from '../../src/kv/types.ts'
import { EntryKind, type LogEntry } from '../../src/raft/types.ts'
import { encodeCommand, encodeSessionChange, encodeTimeStamp } from '../../src/wire/command.ts'

/** All changes of a checkpoint in their order. */
export function* changesOf({ early, final }: Checkpoint): Iterable<StateChange> {
  yield* early
  yield* final
}

/** A state store in memory: sorted, with pages of three so that paging is met. */
export class MemoryReader implements StateReader {
  readonly records = new Map<string, Uint8Array>()

  get(key: Uint8Array): Uint8Array | undefined {
    return this.records.get(Buffer.from(key).toString('latin1'))
  }

  async *scan(prefix: Uint8Array): AsyncIterable<readonly [Uint8Array, Uint8Array][]> {
    const start = Buffer.from(prefix).toString('latin1')
    const keys = [...this.records.keys()].filter((key) => key.startsWith(start)).sort()
    for (let i = 0; i < keys.length; i += 3) {
      yield keys.slice(i, i + 3).map((key) => [Buffer.from(key, 'latin1'), this.records.get(key)!] as const)
    }
  }

  /** Takes a whole batch; copies, as a real store does. */
  write(changes: Iterable<StateChange>): void {
    for (const [key, value] of [...changes]) {
      const name = Buffer.from(key).toString('latin1')
      if (value === undefined) this.records.delete(name)
      else this.records.set(name, Uint8Array.from(value))
    }
  }

  /** The records under a prefix, in order. */
  under(prefix: string): [Buffer, Uint8Array][] {
    return [...this.records.entries()]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [Buffer.from(key, 'latin1'), value])
  }
}

/** A log that grows at its end: each call makes the next entry. */
export class LogMaker {
  readonly entries: LogEntry[] = []

  add(kind: number, data: Uint8Array = new Uint8Array(0)): LogEntry {
    const index = this.entries.length + 1
    const entry = {
      index,
      term: 1,
      kind: kind as EntryKind,
      data,
      checksum: index * 7,
      encoded: data,
      size: data.length,
    }
    this.entries.push(entry)
    return entry
  }

  command(operation: Operation, session = 0, sequence = 0, firstUnacked = 0): LogEntry {
    return this.add(EntryKind.Command, encodeCommand({ session, sequence, firstUnacked, operation }))
  }

  open(ttlMs = 0): LogEntry {
    return this.add(EntryKind.Session, encodeSessionChange({ type: 'open', ttlMs }))
  }

  close(session: number): LogEntry {
    return this.add(EntryKind.Session, encodeSessionChange({ type: 'close', session }))
  }

  time(ms: number): LogEntry {
    return this.add(EntryKind.Time, encodeTimeStamp(ms))
  }
}

/** A state machine with its log and store. */
export class Replica {
  readonly log = new LogMaker()
  readonly store: MemoryReader
  readonly machine: KvStateMachine

  private constructor(store: MemoryReader, machine: KvStateMachine) {
    this.store = store
    this.machine = machine
  }

  static async create(limits: Partial<KvLimits> = {}, tuning: Partial<KvTuning> = {}): Promise<Replica> {
    const store = new MemoryReader()
    return new Replica(store, await restore(store, limits, tuning))
  }

  run(operation: Operation, session = 0, sequence = 0, firstUnacked = 0): ApplyResult {
    return this.machine.apply(this.log.command(operation, session, sequence, firstUnacked))
  }

  put(key: string, value: string, session = 0, sequence = 0, firstUnacked = 0): ApplyResult {
    return this.run(put(key, value), session, sequence, firstUnacked)
  }

  delete(key: string): CommandResult {
    return succeeded(this.run({ type: 'delete', key: bytes(key) }))
  }

  /** Opens a session and returns its id. */
  open(ttlMs = 0): number {
    return succeeded(this.machine.apply(this.log.open(ttlMs))).session
  }

  time(ms: number): void {
    this.machine.apply(this.log.time(ms))
  }

  /** The value as text; undefined: no such key. */
  value(key: string): string | undefined {
    const record = this.machine.get(bytes(key))
    return record === undefined ? undefined : Buffer.from(record.value).toString()
  }

  /** Freezes, writes and confirms a checkpoint. */
  checkpoint(): void {
    const checkpoint = this.machine.freeze()
    assert.ok(checkpoint, 'there is something to be written')
    this.store.write(changesOf(checkpoint))
    this.machine.checkpointWritten()
  }
}

export function restore(
  store: StateReader,
  limits: Partial<KvLimits> = {},
  tuning: Partial<KvTuning> = {},
): Promise<KvStateMachine> {
  return KvStateMachine.restore(store, { ...KV_LIMITS, ...limits }, { ...KV_TUNING, ...tuning })
}

/** A read at a revision, to its end. */
export function readAt(
  machine: KvStateMachine,
  keys: readonly string[],
  revision: number,
): readonly (KeyRecord | undefined)[] | PastRefusal {
  const read = machine.readAt(keys.map(bytes), revision, 4 * 1024 * 1024)
  for (;;) {
    const found = read.advance(20_000)
    if (found !== undefined) return found
  }
}

export function bytes(text: string): Buffer {
  return Buffer.from(text)
}

export function put(key: string, value: string): Operation {
  return { type: 'put', key: bytes(key), value: bytes(value) }
}

/** The result, which must not be a refusal. */
export function succeeded(result: ApplyResult): CommandResult {
  assert.ok(!('refused' in result), 'refused' in result ? result.message : '')
  return result
}

/** The code of the refusal, which the result must be. */
export function refusal(result: ApplyResult): string {
  assert.ok('refused' in result, 'the entry is refused')
  return result.refused
}
