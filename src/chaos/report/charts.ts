import type { FaultSpan } from '../injector.ts'
import type { Second } from '../meter.ts'
import type { ChaosResult } from '../result.ts'
import { escapeHtml, seconds } from './format.ts'

/** Where things are, in pixels. */
const LEFT = 92
const RIGHT = 18
const NARROWEST = 1120
/** A run of more seconds than fit gets this many pixels for each, and scrolls. */
const PIXELS_A_SECOND = 6
const PLOT = 110
const GAP = 34
const ROLE_ROW = 22
const FAULT_ROW = 20
const TOP = 10
const AXIS = 26
/** A bar of a fault too short to be seen is drawn this long. */
const SHORTEST_BAR = 3

/** Draws every part against the same seconds. */
interface Canvas {
  readonly parts: string[]
  readonly width: number
  x(milliseconds: number): number
}

/**
 * The timeline as SVG: throughput, latency, the role of each node, the faults. Faults are bands over everything,
 * so that what they did is seen below each other.
 */
export function renderCharts(result: ChaosResult): string {
  const { durationMs, seconds: perSecond, nodes, faults, healedMs } = result
  const width = Math.max(NARROWEST, LEFT + RIGHT + (durationMs / 1000) * PIXELS_A_SECOND)
  const x = (milliseconds: number) =>
    LEFT + (Math.min(milliseconds, durationMs) / durationMs) * (width - LEFT - RIGHT)
  const canvas: Canvas = { parts: [], width, x }
  const lanes = lanesOf(faults)
  const throughputTop = TOP + 16
  const latencyTop = throughputTop + PLOT + GAP
  const rolesTop = latencyTop + PLOT + GAP
  const faultsTop = rolesTop + nodes.length * ROLE_ROW + GAP
  const bottom = faultsTop + Math.max(1, lanes.length) * FAULT_ROW
  for (const { fromMs, toMs } of faults) {
    const left = x(fromMs)
    const size = `width="${round(Math.max(SHORTEST_BAR, x(toMs) - left))}" height="${bottom - TOP}"`
    canvas.parts.push(`<rect class="band" x="${round(left)}" y="${TOP}" ${size}/>`)
  }
  drawThroughput(canvas, perSecond, throughputTop)
  drawLatency(canvas, perSecond, latencyTop)
  drawRoles(canvas, result, rolesTop)
  drawFaults(canvas, lanes, faultsTop)
  drawAxis(canvas, durationMs, bottom)
  const healed = round(x(healedMs))
  canvas.parts.push(
    `<line class="healed" x1="${healed}" x2="${healed}" y1="${TOP}" y2="${bottom}"><title>all healed</title></line>`,
  )
  const height = bottom + AXIS
  return `<div class="picture"><svg width="${round(width)}" height="${height}" viewBox="0 0 ${round(width)} ${height}">${canvas.parts.join('\n')}</svg></div>`
}

function drawThroughput(canvas: Canvas, perSecond: readonly Second[], top: number): void {
  const most = niceCeiling(Math.max(1, ...perSecond.map(({ ok, failed, unknown }) => ok + failed + unknown)))
  const y = (value: number) => top + PLOT - (value / most) * PLOT
  drawScale(canvas, 'operations', 'a second', top, [0, most / 2, most], y)
  for (const [index, { ok, failed, unknown }] of perSecond.entries()) {
    const left = canvas.x(index * 1000)
    const barWidth = Math.max(1, canvas.x((index + 1) * 1000) - left - 1)
    const title = `<title>second ${index + 1}: ${ok} ok, ${failed} failed, ${unknown} unknown</title>`
    const bar = (from: number, to: number, kind: string) =>
      from === to
        ? ''
        : `<rect class="${kind}" x="${round(left)}" y="${round(y(to))}" width="${round(barWidth)}" height="${round(y(from) - y(to))}"/>`
    canvas.parts.push(
      `<g>${title}${bar(0, ok, 'ok')}${bar(ok, ok + failed, 'failed')}${bar(ok + failed, ok + failed + unknown, 'unknown')}</g>`,
    )
  }
}

/** On a logarithmic scale: a second without a leader must not make all others a flat line. */
function drawLatency(canvas: Canvas, perSecond: readonly Second[], top: number): void {
  const values = perSecond.flatMap(({ p50, p99 }) => [p50, p99]).filter((value) => value !== null)
  const lowest = 10 ** Math.floor(Math.log10(Math.max(0.1, Math.min(...values, 1))))
  const highest = 10 ** Math.ceil(Math.log10(Math.max(...values, lowest * 10)))
  const decades = Math.log10(highest / lowest)
  const y = (value: number) => top + PLOT - (Math.log10(Math.max(value, lowest) / lowest) / decades) * PLOT
  const marks = Array.from({ length: Math.round(decades) + 1 }, (_, power) => lowest * 10 ** power)
  drawScale(canvas, 'latency', 'ms', top, marks, y)
  for (const kind of ['p99', 'p50'] as const) {
    for (const run of runsOf(perSecond.map((second) => second[kind]))) {
      const points = run.map(([index, value]) => `${round(canvas.x(index * 1000 + 500))},${round(y(value))}`)
      // A second by itself is a point.
      const drawn = points.length === 1 ? [points[0], points[0]] : points
      canvas.parts.push(`<polyline class="${kind}" points="${drawn.join(' ')}"/>`)
    }
  }
  const right = canvas.width - RIGHT
  canvas.parts.push(
    `<text class="key" x="${right}" y="${top - 6}"><tspan class="p50">p50</tspan> <tspan class="p99">p99</tspan></text>`,
  )
}

function drawRoles(canvas: Canvas, { nodes, roles }: ChaosResult, top: number): void {
  canvas.parts.push(`<text class="title" x="${LEFT}" y="${top - 8}">role of each node</text>`)
  for (const [row, id] of nodes.entries()) {
    const y = top + row * ROLE_ROW
    canvas.parts.push(`<text class="name" x="${LEFT - 10}" y="${y + 14}">${escapeHtml(id)}</text>`)
    for (const { role, term, fromMs, toMs } of roles.filter((span) => span.id === id)) {
      const left = canvas.x(fromMs)
      const size = `width="${round(Math.max(1, canvas.x(toMs) - left))}" height="${ROLE_ROW - 6}"`
      const kind = role === 'preCandidate' ? 'candidate' : role
      const title = `<title>${escapeHtml(id)}: ${role}${term > 0 ? `, term ${term}` : ''}, ${seconds(fromMs)} to ${seconds(toMs)}</title>`
      canvas.parts.push(`<rect class="role ${kind}" x="${round(left)}" y="${y + 2}" ${size}>${title}</rect>`)
      if (role === 'leader' && canvas.x(toMs) - left > 30) {
        canvas.parts.push(`<text class="term" x="${round(left + 5)}" y="${y + 14}">${term}</text>`)
      }
    }
  }
}

function drawFaults(canvas: Canvas, lanes: readonly (readonly FaultSpan[])[], top: number): void {
  canvas.parts.push(`<text class="title" x="${LEFT}" y="${top - 8}">faults</text>`)
  for (const [row, lane] of lanes.entries()) {
    const y = top + row * FAULT_ROW
    for (const [index, { label, kind, fromMs, toMs }] of lane.entries()) {
      const left = canvas.x(fromMs)
      const title = `<title>${escapeHtml(label)}, ${seconds(fromMs)} to ${seconds(toMs)}</title>`
      const barWidth = Math.max(SHORTEST_BAR, canvas.x(toMs) - left)
      canvas.parts.push(
        `<rect class="fault ${kind}" x="${round(left)}" y="${y + 2}" width="${round(barWidth)}" height="${FAULT_ROW - 5}" rx="2">${title}</rect>`,
      )
      // The text may run over the end of the bar, up to the next one of this lane.
      const next = lane[index + 1]
      const room = (next === undefined ? canvas.width - RIGHT : canvas.x(next.fromMs)) - left - 8
      const fits = Math.floor(room / 6.2)
      if (fits >= 4) {
        const text = label.length > fits ? `${label.slice(0, fits - 1)}…` : label
        canvas.parts.push(
          `<text class="label" x="${round(left + 4)}" y="${y + 13}">${escapeHtml(text)}</text>`,
        )
      }
    }
  }
}

function drawAxis(canvas: Canvas, durationMs: number, y: number): void {
  const steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800].map((step) => step * 1000)
  const step = steps.find((each) => canvas.x(each) - canvas.x(0) >= 60) ?? 3_600_000
  for (let at = 0; at <= durationMs; at += step) {
    const x = round(canvas.x(at))
    canvas.parts.push(
      `<line class="tick" x1="${x}" x2="${x}" y1="${y}" y2="${y + 4}"/><text class="axis" x="${x}" y="${y + 18}">${axisTime(at)}</text>`,
    )
  }
}

function drawScale(
  canvas: Canvas,
  title: string,
  unit: string,
  top: number,
  marks: readonly number[],
  y: (value: number) => number,
): void {
  const right = canvas.width - RIGHT
  canvas.parts.push(`<text class="title" x="${LEFT}" y="${top - 6}">${title}, ${unit}</text>`)
  for (const mark of marks) {
    const at = round(y(mark))
    canvas.parts.push(
      `<line class="grid" x1="${LEFT}" x2="${right}" y1="${at}" y2="${at}"/><text class="name" x="${LEFT - 10}" y="${at + 4}">${mark.toLocaleString('en')}</text>`,
    )
  }
}

/** Faults in as few rows as it takes so that none overlaps another. */
function lanesOf(faults: readonly FaultSpan[]): FaultSpan[][] {
  const lanes: FaultSpan[][] = []
  for (const fault of [...faults].sort((a, b) => a.fromMs - b.fromMs)) {
    const free = lanes.find((lane) => lane.at(-1)!.toMs <= fault.fromMs)
    if (free) free.push(fault)
    else lanes.push([fault])
  }
  return lanes
}

/** Neighbours that have a value, with their places. */
function runsOf(values: readonly (number | null)[]): [index: number, value: number][][] {
  const runs: [number, number][][] = [[]]
  for (const [index, value] of values.entries()) {
    if (value === null) runs.push([])
    else runs.at(-1)!.push([index, value])
  }
  return runs.filter((run) => run.length > 0)
}

/** The next number that is easy to halve and to read. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 4, 6, 8, 10].map((factor) => factor * power).find((candidate) => candidate >= value)!
}

function axisTime(milliseconds: number): string {
  const whole = Math.round(milliseconds / 1000)
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
