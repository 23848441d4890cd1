import { setFlagsFromString } from 'node:v8'

/**
 * Runs every promise reaction that is due, and what becomes due by that, before it returns.
 *
 * V8 does so by itself only when the stack is empty, which would cost a turn of the real event loop for every
 * event of the simulation. Its own word for it lets a simulation run thousands of events in one turn, and each
 * of them to its end before the next. It does nothing when a promise reaction called it: see `outsidePromises`.
 */
export const runMicrotasks: () => void = (() => {
  setFlagsFromString('--allow-natives-syntax')
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- no file may have such syntax
  return new Function('%PerformMicrotaskCheckpoint()') as () => void
})()

/** Runs `work` in a turn of the event loop of its own, where `runMicrotasks` works. */
export function outsidePromises<T>(work: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(work())
      } catch (error) {
        reject(error)
      }
    })
  })
}
