import { percentileOf } from '../statistics.ts'
import type { Outcome } from './rounds.ts'

const [WIDTH, LEFT, ROW, TOP] = [760, 210, 34, 40]

/** A picture of outcomes: a row for each, a dot for each time without service, a line where half of them lie. */
export function plot(title: string, outcomes: readonly Outcome[]): string {
  const largest = Math.max(1000, ...outcomes.flatMap(({ gaps }) => gaps))
  const step = [200, 500, 1000, 2000, 5000, 10_000].find((step) => largest / step <= 9) ?? 20_000
  const right = Math.ceil(largest / step) * step
  const x = (ms: number) => (LEFT + (ms / right) * (WIDTH - LEFT - 20)).toFixed(1)
  const bottom = TOP + outcomes.length * ROW
  const ticks = Array.from({ length: right / step + 1 }, (_, i) => i * step)
  const grid = ticks.map(
    (ms) =>
      `<line x1="${x(ms)}" x2="${x(ms)}" y1="${TOP - 8}" y2="${bottom}" stroke="#ddd"/>` +
      `<text x="${x(ms)}" y="${bottom + 16}" text-anchor="middle">${ms / 1000} s</text>`,
  )
  const rows = outcomes.map(({ round, gaps }, row) => {
    const y = TOP + row * ROW + ROW / 2
    const dots = gaps.map((gap, i) => `<circle cx="${x(gap)}" cy="${y - 6 + (i % 5) * 3}" r="3.2"/>`)
    const half = x(percentileOf(gaps, 50))
    return (
      `<text x="${LEFT - 12}" y="${y + 4}" text-anchor="end">${round}</text>` +
      `<g fill="#2a6fbb" fill-opacity="0.55">${dots.join('')}</g>` +
      `<line x1="${half}" x2="${half}" y1="${y - 13}" y2="${y + 13}" stroke="#c0392b" stroke-width="2"/>`
    )
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 30}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="${LEFT}" y="20" font-weight="bold">${title}</text>`,
    ...grid,
    ...rows,
    '</svg>',
    '',
  ].join('\n')
}
