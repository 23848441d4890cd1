/** A timer that can be taken back. */
export interface Timer {
  cancel(): void
}

/**
 * Time as everything outside the core sees it: injected, so that a simulation runs the same code on a
 * virtual clock. Monotonic; it says nothing about the time of day.
 */
export interface Clock {
  /** Milliseconds since some fixed moment, never going back. */
  now(): number
  /** Calls `run` once, `milliseconds` from now. */
  after(milliseconds: number, run: () => void): Timer
  /** Calls `run` once what has arrived by now is handled: at the end of this turn of the event loop. */
  soon(run: () => void): void
}

/** The machine's clock. Its timers do not keep the process alive by themselves unless `keepAlive` is set. */
export function systemClock(options: { keepAlive?: boolean } = {}): Clock {
  return {
    now: () => performance.now(),
    after(milliseconds, run) {
      const timer = setTimeout(run, milliseconds)
      if (!options.keepAlive) timer.unref()
      return { cancel: () => clearTimeout(timer) }
    },
    soon: (run) => void setImmediate(run),
  }
}

/** What `done` comes to, or nothing where that takes longer than so many milliseconds. Rejects as it does. */
export async function atMost(clock: Clock, milliseconds: number, done: Promise<void>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = clock.after(milliseconds, resolve)
    done.finally(() => timer.cancel()).then(resolve, reject)
  })
}
