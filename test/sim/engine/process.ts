import type { Clock, Timer } from '../../../src/clock.ts'
import type { Event, Events } from './events.ts'

/**
 * What runs on one simulated machine between a start and an end: nothing reaches it but through `deliver`, and
 * when it is dead nothing that it still does has any effect.
 */
export class Process {
  readonly name: string
  readonly clock: SimulatedClock
  readonly #events: Events
  #alive = true
  #paused = false
  #backlog: (() => void)[] = []

  constructor(name: string, events: Events) {
    this.name = name
    this.#events = events
    this.clock = new SimulatedClock(events, this)
  }

  get alive(): boolean {
    return this.#alive
  }

  get paused(): boolean {
    return this.#paused
  }

  /** Something happens to it: now, when it wakes, or never. */
  deliver(run: () => void): void {
    if (!this.#alive) return
    if (this.#paused) this.#backlog.push(run)
    else run()
  }

  /** It stops, as if by SIGSTOP: what happens meanwhile waits. */
  pause(): void {
    this.#paused = true
  }

  /** It goes on, with all that came meanwhile, in the order in which it came. */
  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    const backlog = this.#backlog
    this.#backlog = []
    for (const run of backlog) this.#events.after(0, () => this.deliver(run))
  }

  kill(): void {
    this.#alive = false
    this.#backlog = []
    this.clock.stop()
  }
}

/** A process's own idea of time, which may run fast, slow or ahead of what is. */
class SimulatedClock implements Clock {
  readonly #events: Events
  readonly #process: Process
  readonly #timers = new Set<SimulatedTimer>()
  #rate = 1
  #since: number
  #then = 0

  constructor(events: Events, process: Process) {
    this.#events = events
    this.#process = process
    this.#since = events.now
  }

  now(): number {
    return this.#then + (this.#events.now - this.#since) * this.#rate
  }

  after(milliseconds: number, run: () => void): Timer {
    const timer = new SimulatedTimer(this.now() + milliseconds, this.#timers, this.#process, run)
    if (this.#process.alive) this.#arm(timer)
    return timer
  }

  soon(run: () => void): void {
    if (!this.#process.alive) return
    this.#events.after(0, () => this.#process.deliver(run))
  }

  /** From now on it counts so many milliseconds for each that passes. */
  setRate(rate: number): void {
    this.#then = this.now()
    this.#since = this.#events.now
    this.#rate = rate
    for (const timer of this.#timers) this.#arm(timer)
  }

  /** It is later all of a sudden, as after a machine slept. */
  jump(milliseconds: number): void {
    this.#then += milliseconds
    for (const timer of this.#timers) this.#arm(timer)
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel()
  }

  #arm(timer: SimulatedTimer): void {
    if (timer.event !== undefined) timer.event.cancelled = true
    const wait = Math.max(0, (timer.due - this.now()) / this.#rate)
    timer.event = this.#events.after(wait, timer.ring)
    this.#timers.add(timer)
  }
}

class SimulatedTimer implements Timer {
  readonly due: number
  readonly #all: Set<SimulatedTimer>
  readonly #process: Process
  readonly #run: () => void
  event: Event | undefined
  #over = false

  constructor(due: number, all: Set<SimulatedTimer>, process: Process, run: () => void) {
    this.due = due
    this.#all = all
    this.#process = process
    this.#run = run
  }

  /** Its time has come: it is heard at once, unless the process is paused. */
  readonly ring = (): void => {
    if (this.#process.paused) this.#process.deliver(() => this.#fire())
    else if (this.#process.alive) this.#fire()
  }

  #fire(): void {
    if (this.#over) return
    this.cancel()
    this.#run()
  }

  cancel(): void {
    this.#over = true
    this.#all.delete(this)
    if (this.event !== undefined) this.event.cancelled = true
  }
}
