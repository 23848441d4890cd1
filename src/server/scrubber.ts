import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import { StopError } from '../errors.ts'
import type { DataDirectory } from '../storage/data-directory.ts'
import { verifyRecords } from '../storage/state-records.ts'

export interface ScrubSettings {
  /** The time from the end of a pass to the beginning of the next, in milliseconds. */
  readonly scrubIntervalMs: number
  /** How much is read in a second at most. 0: there are no passes. */
  readonly scrubBytesPerSecond: number
}

export interface ScrubberParts {
  readonly directory: DataDirectory
  readonly clock: Clock
  readonly logger: Logger
  /** Something is damaged, or cannot be read: the node must stop. */
  readonly failed: (error: StopError) => void
}

/** The first pass comes soon: what a start does not look at (each record of the state) is looked at then. */
const FIRST_PASS_MS = 60_000

/** How long reading may hold up everything else before the next turn of the event loop, in bytes. */
const TURN_BYTES = 256 * 1024

/** Thrown where a pass is to end. */
class Interrupted extends Error {}

/**
 * Reads everything on disk again while the node runs, slowly: files of both databases by their checksums, and every
 * record of the state, with the hash of them all. What rots while nobody reads it is found before the other copies
 * rot as well.
 */
export class Scrubber {
  readonly #parts: ScrubberParts
  readonly #settings: ScrubSettings
  #timer: Timer | undefined
  #wake: (() => void) | undefined
  #pass: Promise<void> | undefined
  #stopped = false
  /** When what was read so far may have been read. */
  #due = 0
  #turnBytes = 0

  constructor(parts: ScrubberParts, settings: ScrubSettings) {
    this.#parts = parts
    this.#settings = settings
  }

  start(): void {
    this.#schedule(Math.min(FIRST_PASS_MS, this.#settings.scrubIntervalMs))
  }

  /** A pass now, unless one is under way: somebody has reason to doubt. */
  soon(): void {
    if (this.#pass === undefined) this.#schedule(0)
  }

  /** Resolves once nothing is read any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    this.#wake?.()
    await this.#pass
  }

  #schedule(milliseconds: number): void {
    this.#timer?.cancel()
    if (this.#stopped || this.#settings.scrubBytesPerSecond === 0) return
    this.#timer = this.#parts.clock.after(milliseconds, () => {
      this.#pass = this.#run().then(() => {
        this.#pass = undefined
        this.#schedule(this.#settings.scrubIntervalMs)
      })
    })
  }

  async #run(): Promise<void> {
    const { clock, logger, failed } = this.#parts
    const began = clock.now()
    this.#due = began
    try {
      const bytes = await this.#scrub()
      logger.info({ bytes, milliseconds: Math.round(clock.now() - began) }, 'scrubbed: nothing is damaged')
    } catch (error) {
      if (error instanceof Interrupted || this.#stopped) return
      if (!(error instanceof StopError)) throw error
      logger.error({ err: error }, 'scrubbing found damage')
      this.#stopped = true
      failed(error)
    }
  }

  async #scrub(): Promise<number> {
    const { directory } = this.#parts
    const { stateStore } = directory
    let bytes = 0
    const pace = async (more: number): Promise<void> => {
      bytes += more
      await this.#pace(more)
    }
    await directory.verifyLogFiles?.(pace)
    try {
      await stateStore.verifyFiles?.(pace)
      await verifyRecords(stateStore, directory.path, pace)
    } catch (error) {
      // A snapshot has taken the state's place meanwhile.
      if (directory.stateStore !== stateStore) throw new Interrupted()
      throw error
    }
    return bytes
  }

  /** Waits until so many bytes may be read. */
  async #pace(bytes: number): Promise<void> {
    const { clock } = this.#parts
    if (this.#stopped) throw new Interrupted()
    this.#due = Math.max(this.#due, clock.now()) + (bytes / this.#settings.scrubBytesPerSecond) * 1000
    this.#turnBytes += bytes
    if (this.#turnBytes < TURN_BYTES) return
    this.#turnBytes = 0
    await new Promise<void>((resolve) => {
      const timer = clock.after(Math.max(0, this.#due - clock.now()), resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#wake = undefined
    if (this.#stopped) throw new Interrupted()
  }
}
