import { assert } from '../raft/assert.ts'
import { EntryKind, LOG_START, type LogEntry, type LogPosition } from '../raft/types.ts'
import { decodeCommand, decodeSessionChange, decodeTimeStamp } from '../wire/command.ts'
import { Compaction, deletion, freedSpace, takeCompacted } from './compaction.ts'
import { History } from './history.ts'
import { KeySpace } from './key-space.ts'
import { damaged, decodeMeta, encodeMeta, type Meta, META_KEY, Prefix, prefixBytes } from './layout.ts'
import { KV_LIMITS, KV_TUNING, type KvLimits, type KvTuning } from './limits.ts'
import { encodeLine, PackDirectory } from './pack-directory.ts'
import { Packs, PastReading } from './past.ts'
import { compactionTarget, type RetentionPolicy } from './retention.ts'
import { RevisionMarks } from './revision-marks.ts'
import { answerResult } from './session.ts'
import { Sessions, unknownSession } from './sessions.ts'
import { SetHash } from './set-hash.ts'
import { combinedHash } from './state-hash.ts'
import type {
  ApplyResult,
  Checkpoint,
  Command,
  CommandResult,
  KeyRecord,
  PastRead,
  SessionChange,
  StateChange,
  StateMachine,
  StateReader,
} from './types.ts'
import { Writes } from './writes.ts'

/**
 * A committed entry that this version cannot apply: of a kind that it does not know, or not to be decoded. To
 * pass over it would part this replica from the others, so the node stops.
 */
export class InapplicableEntryError extends Error {
  override readonly name = 'InapplicableEntryError'
}

const EMPTY: Meta = Object.freeze({
  applied: LOG_START,
  revision: 0,
  compactedRevision: 0,
  clusterTimeMs: 0,
  presentHash: 0n,
  sessionsHash: 0n,
  historyBytes: 0,
  marks: [],
})

/** What the state machine is made of, as the store has it. */
interface Stored {
  readonly reader: StateReader
  readonly meta: Meta
  readonly sessions: Sessions
  readonly directory: PackDirectory
}

/**
 * The key-value state machine: what a committed entry means. It uses nothing but the entry and its own state,
 * so that every replica that applies the same entries comes to the same state and gives the same answers.
 *
 * What it changes stays in memory until a checkpoint is frozen, written and confirmed; the log is the
 * durability, and after a restart it is applied again from the last checkpoint on.
 */
export class KvStateMachine implements StateMachine {
  readonly #reader: StateReader
  readonly #sessions: Sessions
  readonly #keys: KeySpace
  readonly #history: History
  readonly #directory: PackDirectory
  readonly #packs: Packs
  readonly #marks: RevisionMarks
  readonly #compaction: Compaction
  readonly #presentHash: SetHash
  readonly #writes: Writes
  #applied: LogPosition
  #revision: number
  #clusterTimeMs: number
  /** An apply is under way, or one has thrown: what is in memory may be half an entry. */
  #applying = false
  #frozen: Checkpoint | undefined
  #frozenUpTo: number

  private constructor({ reader, meta, sessions, directory }: Stored, tuning: KvTuning) {
    this.#reader = reader
    this.#sessions = sessions
    this.#keys = new KeySpace(reader, tuning.cacheBytes)
    this.#history = new History(tuning, meta.historyBytes)
    this.#directory = directory
    this.#packs = new Packs(reader, this.#history, directory)
    this.#marks = new RevisionMarks(meta.marks)
    this.#compaction = new Compaction(meta.compactedRevision, this.#marks)
    this.#presentHash = new SetHash(meta.presentHash)
    this.#writes = new Writes(this.#keys, this.#history, this.#presentHash, this.#compaction)
    this.#applied = meta.applied
    this.#revision = meta.revision
    this.#clusterTimeMs = meta.clusterTimeMs
    this.#frozenUpTo = meta.applied.index
  }

  /**
   * The state machine as of the checkpoint that the store holds; of an empty store, one that has applied nothing.
   *
   * @param limits must be the same on every node of the cluster; see KvLimits.
   * @throws DamagedDataError where the store is not what a checkpoint left, as far as that shows without reading
   *   all of it: records that are missing or not to be decoded, sessions that do not have the hash they had,
   *   packs of history that are not in the directory.
   */
  static async restore(
    reader: StateReader,
    limits: KvLimits = KV_LIMITS,
    tuning: KvTuning = KV_TUNING,
  ): Promise<KvStateMachine> {
    const stored = reader.get(META_KEY)
    if (stored === undefined) await assertEmpty(reader)
    const meta = stored === undefined ? EMPTY : decodeMeta(stored)
    const sessions = await Sessions.restore(reader, limits)
    if (sessions.hash !== meta.sessionsHash)
      throw damaged(META_KEY, 'the sessions do not have the hash it names')
    const directory = await PackDirectory.restore(reader, meta)
    return new KvStateMachine({ reader, meta, sessions, directory }, tuning)
  }

  get applied(): LogPosition {
    return this.#applied
  }

  get revision(): number {
    return this.#revision
  }

  get compactedRevision(): number {
    return this.#compaction.revision
  }

  get clusterTimeMs(): number {
    return this.#clusterTimeMs
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  get unwrittenBytes(): number {
    const dirty = this.#keys.dirtyBytes + this.#history.bytes + this.#sessions.dirtyBytes
    return dirty + (this.#frozen?.bytes ?? 0)
  }

  get unwrittenMemoryBytes(): number {
    return this.unwrittenBytes + this.#keys.unwrittenOverhead
  }

  stateHash(): string {
    return combinedHash(this.#presentHash.value, this.#sessions.hash, this)
  }

  get(key: Uint8Array): KeyRecord | undefined {
    const record = this.#keys.read(key)
    return record === undefined || record.isTombstone ? undefined : record.toKeyRecord()
  }

  readAt(keys: readonly Uint8Array[], revision: number, maxBytes: number): PastRead {
    return new PastReading(this, this.#keys, this.#packs, keys, revision, maxBytes)
  }

  compactionTarget(policy: RetentionPolicy): number | undefined {
    const { revision, clusterTimeMs } = this
    const historyBytes = this.#history.totalBytes
    const target = compactionTarget(policy, { revision, clusterTimeMs, historyBytes, marks: this.#marks })
    return target > this.compactedRevision ? target : undefined
  }

  /**
   * Applies the next committed entry.
   *
   * @throws InapplicableEntryError where this version cannot apply it, DamagedDataError where what it needs of the
   *   store is damaged, InvariantViolation where it is not the next one. Then the node must stop, and the state
   *   machine makes no more checkpoints.
   */
  apply(entry: LogEntry): ApplyResult {
    const applied = this.#applied
    assert(!this.#applying, 'an entry is applied only after the one before it was')
    assert(entry.index === applied.index + 1, `entry ${entry.index} is applied right after ${applied.index}`)
    assert(entry.term >= applied.term, `the term does not go back at entry ${entry.index}`)
    this.#applying = true
    const result = this.#applyKind(entry)
    this.#applied = { index: entry.index, term: entry.term, checksum: entry.checksum }
    this.#applying = false
    return result
  }

  #applyKind(entry: LogEntry): ApplyResult {
    switch (entry.kind) {
      case EntryKind.NoOp:
        return this.#done()
      case EntryKind.Command:
        return this.#applyCommand(decoded(entry, decodeCommand))
      case EntryKind.Session:
        return this.#applySession(decoded(entry, decodeSessionChange), entry.index)
      case EntryKind.Time:
        return this.#applyTime(decoded(entry, decodeTimeStamp))
      default:
        throw new InapplicableEntryError(
          `entry ${entry.index} is of kind ${entry.kind}, which this version of Balsa does not know. ` +
            'Start this node with a version that does',
        )
    }
  }

  #applyCommand(command: Command): ApplyResult {
    if (command.session === 0) return this.#applyOperation(command)
    const admission = this.#sessions.admit(command, this.#clusterTimeMs)
    if (admission.outcome === 'refuse') return admission.refusal
    if (admission.outcome === 'duplicate') return answerResult(admission.answer)
    const result = this.#writes.apply(command.operation, this.#revision)
    if (typeof result === 'string') return { refused: 'INVALID_ARGUMENT', message: result }
    this.#revision = result.revision
    const { revision, succeeded, current } = result
    const answer = { sequence: command.sequence, revision, succeeded, current: current?.detached() }
    this.#sessions.keep(admission.session, answer)
    return answerResult(answer)
  }

  #applyOperation(command: Command): ApplyResult {
    const result = this.#writes.apply(command.operation, this.#revision)
    if (typeof result === 'string') return { refused: 'INVALID_ARGUMENT', message: result }
    const { revision, succeeded, current } = result
    this.#revision = revision
    return { revision, succeeded, current: current?.toKeyEntry(), session: 0 }
  }

  #applySession(change: SessionChange, index: number): ApplyResult {
    if (change.type === 'open') {
      this.#sessions.open(index, change.ttlMs)
      return { ...this.#done(), session: index }
    }
    if (this.#sessions.close(change.session)) return this.#done()
    return { refused: 'SESSION_EXPIRED', message: unknownSession(change.session) }
  }

  #applyTime(clusterTimeMs: number): ApplyResult {
    if (clusterTimeMs > this.#clusterTimeMs) {
      this.#clusterTimeMs = clusterTimeMs
      this.#sessions.passTime(clusterTimeMs)
      this.#marks.add({ clusterTimeMs, revision: this.#revision, historyBytes: this.#history.totalBytes })
    }
    return this.#done()
  }

  #done(): CommandResult {
    return { revision: this.#revision, succeeded: true, current: undefined, session: 0 }
  }

  freeze(): Checkpoint | undefined {
    assert(!this.#applying, 'a checkpoint holds whole entries')
    if (this.#frozen !== undefined || this.#applied.index === this.#frozenUpTo) return undefined
    const meta = encodeMeta({
      applied: this.#applied,
      revision: this.#revision,
      compactedRevision: this.compactedRevision,
      clusterTimeMs: this.#clusterTimeMs,
      presentHash: this.#presentHash.value,
      sessionsHash: this.#sessions.hash,
      historyBytes: this.#history.totalBytes,
      marks: this.#marks.list,
    })
    const bytes = this.unwrittenBytes + meta.length
    const records = this.#keys.freeze()
    const packs = this.#history.freeze()
    const sessions = this.#sessions.freeze()
    const { compactedRevision } = this
    const gone = takeCompacted(this.#directory, compactedRevision, {
      packs: packs.length,
      records: records.size,
    })
    const deleted = deletion(gone, compactedRevision, this.#reader, this.#keys)
    function* early(): Iterable<StateChange> {
      for (const pack of packs) {
        yield pack.encoded
        yield encodeLine(pack)
      }
      yield* records.changes()
    }
    function* final(): Iterable<StateChange> {
      yield* deleted
      yield* sessions
      yield [META_KEY, meta]
    }
    this.#frozen = { upTo: this.#applied, early: early(), final: final(), bytes, freed: freedSpace(gone) }
    this.#frozenUpTo = this.#applied.index
    return this.#frozen
  }

  checkpointWritten(): void {
    assert(this.#frozen !== undefined, 'a checkpoint was frozen before it was written')
    this.#frozen = undefined
    this.#keys.thaw()
    this.#directory.add(this.#history.thaw())
  }
}

function decoded<T>(entry: LogEntry, decode: (data: Uint8Array) => T): T {
  try {
    return decode(entry.data)
  } catch (error) {
    throw new InapplicableEntryError(`entry ${entry.index} cannot be decoded by this version of Balsa`, {
      cause: error,
    })
  }
}

/** A store without the record about it all must hold nothing else: the two are written together. */
async function assertEmpty(reader: StateReader): Promise<void> {
  for (const prefix of [Prefix.Key, Prefix.History, Prefix.Directory, Prefix.Session, Prefix.Lease]) {
    for await (const page of reader.scan(prefixBytes(prefix))) {
      if (page.length > 0) throw damaged(META_KEY, 'it is missing, but there are other records')
    }
  }
}
