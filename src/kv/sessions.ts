import { numberedKey, Prefix, prefixBytes } from './layout.ts'
import type { KvLimits } from './limits.ts'
import {
  type Answer,
  answerBytes,
  decodeSession,
  encodeSession,
  Session,
  SINCE_LAST_STAMP,
} from './session.ts'
import { SetHash } from './set-hash.ts'
import type { Command, CommandRefusal, StateChange, StateReader } from './types.ts'

/** What becomes of a command that names a session. */
export type Admission =
  | { readonly outcome: 'apply'; readonly session: Session }
  | { readonly outcome: 'duplicate'; readonly answer: Answer }
  | { readonly outcome: 'refuse'; readonly refusal: CommandRefusal }

/** About what a session takes in a checkpoint beside its answers. */
const SESSION_BYTES = 64

/**
 * All sessions, and with them exactly-once (§6.3): a command that a client repeats gets the answer that its
 * first try got, and is not applied again. An answer is kept from the client's `firstUnacked` on. Where it
 * cannot be known any more whether a command was applied, it is refused and never applied a second time.
 */
export class Sessions {
  readonly #limits: KvLimits
  readonly #hash = new SetHash()
  /** By id, and in the order of ids: each is opened under a higher one. */
  readonly #sessions = new Map<number, Session>()
  /** Ids of those that have changed, opened or gone since the last checkpoint was frozen. */
  #dirty = new Set<number>()
  /** What the checkpoint that is being written has still to take; encoded where it has changed since. */
  #frozen = new Map<number, Session | StateChange>()
  #bytes = 0
  /** Of all answers, those of sessions that are dirty: a session is written with all that it has. */
  #dirtyAnswerBytes = 0

  constructor(limits: KvLimits) {
    this.#limits = limits
  }

  /** Reads all sessions of the store. Throws a DamagedDataError where one is not what was written. */
  static async restore(reader: StateReader, limits: KvLimits): Promise<Sessions> {
    const sessions = new Sessions(limits)
    for await (const page of reader.scan(prefixBytes(Prefix.Session))) {
      for (const [storeKey, record] of page) sessions.#add(decodeSession(storeKey, record))
    }
    return sessions
  }

  get size(): number {
    return this.#sessions.size
  }

  /** The set hash over all sessions and answers. */
  get hash(): bigint {
    return this.#hash.value
  }

  /** About how many bytes the next checkpoint will write of them. */
  get dirtyBytes(): number {
    return this.#dirty.size * SESSION_BYTES + this.#dirtyAnswerBytes
  }

  /**
   * Opens a session under `id`. Where there are as many as may be, the one goes that was active least recently,
   * of several the oldest.
   */
  open(id: number, ttlMs: number): void {
    const { maxSessions, defaultSessionTtlMs, minSessionTtlMs, maxSessionTtlMs } = this.#limits
    if (this.#sessions.size >= maxSessions) this.#remove(this.#leastRecentlyActive())
    const wanted = ttlMs === 0 ? defaultSessionTtlMs : ttlMs
    this.#dirty.add(id)
    this.#add(new Session(id, Math.min(Math.max(wanted, minSessionTtlMs), maxSessionTtlMs)))
  }

  /** Closes a session. Returns whether there was one. */
  close(id: number): boolean {
    const session = this.#sessions.get(id)
    if (session !== undefined) this.#remove(session)
    return session !== undefined
  }

  /**
   * Takes note of a new time stamp. Whoever was active since the one before counts as active at this one: it was at some
   * moment between the two, which may be far apart, and to take the earlier one would be to count time as idle in which
   * it was not. Then closes the sessions that have been idle for longer than they may, in the order of their ids.
   */
  passTime(clusterTimeMs: number): void {
    for (const session of this.#sessions.values()) {
      if (session.lastActiveMs === SINCE_LAST_STAMP) this.#noteStamp(session, clusterTimeMs)
      else if (clusterTimeMs - session.lastActiveMs > session.ttlMs) this.#remove(session)
    }
  }

  /**
   * Decides what becomes of a command of a session, and takes note of what the client has acknowledged. Of a
   * command that is to be applied, the answer must be handed to `keep`.
   */
  admit(command: Command, clusterTimeMs: number): Admission {
    const { sequence, firstUnacked } = command
    const session = this.#sessions.get(command.session)
    if (session === undefined) return refuse('SESSION_EXPIRED', unknownSession(command.session))
    if (sequence < 1 || firstUnacked > sequence) {
      return refuse(
        'INVALID_ARGUMENT',
        `in a session, a write has a sequence number from 1 on that is not below firstUnacked; ` +
          `this one has ${sequence}, with ${firstUnacked}`,
      )
    }
    this.#note(session, firstUnacked)
    if (sequence < session.firstUnacked) {
      return refuse(
        'SESSION_EXPIRED',
        `session ${session.id} has acknowledged all below ${session.firstUnacked}: ` +
          `what write ${sequence} did is not known any more`,
      )
    }
    const answer = session.answer(sequence)
    if (answer !== undefined) return { outcome: 'duplicate', answer }
    const full = this.#full(session, clusterTimeMs)
    if (full !== undefined) return refuse('RESOURCE_EXHAUSTED', full)
    return { outcome: 'apply', session }
  }

  /** Keeps the answer to a command that was admitted and applied. */
  keep(session: Session, answer: Answer): void {
    session.keep(answer)
    session.addAnswerTo(this.#hash, answer)
    this.#count(answerBytes(answer))
  }

  #full(session: Session, clusterTimeMs: number): string | undefined {
    const { maxAnswersPerSession, maxAnswerBytesPerSession } = this.#limits
    if (session.answerCount >= maxAnswersPerSession)
      return `session ${session.id} has ${session.answerCount} writes that are not acknowledged`
    if (session.bytes >= maxAnswerBytesPerSession)
      return `session ${session.id} has ${session.bytes} bytes of answers that are not acknowledged`
    if (!this.#makeRoom(clusterTimeMs))
      return `all sessions have ${this.#bytes} bytes of answers that are not acknowledged`
    return undefined
  }

  /**
   * Sees to it that all sessions together have room for one more answer: those go that hold some and have been idle for
   * longest, over at least two time stamps. One that is in use stays, for its client may be about to repeat a write.
   */
  #makeRoom(clusterTimeMs: number): boolean {
    const { maxAnswerBytes, minSessionTtlMs } = this.#limits
    while (this.#bytes >= maxAnswerBytes) {
      const idle = this.#longestIdle(clusterTimeMs - minSessionTtlMs)
      if (idle === undefined) return false
      this.#remove(idle)
    }
    return true
  }

  #note(session: Session, firstUnacked: number): void {
    this.#touch(session)
    // Mostly nothing changes: a client acknowledges once for all the writes that it sends together.
    if (session.lastActiveMs === SINCE_LAST_STAMP && firstUnacked <= session.firstUnacked) return
    session.subtractFrom(this.#hash)
    session.lastActiveMs = SINCE_LAST_STAMP
    for (const answer of session.acknowledge(firstUnacked)) {
      session.subtractAnswerFrom(this.#hash, answer)
      this.#count(-answerBytes(answer))
    }
    session.addTo(this.#hash)
  }

  #noteStamp(session: Session, clusterTimeMs: number): void {
    this.#touch(session)
    session.subtractFrom(this.#hash)
    session.lastActiveMs = clusterTimeMs
    session.addTo(this.#hash)
  }

  /** A session is about to change: the checkpoint that is being written must have it as it is now. */
  #touch(session: Session): void {
    const { size } = this.#dirty
    this.#dirty.add(session.id)
    if (this.#dirty.size > size) this.#dirtyAnswerBytes += session.bytes
    if (this.#frozen.get(session.id) === session) this.#frozen.set(session.id, encodeSession(session))
  }

  #add(session: Session): void {
    this.#sessions.set(session.id, session)
    session.addTo(this.#hash)
    for (const answer of session.answers()) session.addAnswerTo(this.#hash, answer)
    this.#bytes += session.bytes
  }

  #remove(session: Session): void {
    this.#touch(session)
    this.#sessions.delete(session.id)
    session.subtractFrom(this.#hash)
    for (const answer of session.answers()) session.subtractAnswerFrom(this.#hash, answer)
    this.#count(-session.bytes)
  }

  /** Of a session that is dirty. */
  #count(answerBytes: number): void {
    this.#bytes += answerBytes
    this.#dirtyAnswerBytes += answerBytes
  }

  /** Of those that hold answers and have not been active after `since`; of several the oldest. */
  #longestIdle(since: number): Session | undefined {
    let longest: Session | undefined
    for (const session of this.#sessions.values()) {
      if (session.answerCount === 0 || session.lastActiveMs > since) continue
      if (longest === undefined || session.lastActiveMs < longest.lastActiveMs) longest = session
    }
    return longest
  }

  #leastRecentlyActive(): Session {
    const [first, ...rest] = this.#sessions.values()
    return rest.reduce((least, one) => (one.lastActiveMs < least.lastActiveMs ? one : least), first!)
  }

  /**
   * The sessions that have changed since the last call, each as it is at this moment, and the keys of those that
   * are gone. May be iterated once, while others change.
   */
  freeze(): Iterable<StateChange> {
    const frozen = new Map<number, Session | StateChange>()
    for (const id of this.#dirty) {
      frozen.set(id, this.#sessions.get(id) ?? [numberedKey(Prefix.Session, id), undefined])
    }
    this.#dirty = new Set()
    this.#dirtyAnswerBytes = 0
    this.#frozen = frozen
    return takeAll(frozen)
  }
}

function* takeAll(frozen: Map<number, Session | StateChange>): Iterable<StateChange> {
  for (const [id, taken] of frozen) {
    frozen.delete(id)
    yield taken instanceof Session ? encodeSession(taken) : taken
  }
}

function refuse(refused: CommandRefusal['refused'], message: string): Admission {
  return { outcome: 'refuse', refusal: { refused, message } }
}

/** The words for a session that is not there. */
export function unknownSession(id: number): string {
  return `session ${id} is not known: it was closed, has expired, or was never opened`
}
