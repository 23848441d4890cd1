import type { Dice } from '../engine/dice.ts'
import type { Link } from '../engine/network.ts'
import type { World } from '../world.ts'
import type { Ending, Fault } from './fault.ts'

/** The links that this weather is over: all between nodes, or those of one node; sometimes those of clients. */
function links(world: World, dice: Dice): Link[] {
  const hosts = dice.chance(0.3) ? [...world.ids, ...world.clientNames] : world.ids
  const centre = dice.chance(0.5) ? undefined : world.leaderOrAny(dice)
  const found: Link[] = []
  for (const from of hosts) {
    for (const to of hosts) {
      if (from === to || (centre !== undefined && from !== centre && to !== centre)) continue
      found.push(world.network.link(from, to))
    }
  }
  return found
}

function weather(
  name: string,
  weight: number,
  aspect: 'loss' | 'duplication' | 'reordering' | 'slowMs',
  draw: (dice: Dice) => number,
): Fault {
  return {
    name,
    weight,
    leastNodes: aspect === 'slowMs' ? 1 : 3,
    lastsMs: 4000,
    apply(world, dice): Ending {
      const strength = draw(dice)
      const covered = links(world, dice)
      for (const link of covered) link[aspect] += strength
      return () => {
        for (const link of covered) link[aspect] = Math.max(0, link[aspect] - strength)
      }
    },
  }
}

/** Connections break, with or without what was on its way. */
const reset: Fault = {
  name: 'reset',
  weight: 3,
  leastNodes: 1,
  lastsMs: 0,
  apply(world, dice) {
    const node = world.leaderOrAny(dice)
    const hosts = dice.chance(0.5) ? world.clientNames : world.ids
    for (const host of hosts) if (dice.chance(0.7)) world.network.reset(node, host)
    return undefined
  },
}

export const NETWORK_FAULTS: readonly Fault[] = [
  weather('loss', 2, 'loss', (dice) => dice.between(0.02, 0.4)),
  weather('duplication', 2, 'duplication', (dice) => dice.between(0.05, 0.5)),
  weather('reordering', 2, 'reordering', (dice) => dice.between(0.05, 0.5)),
  weather('delay', 2, 'slowMs', (dice) => dice.heavyTailed(2, 1, 300)),
  reset,
]
