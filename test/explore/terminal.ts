import { emitKeypressEvents } from 'node:readline'
import type { Key } from 'node:readline'

const ENTER_SCREEN = '\x1b[?1049h\x1b[?25l'
const LEAVE_SCREEN = '\x1b[?25h\x1b[?1049l'

/** Where in a script somebody stands, and how a key press moves that. */
export class Position {
  readonly #last: number
  #at = 0

  /** @param count how many steps there are. */
  constructor(count: number) {
    this.#last = count - 1
  }

  get at(): number {
    return this.#at
  }

  /** What a key press does. Returns whether to go on. */
  press({ name, ctrl, shift }: Pick<Key, 'name' | 'ctrl' | 'shift'>): boolean {
    switch (name) {
      case 'q':
      case 'escape':
        return false
      case 'c':
      case 'd':
        return ctrl !== true
      case 'space':
      case 'return':
      case 'enter':
      case 'right':
      case 'n':
        this.#at = Math.min(this.#at + 1, this.#last)
        return true
      case 'left':
      case 'backspace':
      case 'p':
        this.#at = Math.max(this.#at - 1, 0)
        return true
      case 'home':
      case 'g':
        this.#at = shift === true ? this.#last : 0
        return true
      case 'end':
        this.#at = this.#last
        return true
      default:
        return true
    }
  }
}

/** What is needed of standard input. */
export interface Keyboard extends NodeJS.ReadableStream {
  setRawMode(on: boolean): unknown
}

/** And of standard output. */
export interface Display extends NodeJS.WritableStream {
  readonly columns: number
  readonly rows: number
}

/**
 * Shows a screen, and the next one on each key press, until the user quits. The terminal is left as it was found.
 *
 * @param draw the lines of a step's screen, for a terminal of a width and height.
 */
export async function walk(
  count: number,
  draw: (at: number, width: number, height: number) => readonly string[],
  input: Keyboard,
  output: Display,
): Promise<void> {
  const position = new Position(count)
  const show = (): void => {
    const lines = draw(position.at, output.columns, output.rows)
    output.write(`\x1b[H\x1b[J${lines.join('\r\n')}`)
  }
  let end = (): void => undefined
  const ended = new Promise<void>((resolve) => (end = resolve))
  const onKey = (_text: string | undefined, key: Key): void => {
    if (position.press(key)) show()
    else end()
  }
  emitKeypressEvents(input)
  input.setRawMode(true)
  output.write(ENTER_SCREEN)
  input.on('keypress', onKey).once('end', end)
  output.on('resize', show)
  process.once('SIGTERM', end).once('SIGHUP', end)
  try {
    show()
    await ended
  } finally {
    input.off('keypress', onKey).off('end', end)
    output.off('resize', show)
    process.off('SIGTERM', end).off('SIGHUP', end)
    output.write(LEAVE_SCREEN)
    input.setRawMode(false)
    input.pause()
  }
}
