import type { Http2Session } from 'node:http2'

/**
 * While so much waits for a client to take it, its reads are refused for the moment, in bytes: however much it asks for
 * at once, it gets it piece by piece, and no more than this stays here for it.
 */
export const MAX_UNSENT_BYTES = 16 * 1024 * 1024

/** A client that does not read its answers is dropped when this many bytes of them wait. */
export const MAX_UNREAD_BYTES = 64 * 1024 * 1024

/** What a call that is answered takes in memory until its answer is gone, beside the answer: never less, in bytes. */
const CALL_BYTES = 4 * 1024

/**
 * What one connection was answered, in unary calls, and has not taken yet. HTTP/2 lets a client open streams as it
 * likes and read none of them, and whatever is answered stays here.
 */
export class UnsentAnswers {
  #bytes = 0

  /** Whether so much waits for the client that its reads are refused. */
  get congested(): boolean {
    return this.#bytes > MAX_UNSENT_BYTES
  }

  /** Whether so much waits that nothing more may be added. */
  get full(): boolean {
    return this.#bytes > MAX_UNREAD_BYTES
  }

  /** Counts an answer of so many bytes. Returns what to give to `remove` once its stream is closed. */
  add(bytes: number): number {
    this.#bytes += bytes + CALL_BYTES
    return bytes + CALL_BYTES
  }

  remove(counted: number): void {
    this.#bytes -= counted
  }
}

/** What waits for each of a server's clients, by connection. */
export class Connections {
  readonly #unsent = new WeakMap<Http2Session, UnsentAnswers>()

  unsentOf(session: Http2Session): UnsentAnswers {
    let unsent = this.#unsent.get(session)
    if (unsent === undefined) this.#unsent.set(session, (unsent = new UnsentAnswers()))
    return unsent
  }
}
