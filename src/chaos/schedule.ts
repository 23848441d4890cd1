import { Dice } from './dice.ts'
import type { Action, Step } from './steps.ts'
import type { FaultKind } from './target.ts'

export interface ScheduleOptions {
  readonly seed: number
  /** The ids of the nodes. */
  readonly nodes: readonly string[]
  readonly kinds: readonly FaultKind[]
  /** How long it takes, about, in milliseconds. */
  readonly durationMs: number
}

/** A fault, and what takes it back. */
interface Fault {
  readonly begin: readonly Action[]
  readonly end: readonly Action[]
}

/** How long a fault lasts, and how long the cluster is left alone before the next one: bounds, in milliseconds. */
const FAULT_MS = [800, 5000] as const
const CALM_MS = [500, 3000] as const
/** How many faults in a hundred get another one on top. */
const ON_TOP_PERCENT = 35

/**
 * A random schedule: one fault after the other, each taken back after a while, some on top of another. The same
 * seed gives the same steps. What it does depends on who leads only where it says `leader`.
 */
export function randomSchedule({ seed, nodes, kinds, durationMs }: ScheduleOptions): Step[] {
  const dice = new Dice(seed)
  const steps: Step[] = []
  let passed = 0
  const wait = ([lowest, highest]: readonly [number, number]) => {
    const waitMs = dice.between(lowest, highest)
    passed += waitMs
    steps.push({ waitMs })
  }
  wait(CALM_MS)
  for (let number = 1; passed < durationMs; number++) {
    const first = drawFault(dice, nodes, kinds, `a${number}`)
    steps.push(...first.begin)
    wait(FAULT_MS)
    if (dice.below(100) < ON_TOP_PERCENT) {
      const second = drawFault(dice, nodes, kinds, `b${number}`)
      steps.push(...second.begin)
      wait(FAULT_MS)
      steps.push(...second.end)
    }
    steps.push(...first.end)
    wait(CALM_MS)
  }
  return steps
}

function drawFault(dice: Dice, nodes: readonly string[], kinds: readonly FaultKind[], name: string): Fault {
  const kind = dice.pick(kinds)
  const node = dice.pick(['leader', ...nodes])
  switch (kind) {
    case 'kill':
    case 'stop':
      return drawEnds(dice, nodes, kind, node, name)
    case 'pause': {
      const end: Action = { do: 'resume', node: name }
      return { begin: [{ do: 'pause', node, as: name }], end: [end] }
    }
    case 'cut':
      return { begin: [drawCut(dice, nodes, node)], end: [{ do: 'heal' }] }
    case 'slow': {
      const [delayMs, lossRate] = [dice.between(5, 150), dice.below(20) / 100]
      return { begin: [{ do: 'slow', node, delayMs, lossRate }], end: [{ do: 'heal' }] }
    }
    case 'disk':
      return {
        begin: [{ do: 'fillDisk', node, as: name }],
        end: [{ do: 'heal' }, { do: 'start', node: name }],
      }
  }
}

/** One node, several of them, or all: at once, or one after the other, again and again. */
function drawEnds(
  dice: Dice,
  nodes: readonly string[],
  kind: 'kill' | 'stop',
  node: string,
  name: string,
): Fault {
  const what = dice.below(10)
  if (what < 6) return { begin: [{ do: kind, node, as: name }], end: [{ do: 'start', node: name }] }
  if (what < 8) {
    const several = dice.shuffled(nodes).slice(0, dice.between(1, nodes.length))
    return {
      begin: several.map((each) => ({ do: kind, node: each })),
      end: dice.shuffled(several).map((each) => ({ do: 'start', node: each })),
    }
  }
  if (what < 9) return { begin: [{ do: kind, node: 'all' }], end: [{ do: 'start', node: 'all' }] }
  // Again at any moment of its start.
  const again = [
    { do: 'start', node: name },
    { do: kind, node: name },
  ] as const
  return { begin: [{ do: kind, node, as: name }, ...again, ...again], end: [{ do: 'start', node: name }] }
}

function drawCut(dice: Dice, nodes: readonly string[], node: string): Action {
  const what = dice.below(10)
  if (what < 4) return { do: 'isolate', node }
  if (what < 7) return { do: 'isolate', node, direction: dice.pick(['in', 'out'] as const) }
  const [from = '', to = ''] = dice.shuffled(nodes)
  if (what < 8 && nodes.length > 1) return { do: 'cut', from, to }
  return { do: 'split', nodes: dice.shuffled(nodes).slice(0, Math.ceil(nodes.length / 2)) }
}
