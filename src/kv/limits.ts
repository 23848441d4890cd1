/**
 * The bounds that decide how an entry is applied: whom a full table evicts, what is refused. They are part
 * of the replicated semantics. All nodes apply the same entries, so a node with another number here would
 * refuse what the others applied, and the replicas would part for good. Hence constants and not settings;
 * to change one is a new feature level, agreed on through the log.
 */
export interface KvLimits {
  /** Sessions at one time. One more opened evicts the one that was active least recently. */
  readonly maxSessions: number
  /** Answers kept for one session: how many writes it can have under way. Beyond: RESOURCE_EXHAUSTED. */
  readonly maxAnswersPerSession: number
  /** Bytes of kept answers of one session, reached by the entries that failed comparisons return. */
  readonly maxAnswerBytesPerSession: number
  /** Bytes of kept answers of all sessions together. Beyond, idle sessions go; then RESOURCE_EXHAUSTED. */
  readonly maxAnswerBytes: number
  /**
   * Milliseconds of cluster time without a command after which a session expires, where it asked for none. They are
   * counted from the first time stamp after its last command, and over at a stamp: so never early, but a little late.
   */
  readonly defaultSessionTtlMs: number
  /** What a session asks for is raised to this. One that was idle for so long may go where answers need its room. */
  readonly minSessionTtlMs: number
  /** What a session asks for is lowered to this. */
  readonly maxSessionTtlMs: number
}

const MiB = 1024 * 1024
const MINUTE = 60_000

/** The limits in force. */
export const KV_LIMITS: KvLimits = Object.freeze({
  maxSessions: 10_000,
  maxAnswersPerSession: 4_096,
  maxAnswerBytesPerSession: 8 * MiB,
  maxAnswerBytes: 256 * MiB,
  defaultSessionTtlMs: 10 * MINUTE,
  minSessionTtlMs: 1_000,
  maxSessionTtlMs: 24 * 60 * MINUTE,
})

/** What each node may choose for itself: it changes speed and memory, never what an entry does. */
export interface KvTuning {
  /** Bytes of records kept in memory for reads, with what the tables around them take. */
  readonly cacheBytes: number
  /** A pack of history is closed once it has this many bytes, or ... */
  readonly packBytes: number
  /** ... this many changes. It is never closed within a revision. */
  readonly packChanges: number
}

export const KV_TUNING: KvTuning = Object.freeze({
  cacheBytes: 64 * MiB,
  packBytes: 128 * 1024,
  packChanges: 512,
})
