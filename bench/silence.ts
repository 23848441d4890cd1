/** A put of the open loop that was acknowledged. Milliseconds of one clock. */
export interface Acknowledgement {
  readonly began: number
  readonly ended: number
}

/**
 * The longest time between two acknowledgements one after the other, the second of them after the kill: what the
 * leader still had on its way when it died does not count as service. Milliseconds.
 *
 * @throws RangeError where there is none before the kill or none after it
 */
export function silence(acknowledgements: readonly Acknowledgement[], killedAt: number): number {
  const ends = acknowledgements.map(({ ended }) => ended).toSorted((a, b) => a - b)
  if (ends.length === 0 || ends[0]! > killedAt || ends.at(-1)! <= killedAt) {
    throw new RangeError('there was no service before the kill, or none after it')
  }
  let longest = 0
  for (let i = 1; i < ends.length; i++) {
    if (ends[i]! > killedAt) longest = Math.max(longest, ends[i]! - ends[i - 1]!)
  }
  return longest
}
