import { runMicrotasks } from './microtasks.ts'

/** Something that happens at a moment of virtual time. */
export interface Event {
  at: number
  /** Breaks ties: what was scheduled first happens first. */
  order: number
  run: () => void
  cancelled: boolean
}

/**
 * Virtual time, in milliseconds: nothing happens but what is in the queue, one event after the other, and after
 * each of them everything that the code under test had waiting in promises.
 */
export class Events {
  now = 0
  /** How many have happened. */
  count = 0
  readonly #heap: Event[] = []
  /** What is to happen at once, in order: nothing that is scheduled later can come before it. */
  readonly #soon: Event[] = []
  #soonNext = 0
  #order = 0

  /** @param at rounded to 1/1024 ms; never before now. */
  schedule(at: number, run: () => void): Event {
    const event: Event = {
      at: Math.max(Math.round(at * 1024) / 1024, this.now),
      order: ++this.#order,
      run,
      cancelled: false,
    }
    if (event.at === this.now) this.#soon.push(event)
    else this.#push(event)
    return event
  }

  after(milliseconds: number, run: () => void): Event {
    return this.schedule(this.now + milliseconds, run)
  }

  /** Lets the next event happen. False: there is none before `end`; then it is `end`. */
  next(end: number): boolean {
    for (;;) {
      const event = this.#take(end)
      if (event === undefined) {
        this.now = Math.max(this.now, end)
        return false
      }
      if (event.cancelled) continue
      this.now = event.at
      this.count++
      event.run()
      runMicrotasks()
      return true
    }
  }

  /** Takes the next event out, where there is one up to `end`. */
  #take(end: number): Event | undefined {
    const soon = this.#soon[this.#soonNext]
    const event = this.#heap[0]
    if (soon !== undefined && (event === undefined || isBefore(soon, event))) {
      if (soon.at > end) return undefined
      if (++this.#soonNext === this.#soon.length) this.#soon.length = this.#soonNext = 0
      return soon
    }
    if (event === undefined || event.at > end) return undefined
    this.#pop()
    return event
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
