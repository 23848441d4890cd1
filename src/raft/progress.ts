import type { LogEntry, LogIndex } from './types.ts'

export type ProgressState = 'probe' | 'replicate' | 'snapshot'

export interface ProgressLimits {
  /** How many bytes of entries may be on their way to a follower without an answer. */
  readonly maxInFlightBytes: number
  /** And how many entries. */
  readonly maxInFlightEntries: number
}

/**
 * What the leader knows of one follower's log. In `probe` it looks for the place where the logs agree, one
 * message at a time; in `replicate` it streams, within limits, and counts on the best (§3.5, §10.2.2); in
 * `snapshot` the follower lacks what the log no longer holds, and waits for the state (§5).
 */
export class Progress {
  readonly #limits: ProgressLimits
  /** Messages on their way, oldest first; each ends the wait of all before it. */
  readonly #inFlight: { lastIndex: LogIndex; entries: number; bytes: number }[] = []
  #inFlightBytes = 0
  #inFlightEntries = 0
  #state: ProgressState = 'probe'
  #matchIndex: LogIndex = 0
  #nextIndex: LogIndex
  /** In `probe`: a question is on its way. */
  #probing = false
  /** Entries for this follower are being read from disk. */
  fetching = false
  /** Something was heard of it since the leader last looked (CheckQuorum, §6.2). */
  recentlyActive = true
  /** The newest round of reads for which it has confirmed the leader (§6.4). */
  readContext = 0
  /** A heartbeat went out since its last reply: on the next one, make sure that nothing got lost. */
  verify = false

  constructor(nextIndex: LogIndex, limits: ProgressLimits) {
    this.#nextIndex = nextIndex
    this.#limits = limits
  }

  get state(): ProgressState {
    return this.#state
  }

  /** The last entry known to equal the leader's. It never goes back within a term. */
  get matchIndex(): LogIndex {
    return this.#matchIndex
  }

  /** The next entry to send. */
  get nextIndex(): LogIndex {
    return this.#nextIndex
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes
  }

  /** Whether nothing more may be sent for now. */
  get paused(): boolean {
    if (this.fetching) return true
    if (this.#state === 'probe') return this.#probing
    if (this.#state === 'snapshot') return true
    return (
      this.#inFlightBytes >= this.#limits.maxInFlightBytes ||
      this.#inFlightEntries >= this.#limits.maxInFlightEntries
    )
  }

  /** An append with these entries has been sent. */
  sent(entries: readonly LogEntry[]): void {
    if (this.#state === 'probe') {
      this.#probing = true
      return
    }
    if (entries.length === 0) return
    const bytes = entries.reduce((sum, entry) => sum + entry.size, 0)
    const lastIndex = entries.at(-1)!.index
    this.#inFlight.push({ lastIndex, entries: entries.length, bytes })
    this.#inFlightBytes += bytes
    this.#inFlightEntries += entries.length
    this.#nextIndex = lastIndex + 1
  }

  /** The follower's log equals the leader's, which begins with `firstIndex`, up to `index`. Returns whether that was news. */
  matched(index: LogIndex, firstIndex: LogIndex): boolean {
    while (this.#inFlight.length > 0 && this.#inFlight[0]!.lastIndex <= index) {
      const { entries, bytes } = this.#inFlight.shift()!
      this.#inFlightEntries -= entries
      this.#inFlightBytes -= bytes
    }
    const news = index > this.#matchIndex
    if (news) this.#matchIndex = index
    this.#nextIndex = Math.max(this.#nextIndex, this.#matchIndex + 1)
    // Who waits for a snapshot goes on waiting, unless it has got that far by other means.
    if (this.#state === 'probe' || (this.#state === 'snapshot' && index >= firstIndex - 1)) {
      this.#state = 'replicate'
      this.#probing = false
      this.#nextIndex = this.#matchIndex + 1
    }
    return news
  }

  /**
   * An append behind `prevLogIndex` did not fit; the logs may agree up to `hint`. Returns false where that is
   * an old answer, about which there is nothing to do.
   */
  rejected(prevLogIndex: LogIndex, hint: LogIndex): boolean {
    // What it once held it still holds: even a probe that asks there gets no such answer but an old one.
    const stale =
      prevLogIndex <= this.#matchIndex ||
      this.#state === 'snapshot' ||
      (this.#state === 'probe' && prevLogIndex !== this.#nextIndex - 1)
    if (stale) return false
    this.#state = 'probe'
    this.#probing = false
    this.#forgetInFlight()
    this.#nextIndex = Math.max(this.#matchIndex + 1, Math.min(prevLogIndex, hint + 1))
    return true
  }

  /** What comes next for it is no longer in the log: it gets a snapshot, and nothing else meanwhile. */
  awaitSnapshot(): void {
    this.#state = 'snapshot'
    this.#probing = false
    this.#forgetInFlight()
  }

  /** It has everything up to `index` by a snapshot; or, where that is undefined, the snapshot did not get there. */
  snapshotEnded(index: LogIndex | undefined): void {
    if (this.#state !== 'snapshot') return
    this.#state = 'probe'
    // Without it there is nothing to ask before the follower shows that it lives.
    this.#probing = index === undefined
    if (index !== undefined) this.#nextIndex = Math.max(this.#matchIndex, index) + 1
  }

  /** The follower lives: a question that got no answer may be asked again. */
  retryProbe(): void {
    this.#probing = false
  }

  #forgetInFlight(): void {
    this.#inFlight.length = 0
    this.#inFlightBytes = 0
    this.#inFlightEntries = 0
  }
}
