import type { Dice } from '../engine/dice.ts'
import type { World } from '../world.ts'

/** Something that can go wrong. A plug-in: it needs a place in the list of `index.ts`, and nothing else. */
export interface Fault {
  readonly name: string
  /** How often it is chosen, compared with the others. */
  readonly weight: number
  /** It means nothing in a cluster of fewer. */
  readonly leastNodes: number
  /** About how long it lasts, in milliseconds. */
  readonly lastsMs: number
  /**
   * Lets it go wrong, now.
   *
   * @returns what ends it; undefined: it is over at once, or could not be done
   */
  apply(world: World, dice: Dice): Ending | undefined
}

/** Puts right what a fault did. Called once. */
export type Ending = () => void
