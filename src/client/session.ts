/**
 * The client's side of a session (dissertation §6.3): numbers the writes, and knows the lowest sequence whose
 * answer is still awaited. From the first awaited sequence to the last one given out there are at most
 * `WINDOW`, so that the answers that the store must keep for the session stay bounded.
 */
export class Session {
  /** Half of what the nodes keep answers for by default. A power of two. */
  static readonly WINDOW = 2048

  readonly id: number
  /** Whether a write of this session was answered with a result. */
  used = false
  #next = 1
  #firstUnacked = 1
  /** Of each sequence in the window, whether it is awaited. */
  readonly #awaited = new Uint8Array(Session.WINDOW)

  constructor(id: number) {
    this.id = id
  }

  /** The lowest sequence whose answer is awaited; where none is, the next one to be given out. */
  get firstUnacked(): number {
    return this.#firstUnacked
  }

  /** Whether no further write may be numbered for now. */
  get full(): boolean {
    return this.#next - this.#firstUnacked >= Session.WINDOW
  }

  /** The next write's sequence. Not to be called while the session is full. */
  take(): number {
    const sequence = this.#next++
    this.#awaited[sequence % Session.WINDOW] = 1
    return sequence
  }

  /** The answer to a sequence came, or nobody waits for it any more. */
  settle(sequence: number): void {
    this.#awaited[sequence % Session.WINDOW] = 0
    while (this.#firstUnacked < this.#next && this.#awaited[this.#firstUnacked % Session.WINDOW] === 0) {
      this.#firstUnacked++
    }
  }
}
