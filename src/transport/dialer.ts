import type { Clock, Timer } from '../clock.ts'
import type { PeerStream } from './peer-stream.ts'

export interface DialerOptions {
  readonly clock: Clock
  /** Uniform in [0, 1): spreads the attempts of nodes that lost each other at the same moment. */
  readonly random: () => number
  /** The longest pause between attempts after a lost connection, in milliseconds. */
  readonly maxBackoffMs: number
  /** The pause after a refusal, in milliseconds: somebody has to change something first. */
  readonly refusedBackoffMs: number
  /** Makes one attempt. */
  dial(): PeerStream
}

const FIRST_BACKOFF_MS = 10

/** Keeps one stream to one peer: at most one attempt or one timer at any time. */
export class Dialer {
  readonly #options: DialerOptions
  #stream: PeerStream | undefined
  #timer: Timer | undefined
  #dialedAt = 0
  #failures = 0
  #knocked = false
  #closed = false

  constructor(options: DialerOptions) {
    this.#options = options
  }

  /** Makes an attempt at once, unless one is under way. */
  dial(): void {
    if (this.#closed) return
    this.#timer?.cancel()
    this.#timer = undefined
    this.#knocked = false
    this.#dialedAt = this.#options.clock.now()
    this.#stream = this.#options.dial()
  }

  /** The peer says that it is up: what failed so far does not count. */
  wake(): void {
    this.#failures = 0
    if (this.#timer !== undefined) this.dial()
    else this.#knocked = true
  }

  /** The stream that was dialled is over. Pauses grow from one failure to the next, jittered by half. */
  ended(stream: PeerStream, refused: boolean): void {
    if (stream !== this.#stream || this.#closed) return
    const { clock, random, maxBackoffMs, refusedBackoffMs } = this.#options
    const lasted = clock.now() - this.#dialedAt
    // A stream that stood for a while was no failure; one that breaks at once is, or the two would spin.
    this.#failures = lasted > maxBackoffMs && !refused ? 0 : this.#failures + 1
    const backoff = refused
      ? refusedBackoffMs
      : Math.min(maxBackoffMs, FIRST_BACKOFF_MS * 2 ** Math.min(this.#failures, 16))
    const pause = backoff * (0.5 + random() / 2)
    // An attempt that hung has paused already.
    const wait = this.#knocked ? 0 : Math.max(refused ? pause : pause - lasted, FIRST_BACKOFF_MS / 2)
    this.#timer = clock.after(wait, () => this.dial())
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
