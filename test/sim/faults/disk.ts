import type { Ending, Fault } from './fault.ts'

function failing(name: string, failNext: 'write' | 'sync'): Fault {
  return {
    name,
    weight: 2,
    leastNodes: 1,
    lastsMs: 0,
    apply(world, dice) {
      world.node(world.leaderOrAny(dice)).disk.temper.failNext = failNext
      return undefined
    },
  }
}

const slow: Fault = {
  name: 'slow-disk',
  weight: 3,
  leastNodes: 1,
  lastsMs: 3000,
  apply(world, dice): Ending {
    const { temper } = world.node(world.leaderOrAny(dice)).disk
    const slowness = dice.heavyTailed(5, 0.7, 500)
    temper.slowness *= slowness
    return () => {
      temper.slowness /= slowness
    }
  },
}

/** No space is left until somebody frees some; the node stops, and cannot start before. */
const full: Fault = {
  name: 'full-disk',
  weight: 2,
  leastNodes: 1,
  lastsMs: 2000,
  apply(world, dice): Ending {
    const { temper } = world.node(world.leaderOrAny(dice)).disk
    temper.full = true
    return () => {
      temper.full = false
    }
  },
}

export const DISK_FAULTS: readonly Fault[] = [
  failing('write-error', 'write'),
  failing('sync-error', 'sync'),
  slow,
  full,
]
