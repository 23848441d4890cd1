import type { EventEmitter } from 'node:events'

// Not SIGHUP: listening for it would undo nohup, and a node that it kills has lost nothing.
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** A wish to stop, made known by a signal. */
export interface StopSignal extends Disposable {
  /** Resolves to the name of the first signal, or to `disconnect`. */
  readonly asked: Promise<string>
  /** Calls `run` for every signal after the first. */
  onRepeat(run: () => void): void
}

/**
 * Listens for the signals that ask a process to end; while it listens they do not kill it.
 * @param options withParent: the end of the channel to the parent process counts as well, so that a child
 *   never outlives a parent that was killed
 */
export function stopSignal(
  source: EventEmitter,
  options: { readonly withParent?: boolean } = {},
): StopSignal {
  const { promise, resolve } = withResolver()
  let repeat = () => {}
  let first = true
  const listeners = [...SIGNALS, ...(options.withParent ? (['disconnect'] as const) : [])].map((name) => {
    const heard = () => {
      if (!first) return repeat()
      first = false
      resolve(name)
    }
    source.on(name, heard)
    return { name, heard }
  })
  return {
    asked: promise,
    onRepeat(run) {
      repeat = run
    },
    [Symbol.dispose]() {
      for (const { name, heard } of listeners) source.off(name, heard)
    },
  }
}

function withResolver(): { promise: Promise<string>; resolve: (name: string) => void } {
  let resolve: (name: string) => void = () => {}
  const promise = new Promise<string>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
