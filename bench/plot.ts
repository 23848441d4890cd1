import { scaleLinear, scaleLog } from 'd3-scale'
import { line } from 'd3-shape'

/** A line of a plot: its points in the order in which they are joined. */
export interface Line {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface PlotOptions {
  readonly title: string
  /** What the axes show, with the unit. */
  readonly x: string
  readonly y: string
  /** The x axis by powers of two; every x is above 0 then. */
  readonly logarithmicX?: boolean
  /** Moments on the x axis. */
  readonly marks?: readonly { readonly x: number; readonly text: string }[]
}

const WIDTH = 720
const HEIGHT = 360
const LEFT = 80
const RIGHT = 190
const TOP = 40
const BOTTOM = 50
/** Okabe and Ito's, which the colour-blind can tell apart. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000']

/** A plot as one SVG element; the y axis begins at 0. @throws RangeError where there is no point */
export function linePlot(lines: readonly Line[], options: PlotOptions): string {
  const points = lines.flatMap(({ points }) => points)
  if (points.length === 0) throw new RangeError('no points')
  const xs = points.map(([x]) => x)
  const domain: [number, number] = [Math.min(...xs), Math.max(...xs)]
  const range: [number, number] = [LEFT, WIDTH - RIGHT]
  const x = options.logarithmicX ? scaleLog(domain, range).base(2) : scaleLinear(domain, range)
  const top = Math.max(...points.map(([, y]) => y)) || 1
  const y = scaleLinear([0, top], [HEIGHT - BOTTOM, TOP]).nice()
  const path = line<readonly [number, number]>(
    (point) => x(point[0]),
    (point) => y(point[1]),
  ).digits(1)

  const xTicks = options.logarithmicX ? [...new Set(xs)] : x.ticks(8)
  const parts = [
    text(LEFT, 20, options.title, 'font-weight="bold"'),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, options.x, 'text-anchor="middle"'),
    text(
      0,
      0,
      options.y,
      `text-anchor="middle" transform="translate(14 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"`,
    ),
    ...y
      .ticks(5)
      .flatMap((tick) => [
        rule(LEFT, y(tick), WIDTH - RIGHT, y(tick), '#ddd'),
        text(LEFT - 8, y(tick) + 4, tick.toLocaleString('en-US'), 'text-anchor="end"'),
      ]),
    ...xTicks.map((tick) =>
      text(x(tick), HEIGHT - BOTTOM + 18, tick.toLocaleString('en-US'), 'text-anchor="middle"'),
    ),
    ...(options.marks ?? []).flatMap((mark) => [
      rule(x(mark.x), TOP, x(mark.x), HEIGHT - BOTTOM, '#888'),
      text(x(mark.x) + 4, TOP + 10, mark.text, 'fill="#666"'),
    ]),
    ...lines.flatMap(({ name, points }, i) => {
      const colour = COLOURS[i % COLOURS.length]!
      // Where there are more lines than colours, the next round is dashed.
      const dashes =
        i < COLOURS.length ? '' : ` stroke-dasharray="${2 + 4 * Math.floor(i / COLOURS.length)} 4"`
      return [
        `<path d="${path(points) ?? ''}" fill="none" stroke="${colour}" stroke-width="2"${dashes}/>`,
        ...points.map(
          (at) => `<circle cx="${round(x(at[0]))}" cy="${round(y(at[1]))}" r="3" fill="${colour}"/>`,
        ),
        text(
          WIDTH - RIGHT + 12,
          TOP + 10 + 18 * i,
          i < COLOURS.length ? name : `${name} (dashed)`,
          `fill="${colour}"`,
        ),
      ]
    }),
  ]
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" ` +
    `height="${HEIGHT}" font-family="system-ui,sans-serif" font-size="12">${parts.join('')}</svg>`
  )
}

/** Text that means itself in HTML and SVG. */
export function escapeHtml(plain: string): string {
  return plain.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeHtml(content)}</text>`
}

function rule(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"/>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
