import { type Bar, isOpen, layOut, type Layout, placePoints } from './timeline.ts'
import type { Model, Operation } from './types.ts'

const LANE_HEIGHT = 52
const BAR_HEIGHT = 38
const TOP = 34
const CHARACTER_WIDTH = 7.3
const BAR_PADDING = 12
const LONGEST_LABEL = 48
const POINT_RADIUS = 8

/** What a picture shows. */
export interface Picture<State, Input, Output> {
  /** Before the first operation. */
  readonly start: State
  readonly operations: readonly Operation<Input, Output>[]
  /** The operations that are to stand out. */
  readonly emphasized: ReadonlySet<Operation<Input, Output>>
  readonly order: readonly Operation<Input, Output>[]
  readonly blocked: Operation<Input, Output>
}

/**
 * A timeline as SVG: a bar for each operation, coloured by its kind, in the rows of its client; the longest legal
 * order as a line through numbered points, and where no order is left. Styled by the page around it.
 */
export function renderSvg<State, Input, Output>(
  model: Model<State, Input, Output>,
  picture: Picture<State, Input, Output>,
): string {
  const words = (operation: Operation): string =>
    shorten(model.describe(operation.input as Input, operation.output as Output | undefined))
  const layout = layOut(picture.operations, (each) => words(each).length * CHARACTER_WIDTH + 2 * BAR_PADDING)
  const margin =
    Math.max(...layout.clients.map(({ process }) => `client ${process}`.length)) * CHARACTER_WIDTH + 24
  const width = margin + layout.width
  const height = TOP + layout.lanes * LANE_HEIGHT + 12
  const drawn = layout.bars.map((bar) => {
    const { input, output } = bar.operation as Operation<Input, Output>
    return drawBar(bar, words(bar.operation), model.kind(input), {
      isEmphasized: picture.emphasized.has(bar.operation as Operation<Input, Output>),
      isBlocked: bar.operation === picture.blocked,
      title: `${model.describe(input, output)} — client ${bar.operation.process}, ${times(bar.operation)}`,
    })
  })
  const order = drawOrder(model, layout, picture, height - TOP)
  return [
    `<svg width="${width}" height="${height}" role="img">`,
    ...drawRows(layout, margin),
    `<g transform="translate(${margin},${TOP})">`,
    // Lines under the words, points over them.
    ...drawn.map(({ bar }) => bar),
    ...order.lines,
    ...drawn.map(({ label }) => label),
    ...order.points,
    '</g></svg>',
  ].join('\n')
}

/** Text as it may stand in HTML and SVG. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

function drawRows(layout: Layout, margin: number): string[] {
  return layout.clients.flatMap(({ process, lane, lanes }, index) => {
    const top = TOP + lane * LANE_HEIGHT
    const height = lanes * LANE_HEIGHT
    const shade = `<rect class="row${index % 2}" x="0" y="${top}" width="100%" height="${height}"/>`
    const name = escapeHtml(`client ${process}`)
    return [shade, `<text class="client" x="${margin - 12}" y="${top + height / 2 + 4}">${name}</text>`]
  })
}

function drawBar(
  { operation, lane, left, right }: Bar,
  words: string,
  kind: string,
  how: { readonly isEmphasized: boolean; readonly isBlocked: boolean; readonly title: string },
): { bar: string; label: string } {
  const top = lane * LANE_HEIGHT + (LANE_HEIGHT - BAR_HEIGHT) / 2
  const classes = [
    kind,
    ...(how.isEmphasized ? [] : ['faint']),
    ...(how.isBlocked ? ['blocked'] : []),
    ...(isOpen(operation) ? ['open'] : []),
  ]
  const title = `<title>${escapeHtml(how.title)}</title>`
  const group = (name: string, content: string): string =>
    `<g class="${name} ${classes.join(' ')}">${title}${content}</g>`
  const box = `x="${left}" y="${top}" width="${right - left}" height="${BAR_HEIGHT}" rx="6"`
  return {
    bar: group('bar', `<rect ${box}/>`),
    label: group('label', `<text x="${left + BAR_PADDING}" y="${top + 15}">${escapeHtml(words)}</text>`),
  }
}

function drawOrder<State, Input, Output>(
  model: Model<State, Input, Output>,
  layout: Layout,
  { start, order, blocked }: Picture<State, Input, Output>,
  height: number,
): { lines: string[]; points: string[] } {
  const barOf = new Map(layout.bars.map((bar) => [bar.operation, bar]))
  const placed = order.flatMap((operation, index) => {
    const bar = barOf.get(operation)
    return bar ? [{ operation, bar, number: index + 1 }] : []
  })
  const xs = placePoints(placed.map(({ bar }) => bar))
  const ys = placed.map(({ bar }) => pointY(bar))
  const states = statesAlong(model, start, order)
  const line = xs.map((x, index) => `${round(x)},${ys[index]}`).join(' ')
  const points = placed.map(({ number, operation }, index) => {
    const state = states[number - 1]
    const title = `${number}. ${model.describe(operation.input, operation.output)}${state ? `: ${state}` : ''}`
    const at = `cx="${round(xs[index]!)}" cy="${ys[index]}" r="${POINT_RADIUS}"`
    const text = `<text x="${round(xs[index]!)}" y="${ys[index]! + 3.5}">${number}</text>`
    return `<g class="point"><title>${escapeHtml(title)}</title><circle ${at}/>${text}</g>`
  })
  const end = barOf.get(blocked)
  const lines = [`<polyline class="order" points="${line}"/>`]
  if (!end) return { lines, points }
  return {
    lines: [...lines, ...drawEnd(end, xs.at(-1), ys.at(-1), height)],
    points: [...points, drawCross(end)],
  }
}

/** Where no order is left: the return of the operation that has no place. */
function drawEnd(bar: Bar, x: number | undefined, y: number | undefined, height: number): string[] {
  const at = bar.right
  return [
    `<line class="end" x1="${at}" x2="${at}" y1="-8" y2="${height - 12}"/>`,
    `<text class="end" x="${at}" y="-14">no order is left</text>`,
    ...(x === undefined
      ? []
      : [`<line class="search" x1="${round(x)}" y1="${y}" x2="${at}" y2="${pointY(bar)}"/>`]),
  ]
}

function drawCross(bar: Bar): string {
  const middle = pointY(bar)
  const cross = `M${bar.right - 5},${middle - 5}l10,10m0,-10l-10,10`
  const circle = `<circle cx="${bar.right}" cy="${middle}" r="${POINT_RADIUS + 2}"/>`
  return `<g class="cross">${circle}<path d="${cross}"/></g>`
}

/** The state after each operation of an order, in words. */
function statesAlong<State, Input, Output>(
  model: Model<State, Input, Output>,
  start: State,
  order: readonly Operation<Input, Output>[],
): string[] {
  const states: string[] = []
  let state: State | undefined = start
  for (const { input, output } of order) {
    state = model.step(state, input, output)
    if (state === undefined) break
    states.push(`the key ${model.describeState(state)}`)
  }
  return states
}

function pointY({ lane }: Bar): number {
  return lane * LANE_HEIGHT + (LANE_HEIGHT - BAR_HEIGHT) / 2 + 27
}

function times(operation: Operation): string {
  const start = operation.callTime ?? operation.call
  if (isOpen(operation)) return `asked at ${round(start)}, outcome unknown`
  return `from ${round(start)} to ${round(operation.returnTime ?? operation.return)}`
}

function round(x: number): number {
  return Math.round(x * 1000) / 1000
}

function shorten(words: string): string {
  return words.length <= LONGEST_LABEL ? words : `${words.slice(0, LONGEST_LABEL - 1)}…`
}
