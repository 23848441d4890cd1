import type { Clock } from '../clock.ts'
import type { KeyEntry, PastRead, PastRefusal } from '../kv/types.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import type { ReadReply } from './calls.ts'
import { pastRefused, tooBusy } from './refusals.ts'

/** How much of history one read looks through before it is another's turn, in bytes, and how many have one a turn. */
const PIECE_BYTES = 256 * 1024
const PIECES = 4

/** How many may wait. */
const MAX_WAITING = 1000

interface Waiting {
  readonly read: PastRead
  readonly keys: readonly Uint8Array[]
  readonly revision: number
  readonly reply: ReadReply
}

/**
 * The reads of older revisions that have begun: one may have to look through much of history, so they go on piece by
 * piece, in turn, and hold nobody else up for longer than about a millisecond. What was at a revision stays so, so
 * a read that was confirmed once needs no second confirmation.
 */
export class PastReads {
  readonly #clock: Clock
  readonly #failed: (error: unknown) => void
  #waiting: Waiting[] = []
  #scheduled = false
  #stopped: ErrorDetail | undefined

  /** @param failed is told where history cannot be read: then the node has to end. */
  constructor(clock: Clock, failed: (error: unknown) => void) {
    this.#clock = clock
    this.#failed = failed
  }

  /** Serves the read, at once where that costs next to nothing. Throws as the state does; then nobody was answered. */
  begin(read: PastRead, keys: readonly Uint8Array[], revision: number, reply: ReadReply): void {
    const waiting = { read, keys, revision, reply }
    if (this.#stopped !== undefined) reply.fail(this.#stopped)
    else if (answer(waiting, read.advance(0))) return
    else if (this.#waiting.length >= MAX_WAITING) reply.fail(tooBusy())
    else {
      this.#waiting.push(waiting)
      this.#schedule()
    }
  }

  /** Answers all that wait, and whatever is still to come, with a refusal. */
  stop(refusal: ErrorDetail): void {
    this.#stopped ??= refusal
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reply } of waiting) reply.fail(this.#stopped)
  }

  /** What those that wait were reading is replaced: they have to be asked for again. */
  interrupt(refusal: ErrorDetail): void {
    for (const { reply } of this.#waiting.splice(0)) reply.fail(refusal)
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return
    this.#scheduled = true
    this.#clock.soon(this.#turn)
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    for (let piece = 0; piece < PIECES && this.#waiting.length > 0; piece++) {
      const next = this.#waiting[0]!
      try {
        const found = next.read.advance(PIECE_BYTES)
        this.#waiting.shift()
        if (!answer(next, found)) this.#waiting.push(next)
      } catch (error) {
        // The others are answered when the node stops for it.
        this.#failed(error)
        return
      }
    }
    this.#schedule()
  }
}

/** Answers, unless there is more to do. */
function answer({ keys, revision, reply }: Waiting, found: ReturnType<PastRead['advance']>): boolean {
  if (found === undefined) return false
  if (isRefusal(found)) {
    reply.fail(pastRefused(found))
  } else {
    const entries = found.map((record, i): KeyEntry | undefined => record && { key: keys[i]!, ...record })
    reply.found(revision, entries)
  }
  return true
}

function isRefusal(found: NonNullable<ReturnType<PastRead['advance']>>): found is PastRefusal {
  return 'refused' in found
}
