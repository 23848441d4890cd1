/** When an operation was asked and answered, in the unit of the history. */
export interface Span {
  readonly call: number
  /** `Infinity`: never answered. */
  readonly return: number
}

/** No event: the end of the list. */
export const NO_EVENT = -1

/**
 * The calls and returns of a history in their order, as a doubly linked list from which an operation's two events
 * can be lifted and put back in constant time (Knuth's dancing links), as long as what was lifted last is put back
 * first. The call of operation i is event i, its return is event n + i. What was never answered has no return.
 */
export class EventList {
  readonly #count: number
  readonly #next: Int32Array
  readonly #previous: Int32Array
  readonly #answered: Uint8Array

  constructor(spans: readonly Span[]) {
    const count = spans.length
    const events: number[] = []
    spans.forEach((span, index) => events.push(index, ...(span.return === Infinity ? [] : [count + index])))
    const timeOf = (event: number): number =>
      event < count ? spans[event]!.call : spans[event - count]!.return
    // Calls first: operations that meet in one moment are concurrent.
    const order = (a: number, b: number): number =>
      timeOf(a) - timeOf(b) || Number(a >= count) - Number(b >= count) || a - b
    events.sort(order)
    this.#count = count
    this.#answered = Uint8Array.from(spans, (span) => Number(span.return !== Infinity))
    this.#next = new Int32Array(2 * count + 1).fill(NO_EVENT)
    this.#previous = new Int32Array(2 * count + 1).fill(NO_EVENT)
    let before = 2 * count
    for (const event of events) {
      this.#next[before] = event
      this.#previous[event] = before
      before = event
    }
  }

  /** The first event that is there, or NO_EVENT. */
  get first(): number {
    return this.#next[2 * this.#count]!
  }

  /** The event after this one, or NO_EVENT. An event that was lifted still knows where it was. */
  after(event: number): number {
    return this.#next[event]!
  }

  lift(operation: number): void {
    this.#unlink(operation)
    if (this.#answered[operation] === 1) this.#unlink(this.#count + operation)
  }

  putBack(operation: number): void {
    if (this.#answered[operation] === 1) this.#link(this.#count + operation)
    this.#link(operation)
  }

  #unlink(event: number): void {
    const next = this.#next[event]!
    const previous = this.#previous[event]!
    this.#next[previous] = next
    if (next !== NO_EVENT) this.#previous[next] = previous
  }

  #link(event: number): void {
    const next = this.#next[event]!
    this.#next[this.#previous[event]!] = event
    if (next !== NO_EVENT) this.#previous[next] = event
  }
}
