import type { Operation } from './types.ts'

/** Where a bar of the timeline is, in pixels. */
export interface Bar {
  readonly operation: Operation
  readonly lane: number
  readonly left: number
  readonly right: number
}

/** Operations laid out: time to the right, a lane or more for each client. */
export interface Layout {
  readonly bars: readonly Bar[]
  /** The clients from the top, and the first lane and number of lanes of each. */
  readonly clients: readonly {
    readonly process: number | string
    readonly lane: number
    readonly lanes: number
  }[]
  readonly lanes: number
  readonly width: number
}

/** Between one event and the next, at least. */
const GAP = 18

/** What is left free at the right of the last event. */
const RIGHT_MARGIN = 60

/**
 * Lays operations out. Events stand in their order, as far apart as the words in the bars need: real time would
 * make most bars too short to read and the rest empty space, and does not matter to the question.
 *
 * @param widthOf how much room an operation's words take, in pixels
 */
export function layOut(operations: readonly Operation[], widthOf: (operation: Operation) => number): Layout {
  const events = operations.flatMap((operation) => [
    { operation, at: operation.call, isEnd: false },
    ...(isOpen(operation) ? [] : [{ operation, at: operation.return, isEnd: true }]),
  ])
  events.sort((a, b) => a.at - b.at || Number(a.isEnd) - Number(b.isEnd))
  const lefts = new Map<Operation, number>()
  const rights = new Map<Operation, number>()
  let x = 0
  for (const { operation, isEnd } of events) {
    x += GAP
    if (isEnd) x = Math.max(x, lefts.get(operation)! + widthOf(operation))
    ;(isEnd ? rights : lefts).set(operation, x)
  }
  for (const operation of operations) {
    if (isOpen(operation)) x = Math.max(x, lefts.get(operation)! + widthOf(operation))
  }
  const width = x + RIGHT_MARGIN
  const bars: Bar[] = []
  const clients: { process: number | string; lane: number; lanes: number }[] = []
  let lane = 0
  for (const process of new Set(operations.map((operation) => operation.process))) {
    const ends: number[] = []
    for (const operation of operations) {
      if (operation.process !== process) continue
      const left = lefts.get(operation)!
      const right = rights.get(operation) ?? width
      const free = ends.findIndex((end) => end < left)
      const own = free < 0 ? ends.length : free
      ends[own] = right
      bars.push({ operation, lane: lane + own, left, right })
    }
    clients.push({ process, lane, lanes: ends.length })
    lane += ends.length
  }
  return { bars, clients, lanes: lane, width }
}

/**
 * The points of an order: one in each bar, never to the left of the one before.
 *
 * @param bars in that order
 */
export function placePoints(bars: readonly Bar[]): number[] {
  const inset = GAP * 0.4
  const latest: number[] = []
  for (let index = bars.length - 1; index >= 0; index--) {
    latest[index] = Math.min(bars[index]!.right - inset, latest[index + 1] ?? Infinity)
  }
  const points: number[] = []
  bars.forEach(({ left }, index) => {
    const before = points[index - 1] ?? -Infinity
    points.push(Math.min(latest[index]!, Math.max(before + GAP, left + inset * 2)))
  })
  return points
}

/** Whether the outcome is unknown, so that the operation never ends. */
export function isOpen({ output }: Operation): boolean {
  return output === undefined
}
