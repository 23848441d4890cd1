import { type Reader, Writer } from '../wire/protobuf.ts'
import { damaged, keyNumber, numberedKey, openRecord, Prefix, sealedRecord } from './layout.ts'
import { nameOf, StoredRecord } from './record.ts'
import { ElementKind, type SetHash } from './set-hash.ts'
import type { CommandResult, StateChange } from './types.ts'

/** The answer to a command of a session, kept until the client has acknowledged it. */
export interface Answer {
  readonly sequence: number
  readonly revision: number
  readonly succeeded: boolean
  /** Of a compare-and-swap that did not succeed: what was there. */
  readonly current: StoredRecord | undefined
}

/** What an answer counts beside the record that it holds. */
const ANSWER_BYTES = 64

/** About how many bytes an answer takes in memory: what the limits are measured in. */
export function answerBytes(answer: Answer): number {
  return ANSWER_BYTES + (answer.current?.size ?? 0)
}

/** The answer as the client gets it. */
export function answerResult({ revision, succeeded, current }: Answer): CommandResult {
  return { revision, succeeded, current: current?.toKeyEntry(), session: 0 }
}

/**
 * In the place of a time: since the last time stamp. When exactly, nobody can say: the next stamp may be far off, and
 * only it bounds the moment from above. Later than every time, so that whoever is in use counts as the most recent.
 */
export const SINCE_LAST_STAMP = Number.MAX_SAFE_INTEGER

/** A client's session (§6.3), with what exactly-once needs to know. */
export class Session {
  /** The index of the entry that opened it. */
  readonly id: number
  /** Idle for longer than this, by cluster time, and it expires. */
  readonly ttlMs: number
  /** Cluster time of the first stamp after its last command, or after its opening; before that stamp, SINCE_LAST_STAMP. */
  lastActiveMs: number
  /** The highest `firstUnacked` seen: no sequence below it is ever applied any more. */
  firstUnacked = 1
  /** Bytes of the answers, as the limits count them. */
  bytes = 0
  readonly #answers = new Map<number, Answer>()

  constructor(id: number, ttlMs: number, lastActiveMs = SINCE_LAST_STAMP) {
    this.id = id
    this.ttlMs = ttlMs
    this.lastActiveMs = lastActiveMs
  }

  get answerCount(): number {
    return this.#answers.size
  }

  answer(sequence: number): Answer | undefined {
    return this.#answers.get(sequence)
  }

  keep(answer: Answer): void {
    this.#answers.set(answer.sequence, answer)
    this.bytes += answerBytes(answer)
  }

  /** Takes the answers out that the client has acknowledged: all below `firstUnacked`, which never goes back. */
  acknowledge(firstUnacked: number): Answer[] {
    const gone: Answer[] = []
    if (firstUnacked <= this.firstUnacked) return gone
    if (firstUnacked - this.firstUnacked <= this.#answers.size) {
      for (let sequence = this.firstUnacked; sequence < firstUnacked; sequence++) {
        const answer = this.#answers.get(sequence)
        if (answer !== undefined) gone.push(answer)
      }
    } else {
      for (const answer of this.#answers.values()) if (answer.sequence < firstUnacked) gone.push(answer)
    }
    for (const answer of gone) {
      this.#answers.delete(answer.sequence)
      this.bytes -= answerBytes(answer)
    }
    this.firstUnacked = firstUnacked
    return gone
  }

  /** Its answers, by sequence. */
  answers(): Answer[] {
    return [...this.#answers.values()].sort((a, b) => a.sequence - b.sequence)
  }

  /** Adds the session without its answers to a hash. */
  addTo(hash: SetHash): void {
    hash.add(ElementKind.Session, 0, this.id, this.ttlMs, this.lastActiveMs, this.firstUnacked)
  }

  /** Takes the session without its answers out of a hash. */
  subtractFrom(hash: SetHash): void {
    hash.subtract(ElementKind.Session, 0, this.id, this.ttlMs, this.lastActiveMs, this.firstUnacked)
  }

  /** Adds an answer of this session to a hash. */
  addAnswerTo(hash: SetHash, answer: Answer): void {
    const checksum = answer.current?.checksum ?? 0
    hash.add(ElementKind.Answer, checksum, this.id, answer.sequence, answer.revision, flagsOf(answer))
  }

  /** Takes an answer of this session out of a hash. */
  subtractAnswerFrom(hash: SetHash, answer: Answer): void {
    const checksum = answer.current?.checksum ?? 0
    hash.subtract(ElementKind.Answer, checksum, this.id, answer.sequence, answer.revision, flagsOf(answer))
  }
}

function flagsOf(answer: Answer): number {
  return (answer.succeeded ? 1 : 0) + (answer.current === undefined ? 0 : 2)
}

/**
 * Encodes a session with its answers for the store:
 *
 *     message Session {
 *       uint64 ttl_ms = 1; uint64 first_unacked = 3;
 *       uint64 last_active_ms = 2;    // 2^53 - 1: since the last time stamp
 *       repeated Answer answers = 4;  // by sequence
 *       fixed32 checksum = 15;        // see seal() in layout.ts
 *     }
 *     message Answer {
 *       uint64 sequence = 1; uint64 revision = 2; bool succeeded = 3;
 *       bytes key = 4; bytes record = 5;  // what was there, as it stood under its key
 *     }
 */
export function encodeSession(session: Session): StateChange {
  const storeKey = numberedKey(Prefix.Session, session.id)
  const writer = new Writer(64 + session.bytes)
  writer.uint(1, session.ttlMs)
  writer.uint(2, session.lastActiveMs)
  writer.uint(3, session.firstUnacked)
  for (const { sequence, revision, succeeded, current } of session.answers()) {
    const begun = writer.begin(4)
    writer.uint(1, sequence)
    writer.uint(2, revision)
    writer.bool(3, succeeded)
    if (current !== undefined) {
      writer.bytes(4, current.key)
      writer.bytes(5, current.change[1])
    }
    writer.end(begun)
  }
  return [storeKey, sealedRecord(storeKey, writer.finish())]
}

/** Decodes a session. Throws a DamagedDataError where it is not what was written under this key. */
export function decodeSession(storeKey: Uint8Array, record: Uint8Array): Session {
  const reader = openRecord(storeKey, record)
  let ttlMs = 0
  let lastActiveMs = 0
  let firstUnacked = 0
  const answers: Answer[] = []
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) ttlMs = reader.uint()
    else if (tag === 0x10) lastActiveMs = reader.uint()
    else if (tag === 0x18) firstUnacked = reader.uint()
    else if (tag === 0x22) answers.push(readAnswer(reader.nested()))
    else reader.skip(tag)
  }
  if (ttlMs === 0 || firstUnacked === 0) throw damaged(storeKey, 'it is no session')
  const session = new Session(keyNumber(storeKey), ttlMs, lastActiveMs)
  session.firstUnacked = firstUnacked
  for (const answer of answers) session.keep(answer)
  return session
}

function readAnswer(reader: Reader): Answer {
  let sequence = 0
  let revision = 0
  let succeeded = false
  let key: Buffer | undefined
  let record: Buffer | undefined
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) sequence = reader.uint()
    else if (tag === 0x10) revision = reader.uint()
    else if (tag === 0x18) succeeded = reader.bool()
    else if (tag === 0x22) key = reader.bytes()
    else if (tag === 0x2a) record = reader.bytes()
    else reader.skip(tag)
  }
  const current =
    key === undefined || record === undefined ? undefined : StoredRecord.decode(nameOf(key), key, record)
  return { sequence, revision, succeeded, current }
}
