import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import { DamagedDataError } from '../errors.ts'
import type { NodeId } from '../raft/types.ts'
import { compareStates } from './state-digests.ts'
import type { Difference, StateDigest, StateDigests } from './state-digests.ts'

export interface StateWatchParts {
  readonly digests: StateDigests
  /** The other nodes. */
  readonly peers: readonly NodeId[]
  /** Asks a peer for its digests. Rejects where it does not answer. */
  readonly ask: (id: NodeId) => Promise<readonly StateDigest[]>
  readonly clock: Clock
  readonly logger: Logger
  /** How often, in milliseconds. */
  readonly intervalMs: number
}

export interface StateWatchEvents {
  /** A majority contradicts this node's state: it must stop. */
  damaged(error: DamagedDataError): void
  /** States differ, and nobody can tell whose is wrong: time to look closely at one's own. */
  suspicious(): void
}

/**
 * Compares this node's state with its peers' now and then, at the same entries of the log (DESIGN: "a difference is
 * an alarm, not a shrug"). A node that a majority contradicts stops; the others say loudly who it is.
 */
export class StateWatch {
  readonly #parts: StateWatchParts
  readonly #events: StateWatchEvents
  #timer: Timer | undefined
  #stopped = false
  #alarm: string | undefined

  constructor(parts: StateWatchParts, events: StateWatchEvents) {
    this.#parts = parts
    this.#events = events
  }

  /** What is wrong, in words; undefined where nothing is known to be. */
  get alarm(): string | undefined {
    return this.#alarm
  }

  start(): void {
    this.#schedule()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  /** Asks and compares once. */
  async look(): Promise<void> {
    const answers = await Promise.all(
      this.#parts.peers.map(async (id) => {
        // Who does not answer is noticed elsewhere.
        const digests = await this.#parts.ask(id).catch(() => [])
        return [id, digests] as const
      }),
    )
    if (this.#stopped) return
    const members = this.#parts.peers.length + 1
    this.#report(compareStates(this.#parts.digests.list, new Map(answers), members))
  }

  #schedule(): void {
    const { clock, intervalMs } = this.#parts
    this.#timer = clock.after(intervalMs, () => {
      void this.look().then(() => {
        if (!this.#stopped) this.#schedule()
      })
    })
  }

  #report(difference: Difference | undefined): void {
    if (difference === undefined) {
      this.#alarm = undefined
      return
    }
    const { index, others, wrong } = difference
    const what = `after entry ${index} the state of this node is not that of ${others.join(' and ')}`
    this.#alarm =
      wrong === 'others'
        ? `${what}: a majority has this node's, so theirs is damaged`
        : `${what}, and nobody can tell whose is damaged`
    this.#parts.logger.error(
      { index, others, wrong },
      wrong === 'own' ? `${what}: this node's is damaged` : this.#alarm,
    )
    if (wrong === 'own') {
      this.#events.damaged(
        new DamagedDataError(
          `After entry ${index} the state of this node is not that of ${others.join(' and ')}, and so not that of a ` +
            'majority: it is damaged, and nothing more of it is served. `balsa recover --data DIR --rebuild` ' +
            'explains how it is made anew.',
        ),
      )
    } else if (wrong === undefined) this.#events.suspicious()
  }
}
