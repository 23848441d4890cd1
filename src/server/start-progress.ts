import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'

/** A start that takes longer than this says how far it has come, and then again each time as much has passed. */
const EVERY_MS = 1000

/** Tells in the log how far a start has come, where it takes long. */
export class StartProgress {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #began: number
  #told: number
  #last = ''

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
    this.#began = this.#told = clock.now()
  }

  /** So much of `total` is done. `doing` says of what, such as `reading the log`. */
  report(doing: string, done: number, total: number): void {
    const now = this.#clock.now()
    if (now - this.#told < EVERY_MS) return
    const percent = total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 0
    const starting = `${doing}: ${percent}%`
    // What waits for others makes no progress, and says nothing.
    if (starting === this.#last) return
    this.#last = starting
    this.#told = now
    const elapsedMs = Math.round(now - this.#began)
    this.#logger.info({ starting: doing, done, total, percent, elapsedMs }, `starting, ${starting}`)
  }
}
