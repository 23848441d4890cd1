import type { Dice } from '../engine/dice.ts'
import type { World } from '../world.ts'
import type { Ending, Fault } from './fault.ts'

type Cut = readonly [from: string, to: string]

/** Blocks these links, each in its direction. Half the time what stands there is reset too. */
function block(world: World, dice: Dice, cuts: readonly Cut[]): Ending {
  const reset = dice.chance(0.4)
  for (const [from, to] of cuts) {
    world.network.block(from, to)
    if (reset) world.network.reset(from, to)
  }
  return () => {
    for (const [from, to] of cuts) world.network.unblock(from, to)
  }
}

/** All links between two groups, both ways. */
function between(some: readonly string[], others: readonly string[]): Cut[] {
  return some.flatMap((one) =>
    others
      .filter((other) => other !== one)
      .flatMap((other): Cut[] => [
        [one, other],
        [other, one],
      ]),
  )
}

function partition(
  name: string,
  weight: number,
  leastNodes: number,
  cut: (world: World, dice: Dice) => Cut[],
): Fault {
  return {
    name,
    weight,
    leastNodes,
    lastsMs: 2500,
    apply: (world, dice) => block(world, dice, cut(world, dice)),
  }
}

/** The cluster falls into two groups; clients stay with one of them or reach both. */
const halves = partition('partition-halves', 3, 3, (world, dice) => {
  const nodes = dice.shuffled(world.ids)
  const size = 1 + dice.below(nodes.length - 1)
  const [some, others] = [nodes.slice(0, size), nodes.slice(size)]
  const clients = world.clientNames.filter(() => dice.chance(0.5))
  return [...between(some, others), ...(dice.chance(0.5) ? between(clients, others) : [])]
})

/** One node hears the others and is not heard, or the other way round. */
const oneWay = partition('partition-one-way', 2, 3, (world, dice) => {
  const target = world.anyNode(dice)
  const out = dice.chance(0.5)
  const others = world.ids.filter((id) => id !== target)
  return others.map((id): Cut => (out ? [target, id] : [id, target]))
})

const isolatedLeader = partition('isolated-leader', 3, 3, (world, dice) => {
  const leader = world.leaderOrAny(dice)
  const clients = dice.chance(0.5) ? between([leader], world.clientNames) : []
  return [...between([leader], world.ids), ...clients]
})

/** One node reaches everybody, the others fall into two groups. */
const bridge = partition('bridge-node', 2, 3, (world, dice) => {
  const [, ...rest] = dice.shuffled(world.ids)
  const middle = Math.floor(rest.length / 2)
  return between(rest.slice(0, middle), rest.slice(middle))
})

const clientCutOff = partition('client-cut-off', 1, 1, (world, dice) =>
  between([dice.pick(world.clientNames)], world.ids),
)

/** A link that comes and goes. */
const flapping: Fault = {
  name: 'flapping-link',
  weight: 2,
  leastNodes: 3,
  lastsMs: 3000,
  apply(world, dice) {
    const target = world.leaderOrAny(dice)
    const others = world.ids.filter((id) => id !== target)
    const cuts = dice.chance(0.5) ? between([target], others) : between([target], [dice.pick(others)])
    const period = dice.between(20, 600)
    let ending: Ending | undefined = block(world, dice, cuts)
    let over = false
    const flap = (): void => {
      if (over) return
      ending?.()
      ending = ending === undefined ? block(world, dice, cuts) : undefined
      world.events.after(period * dice.between(0.5, 1.5), flap)
    }
    world.events.after(period, flap)
    return () => {
      over = true
      ending?.()
    }
  },
}

export const PARTITIONS: readonly Fault[] = [halves, oneWay, isolatedLeader, bridge, clientCutOff, flapping]
