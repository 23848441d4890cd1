import { LEGEND, renderHappening, renderNetwork, renderServers } from './render.ts'
import { fit, wrap } from './text.ts'
import type { RenderOptions } from './render.ts'
import type { Frame } from './recorder.ts'
import type { Paint } from './text.ts'

/** What a run of a script is shown with. */
export interface Show {
  /** The name of the script. */
  readonly name: string
  readonly frames: readonly Frame[]
}

interface Size {
  readonly width: number
  readonly height: number
}

const KEYS = 'space/enter/→ next   ←/backspace back   g start   G end   q quit'
const FEWEST_LOG_ROWS = 3
const MESSAGES_IN_SIGHT = 4

/** All steps, one after the other, in lines. */
export function renderAll({ name, frames }: Show, width: number, paint: Paint): string[] {
  const options: RenderOptions = { width, logRows: Infinity, paint }
  const lines = [...wrap(`${name}: ${frames.length} steps`, width), ...wrap(LEGEND, width)]
  for (const [at, frame] of frames.entries()) {
    const previous = frames[at - 1]
    const title = `── ${at + 1}/${frames.length} `
    lines.push('', paint('bold', title.padEnd(width, '─')))
    if (frame.comment !== previous?.comment) lines.push(...renderComment(frame, options))
    lines.push(...renderHappening(frame, options), '')
    lines.push(...renderServers(frame, previous, options), ...renderNetwork(frame, options))
  }
  return lines
}

/** One step as a screen of exactly `height` lines. What matters least goes where there is no room. */
export function renderScreen({ name, frames }: Show, at: number, size: Size, paint: Paint): string[] {
  const { width, height } = size
  const frame = frames[at]!
  const previous = frames[at - 1]
  const all: RenderOptions = { width, logRows: Infinity, paint }
  const header = paint('inverse', fit(` ${name}   step ${at + 1} of ${frames.length}`, width))
  const footer = paint('dim', fit(at + 1 === frames.length ? `the end.   ${KEYS}` : KEYS, width).trimEnd())
  const network = renderNetwork(frame, all, MESSAGES_IN_SIGHT)
  const comment = frame.comment === '' ? [] : ['', ...renderComment(frame, all)]
  const legend = wrap(LEGEND, width).map((line) => paint('dim', line))

  const smallest = renderServers(frame, previous, { ...all, logRows: FEWEST_LOG_ROWS }).length
  let happening = ['', ...renderHappening(frame, all)]
  for (let said = frame.said.length - 1; said > 0 && smallest + happening.length > height - 2; said--) {
    happening = ['', ...renderHappening(frame, all, said)]
  }
  const room = height - 2 - happening.length
  const longest = Math.max(FEWEST_LOG_ROWS, ...frame.servers.map(({ entries }) => entries.length))
  let table = renderServers(frame, previous, all)
  for (let logRows = longest; table.length > room && logRows > FEWEST_LOG_ROWS; logRows--) {
    table = renderServers(frame, previous, { ...all, logRows: logRows - 1 })
  }
  const body = [...table]
  const fits = (lines: readonly string[]): boolean => body.length + lines.length <= room
  if (fits(network)) body.push(...network)
  body.push(...happening)
  for (const extra of [comment, legend]) if (body.length + extra.length <= height - 2) body.push(...extra)
  const shown = body.slice(0, Math.max(0, height - 2))
  const blank = Array<string>(Math.max(0, height - 2 - shown.length)).fill('')
  return [header, ...shown, ...blank, footer].slice(-height)
}

function renderComment({ comment }: Frame, { width, paint }: RenderOptions): string[] {
  return wrap(comment, width).map((line) => paint('dim', line))
}
