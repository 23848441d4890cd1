import { assert } from '../raft/assert.ts'
import type { LogEntry, LogIndex, Proposal } from '../raft/types.ts'
import type { ApplyResult } from '../kv/types.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import type { WriteCall } from './calls.ts'

export interface ProposalLimits {
  /** How many calls may wait, for their turn or for their commit. */
  readonly maxWaitingProposals: number
  /** And how many bytes of them. */
  readonly maxWaitingBytes: number
}

/**
 * The writes that wait at a leader: first for their turn to be proposed, then, in the order of the log, for
 * their apply. All appends of a term but its no-op come from here, so those in the log are consecutive.
 */
export class Proposals {
  readonly #limits: ProposalLimits
  #queued: WriteCall[] = []
  /** The call at `#head` waits for the entry at `#headIndex`, the next one for the next entry, and so on. */
  #inLog: WriteCall[] = []
  #head = 0
  #headIndex: LogIndex = 0
  #bytes = 0

  constructor(limits: ProposalLimits) {
    this.#limits = limits
  }

  /** Those that wait for their turn, in order. */
  get queued(): readonly Proposal[] {
    return this.#queued
  }

  get waiting(): number {
    return this.#queued.length + this.#inLog.length - this.#head
  }

  /** Whether a limit is reached: a queue that only grows would answer nobody in time. */
  get full(): boolean {
    return this.waiting >= this.#limits.maxWaitingProposals || this.#bytes >= this.#limits.maxWaitingBytes
  }

  add(call: WriteCall): void {
    this.#queued.push(call)
    this.#bytes += call.data.length
  }

  /** Those that waited for their turn stand in the log, from `first` on. */
  placed(first: LogIndex): void {
    if (this.#head === this.#inLog.length) {
      this.#inLog = this.#queued
      this.#head = 0
      this.#headIndex = first
    } else {
      assert(first === this.#headIndex + this.#inLog.length - this.#head, 'proposals are consecutive')
      for (const call of this.#queued) this.#inLog.push(call)
    }
    this.#queued = []
  }

  /** An entry has been applied: the call that proposed it, if it waits here, is answered. */
  applied(entry: LogEntry, result: ApplyResult): void {
    if (this.#head === this.#inLog.length || entry.index < this.#headIndex) return
    assert(entry.index === this.#headIndex, `entry ${this.#headIndex} was passed over`)
    const call = this.#inLog[this.#head]!
    this.#head++
    this.#headIndex++
    this.#bytes -= call.data.length
    if ('refused' in result) {
      // This entry did nothing. Whether an earlier one of the same write did is not what it says.
      call.fail({ code: result.refused, message: result.message, notExecuted: true, leader: undefined })
    } else {
      call.succeed(result)
    }
    this.#forgetAnswered()
  }

  /** This node does not lead any more: what waited for its turn was not executed; what stands in the log may be. */
  failAll(notExecuted: ErrorDetail, unknown: ErrorDetail): void {
    const queued = this.#queued
    const inLog = this.#inLog.slice(this.#head)
    this.#queued = []
    this.#inLog = []
    this.#head = 0
    this.#bytes = 0
    for (const call of inLog) call.fail(unknown)
    for (const call of queued) call.fail(notExecuted)
  }

  #forgetAnswered(): void {
    if (this.#head === this.#inLog.length) {
      this.#inLog = []
      this.#head = 0
    } else if (this.#head >= 4096 && this.#head * 2 > this.#inLog.length) {
      this.#inLog = this.#inLog.slice(this.#head)
      this.#head = 0
    }
  }
}
