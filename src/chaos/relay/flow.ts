import type { Socket } from 'node:net'
import type { Clock, Timer } from '../../clock.ts'
import type { LinkState } from './link-faults.ts'

/** What a sender may have on its way through a slow link, in bytes, before it has to wait. */
const MOST_HELD_BYTES = 4 * 1024 * 1024
/** What a network takes at a time. */
const PACKET_BYTES = 1460
/** TCP sends again what was lost after this long at least; what came after it waits for it. In milliseconds. */
const RETRANSMISSION_MS = 200

export interface FlowOptions {
  readonly from: Socket
  readonly to: Socket
  /** How the link is now. */
  readonly state: () => LinkState
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
}

interface Held {
  /** Not to be delivered earlier. */
  readonly at: number
  readonly what: Buffer | 'end' | 'destroy'
}

/**
 * One direction of a connection. It keeps TCP's promise: bytes arrive in their order or not at all. So a loss is
 * a delay, as TCP makes it one, and a cut holds everything back, the end of the connection too, until it heals:
 * then the bytes arrive late, as after a real partition that was shorter than TCP's patience.
 */
export class Flow {
  readonly #options: FlowOptions
  readonly #held: Held[] = []
  #heldBytes = 0
  #timer: Timer | undefined
  #blocked = false
  #over = false

  constructor(options: FlowOptions) {
    this.#options = options
    const { from, to } = options
    from.on('data', (chunk: Buffer) => this.#hold(chunk))
    from.on('end', () => this.#hold('end'))
    from.on('close', () => this.#hold('destroy'))
    to.on('drain', () => {
      this.#blocked = false
      this.changed()
    })
    to.on('close', () => this.#end())
    this.changed()
  }

  /** The link's state may be another now. */
  changed(): void {
    this.#deliver()
    if (this.#over) return
    const { from, state } = this.#options
    if (state().cut || this.#blocked || this.#heldBytes > MOST_HELD_BYTES) from.pause()
    else from.resume()
  }

  #hold(what: Held['what']): void {
    if (this.#over) return
    const { clock, random, state } = this.#options
    const { delayMs, lossRate } = state()
    const size = typeof what === 'string' ? 0 : what.length
    // A chunk is several packets: it is late if any of them is lost.
    const isLost = lossRate > 0 && random() < 1 - (1 - lossRate) ** Math.max(1, size / PACKET_BYTES)
    const at = clock.now() + delayMs + (isLost ? RETRANSMISSION_MS : 0)
    this.#held.push({ at: Math.max(at, this.#held.at(-1)?.at ?? 0), what })
    this.#heldBytes += size
    this.changed()
  }

  #deliver(): void {
    const { to, clock, state } = this.#options
    this.#timer?.cancel()
    this.#timer = undefined
    if (state().cut) return
    for (
      let next = this.#held[0];
      next !== undefined && !this.#blocked && !this.#over;
      next = this.#held[0]
    ) {
      const wait = next.at - clock.now()
      if (wait > 0) {
        this.#timer = clock.after(wait, () => this.changed())
        return
      }
      this.#held.shift()
      if (next.what === 'end') to.end()
      else if (next.what === 'destroy') to.destroy()
      else {
        this.#heldBytes -= next.what.length
        this.#blocked = !to.write(next.what)
      }
    }
  }

  #end(): void {
    this.#over = true
    this.#timer?.cancel()
    this.#held.length = 0
    // Nobody takes what comes from here any more.
    this.#options.from.destroy()
  }
}
