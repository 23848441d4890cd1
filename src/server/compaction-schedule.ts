import type { Clock } from '../clock.ts'
import type { RetentionPolicy } from '../kv/retention.ts'
import type { StateMachine } from '../kv/types.ts'

/** How often history is compacted, at most, in milliseconds. */
export const COMPACTION_INTERVAL_MS = 5_000

export interface CompactionSettings extends RetentionPolicy {
  readonly autoCompaction: boolean
}

/** When a leader compacts history by itself, and to which revision. Every node asks; who leads proposes it. */
export class CompactionSchedule {
  readonly #machine: StateMachine
  readonly #clock: Clock
  readonly #settings: CompactionSettings
  #lastAt: number

  constructor(machine: StateMachine, clock: Clock, settings: CompactionSettings) {
    this.#machine = machine
    this.#clock = clock
    this.#settings = settings
    this.#lastAt = clock.now()
  }

  /** The revision to compact to, now. Undefined: nothing is to be done. */
  due(): number | undefined {
    if (!this.#settings.autoCompaction || this.#clock.now() - this.#lastAt < COMPACTION_INTERVAL_MS)
      return undefined
    const target = this.#machine.compactionTarget(this.#settings)
    if (target !== undefined) this.#lastAt = this.#clock.now()
    return target
  }
}
