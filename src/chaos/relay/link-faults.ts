import { FaultsError } from '../faults-error.ts'
import type { Slowness } from '../target.ts'

/** What is wrong with the links between nodes: everything at once, so that to set it is to replace it. */
export interface LinkFaults {
  /** Directed: what the first sends to the second is held back. */
  readonly cuts: readonly (readonly [from: string, to: string])[]
  /** By node: all its links, in both directions. */
  readonly slow: Readonly<Record<string, Slowness>>
}

export const NO_LINK_FAULTS: LinkFaults = Object.freeze({ cuts: [], slow: {} })

/** How one direction of a link is. */
export interface LinkState {
  readonly cut: boolean
  readonly delayMs: number
  readonly lossRate: number
}

/** How the link from one node to another is under these faults. Of two slow ends the delays add up. */
export function linkState(faults: LinkFaults, from: string, to: string): LinkState {
  const ends = [faults.slow[from], faults.slow[to]].filter((end) => end !== undefined)
  return {
    cut: faults.cuts.some(([sender, receiver]) => sender === from && receiver === to),
    delayMs: ends.reduce((sum, { delayMs }) => sum + delayMs, 0),
    lossRate: 1 - ends.reduce((kept, { lossRate }) => kept * (1 - lossRate), 1),
  }
}

/**
 * Reads faults that came as JSON from another process.
 * @throws FaultsError
 */
export function parseLinkFaults(value: unknown, nodes: readonly string[]): LinkFaults {
  const { cuts = [], slow = {} } = (typeof value === 'object' && value !== null ? value : {}) as {
    cuts?: unknown
    slow?: unknown
  }
  const known = (id: unknown): id is string => typeof id === 'string' && nodes.includes(id)
  if (
    !Array.isArray(cuts) ||
    !cuts.every((cut) => Array.isArray(cut) && cut.length === 2 && cut.every(known))
  ) {
    throw new FaultsError('"cuts" must be a list of pairs of nodes, such as [["n1", "n2"]]')
  }
  if (typeof slow !== 'object' || slow === null || !Object.keys(slow).every(known)) {
    throw new FaultsError('"slow" must be an object by node, such as {"n1": {"delayMs": 50, "lossRate": 0}}')
  }
  for (const [id, how] of Object.entries(slow)) checkSlowness(how, `slow.${id}`)
  return { cuts: cuts as LinkFaults['cuts'], slow: slow as LinkFaults['slow'] }
}

/**
 * Tells whether something says how a link is slow.
 * @throws FaultsError that names the place
 */
export function checkSlowness(how: unknown, place: string): asserts how is Slowness {
  const { delayMs, lossRate } = (how ?? {}) as Partial<Record<keyof Slowness, unknown>>
  if (typeof delayMs !== 'number' || !(delayMs >= 0 && delayMs <= 60_000)) {
    throw new FaultsError(`${place}: "delayMs" must be a number from 0 to 60000`)
  }
  if (typeof lossRate !== 'number' || !(lossRate >= 0 && lossRate < 1)) {
    throw new FaultsError(`${place}: "lossRate" must be a number from 0 up to, and without, 1`)
  }
}
