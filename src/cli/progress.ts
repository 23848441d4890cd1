import type { Writable } from 'node:stream'
import cliProgress from 'cli-progress'
import { write } from './context.ts'

/** How often something is said where no terminal shows a bar, in milliseconds. */
const LINE_MS = 5000

const MB = 1_000_000

/** What shows how far something is. */
export interface Progress {
  /** @param keys how many there are by now, where that is known */
  at(bytes: number, keys?: number): void
  /** Leaves the terminal as it was; nothing is said afterwards. */
  stop(): void
}

/**
 * Shows how far something is: a bar on a terminal, else a line now and then.
 *
 * @param total how many bytes it will be, exactly or about; 0: not known
 */
export function showProgress(
  stream: Writable & { readonly isTTY?: boolean },
  what: string,
  total: number,
): Progress {
  return stream.isTTY === true ? new Bar(stream, what, total) : new Lines(stream, what, total)
}

class Bar implements Progress {
  readonly #bar: cliProgress.SingleBar

  constructor(stream: Writable, what: string, total: number) {
    this.#bar = new cliProgress.SingleBar({
      stream,
      format: `${what} {bar} {percentage} % {text}`,
      barCompleteChar: '\u2588',
      barIncompleteChar: '\u2591',
      barsize: 30,
      hideCursor: true,
      clearOnComplete: true,
      // Signals are the program's own business.
      gracefulExit: false,
    })
    this.#bar.start(Math.max(total, 1), 0, { text: '' })
  }

  at(bytes: number, keys?: number): void {
    // The total may be an estimate: what goes beyond it is nearly done, and not more than done.
    this.#bar.update(Math.min(bytes, this.#bar.getTotal()), { text: textOf(bytes, keys) })
  }

  stop(): void {
    this.#bar.stop()
  }
}

class Lines implements Progress {
  readonly #stream: Writable
  readonly #what: string
  readonly #total: number
  #next = performance.now() + LINE_MS

  constructor(stream: Writable, what: string, total: number) {
    this.#stream = stream
    this.#what = what
    this.#total = total
  }

  at(bytes: number, keys?: number): void {
    if (performance.now() < this.#next) return
    this.#next = performance.now() + LINE_MS
    const of = this.#total > bytes ? ` of about ${Math.ceil(this.#total / MB).toLocaleString('en')} MB` : ''
    void write(this.#stream, `${this.#what}: ${textOf(bytes, keys)}${of}\n`)
  }

  stop(): void {}
}

function textOf(bytes: number, keys: number | undefined): string {
  const mb = `${Math.floor(bytes / MB).toLocaleString('en')} MB`
  return keys === undefined ? mb : `${keys.toLocaleString('en')} keys, ${mb}`
}
