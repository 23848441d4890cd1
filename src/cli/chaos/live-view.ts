import type { Writable } from 'node:stream'
import type { ChaosEvent, Snapshot } from '../../chaos/run.ts'
import { write } from '../context.ts'
import type { Colours } from '../commands/status.ts'

/** How often the picture is drawn anew on a terminal, and how often a line is said elsewhere, in milliseconds. */
const FRAME_MS = 250
const LINE_MS = 5000

/** Shows a run while it lasts: a picture on a terminal, below what happened; else lines. */
export class LiveView implements Disposable {
  readonly #stream: Writable & { readonly isTTY?: boolean }
  readonly #paint: Colours
  readonly #look: () => Snapshot
  readonly #timer: NodeJS.Timeout
  /** Lines of the picture that stand on the screen. */
  #drawn = 0

  constructor(stream: Writable & { readonly isTTY?: boolean }, paint: Colours, look: () => Snapshot) {
    this.#stream = stream
    this.#paint = paint
    this.#look = look
    const isTerminal = stream.isTTY === true
    this.#timer = setInterval(() => this.#tick(), isTerminal ? FRAME_MS : LINE_MS)
  }

  /** Something happened. */
  event(event: ChaosEvent): void {
    this.#put(`${formatEvent(event, this.#paint)}\n`)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#put('')
  }

  #tick(): void {
    if (this.#stream.isTTY !== true) {
      void write(this.#stream, `${formatLine(this.#look())}\n`)
      return
    }
    const picture = formatPicture(this.#look(), this.#paint)
    this.#put('')
    void write(this.#stream, `${picture.join('\n')}\n`)
    this.#drawn = picture.length
  }

  /** Writes above where the picture will stand, and takes the old one away. */
  #put(text: string): void {
    const clear = this.#drawn > 0 ? `\u001b[${this.#drawn}A\u001b[0J` : ''
    this.#drawn = 0
    if (clear !== '' || text !== '') void write(this.#stream, clear + text)
  }
}

/** What happened, on one line. */
export function formatEvent({ atMs, kind, text }: ChaosEvent, paint: Colours): string {
  const words = {
    step: paint.strong(text),
    skipped: `left out: ${text}`,
    met: paint.good(`✔ ${text}`),
    'not-met': paint.bad(`✖ ${text}`),
    phase: `— ${text}`,
  }[kind]
  return `${formatTime(atMs)}  ${words}`
}

/** How the run stands, on one line. */
export function formatLine({ atMs, nodes, operations, perSecond, faults }: Snapshot): string {
  const roles = nodes.map(({ id, role, term }) => `${id} ${role}${term > 0 ? ` (${term})` : ''}`).join(', ')
  const now = faults.length > 0 ? faults.join('; ') : 'no fault'
  return `${formatTime(atMs)}  ${perSecond}/s, ${operations.ok} ok, ${operations.failed} failed, ${operations.unknown} unknown; ${roles}; ${now}`
}

/** How the run stands, for a terminal. */
export function formatPicture(snapshot: Snapshot, paint: Colours): string[] {
  const { atMs, nodes, leader, operations, perSecond, faults } = snapshot
  const rows = nodes.map(({ id, role, term }) => {
    const words = `${role.padEnd(12)} ${term > 0 ? `term ${term}` : ''}`
    const shown = id === leader ? paint.good(words) : role === 'follower' ? words : paint.bad(words)
    return `  ${id === leader ? paint.good('*') : ' '} ${id.padEnd(6)} ${shown}`
  })
  const { ok, failed, unknown } = operations
  return [
    '',
    ...rows,
    `  ${formatTime(atMs).trim()}  ${paint.strong(`${perSecond}/s`)}   ${ok} ok, ${failed} failed, ${unknown} unknown`,
    `  ${faults.length > 0 ? paint.bad(faults.join('; ')) : 'no fault'}`,
  ]
}

function formatTime(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000)
  const seconds = ((milliseconds % 60_000) / 1000).toFixed(1).padStart(4, '0')
  return `${minutes}:${seconds}`.padStart(7)
}
