import type { Dice } from '../engine/dice.ts'
import type { SimulatedNode } from '../node.ts'
import type { World } from '../world.ts'
import type { Ending, Fault } from './fault.ts'

function target(world: World, dice: Dice): SimulatedNode {
  return world.node(world.leaderOrAny(dice))
}

function crash(name: string, weight: number, power: boolean): Fault {
  return {
    name,
    weight,
    leastNodes: 1,
    lastsMs: 1500,
    apply(world, dice): Ending | undefined {
      const node = target(world, dice)
      return node.crash(power) ? () => node.start() : undefined
    },
  }
}

/** The process dies between one I/O step and the next, wherever that leaves it. */
const crashAtIo: Fault = {
  name: 'crash-at-io',
  weight: 4,
  leastNodes: 1,
  lastsMs: 1500,
  apply(world, dice): Ending {
    const node = target(world, dice)
    node.crashAtIo(1 + dice.below(12), dice.chance(0.5))
    return () => node.start()
  },
}

/** Several nodes at once, often all of them. */
const blackout: Fault = {
  name: 'crash-all',
  weight: 2,
  leastNodes: 3,
  lastsMs: 800,
  apply(world, dice): Ending {
    const power = dice.chance(0.7)
    const all = dice.chance(0.6)
    const nodes = world.nodes.filter((node) => (all || dice.chance(0.6)) && node.crash(power))
    return () => {
      for (const node of dice.shuffled(nodes)) node.startIn(dice.between(0, 600))
    }
  },
}

/** A clean stop, as by SIGTERM, and a start. */
const restart: Fault = {
  name: 'restart',
  weight: 2,
  leastNodes: 1,
  lastsMs: 800,
  apply(world, dice): Ending {
    const node = target(world, dice)
    node.stop()
    return () => node.start()
  },
}

/** It stops for seconds and goes on with what it believed. */
const pause: Fault = {
  name: 'pause',
  weight: 4,
  leastNodes: 1,
  lastsMs: 2500,
  apply(world, dice): Ending | undefined {
    const node = target(world, dice)
    return node.pause() ? () => node.resume() : undefined
  },
}

function clock(name: string, weight: number, rate: (dice: Dice) => number): Fault {
  return {
    name,
    weight,
    leastNodes: 1,
    lastsMs: 5000,
    apply(world, dice): Ending {
      const node = target(world, dice)
      node.setClockRate(rate(dice))
      return () => node.setClockRate(1)
    },
  }
}

const clockJump: Fault = {
  name: 'clock-jump',
  weight: 2,
  leastNodes: 1,
  lastsMs: 0,
  apply(world, dice) {
    target(world, dice).jumpClock(dice.heavyTailed(300, 0.8, 60_000))
    return undefined
  },
}

export const NODE_FAULTS: readonly Fault[] = [
  crash('crash', 4, false),
  crash('power-loss', 4, true),
  crashAtIo,
  blackout,
  restart,
  pause,
  clock('clock-fast', 1, (dice) => dice.between(1.05, 4)),
  clock('clock-slow', 1, (dice) => dice.between(0.2, 0.95)),
  clockJump,
]
