import type { Dice } from '../sim/engine/dice.ts'

export type Deaf = ReadonlyMap<string, ReadonlySet<string>>

/** Everybody hears only the own group. */
function groups(...members: readonly (readonly string[])[]): Deaf {
  const all = members.flat()
  return new Map(
    members.flatMap((group) =>
      group.map((id) => [id, new Set(all.filter((other) => !group.includes(other)))]),
    ),
  )
}

const KINDS: Readonly<Record<string, (nodes: readonly string[], dice: Dice) => Deaf>> = {
  /** One node is alone. */
  one: (nodes) => groups(nodes.slice(0, 1), nodes.slice(1)),
  /** A majority on one side, the others on the other. */
  halves: (nodes) => {
    const size = Math.floor(nodes.length / 2)
    return groups(nodes.slice(0, size), nodes.slice(size))
  },
  /** Everybody hears a majority, and everybody another one. */
  ring: (nodes) => {
    const reach = Math.floor(nodes.length / 4) || 1
    return new Map(
      nodes.map((id, position) => {
        const distance = (other: number): number => {
          const apart = Math.abs(other - position)
          return Math.min(apart, nodes.length - apart)
        }
        return [id, new Set(nodes.filter((_, other) => distance(other) > reach))]
      }),
    )
  },
  /** One node is heard by nobody, but hears. */
  mute: (nodes) => new Map(nodes.slice(1).map((id) => [id, new Set(nodes.slice(0, 1))])),
}

/** Draws a partition: its name, and who hears nothing from whom. */
export function drawPartition(nodes: readonly string[], dice: Dice): { name: string; deaf: Deaf } {
  const name = dice.pick(Object.keys(KINDS))
  return { name, deaf: KINDS[name]!(dice.shuffled(nodes), dice) }
}
