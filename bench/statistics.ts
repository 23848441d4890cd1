/** The middle of some figures, and how far they spread. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly count: number
}

/** Median, least and greatest. @throws RangeError where there is no figure */
export function spreadOf(figures: readonly number[]): Spread {
  if (figures.length === 0) throw new RangeError('no figures')
  const sorted = figures.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)!, count: sorted.length }
}

/**
 * The smallest figure that at least `percent` of all are not above (nearest rank), of figures in ascending order.
 * @throws RangeError where there is no figure
 */
export function percentileOf(sorted: ArrayLike<number>, percent: number): number {
  if (sorted.length === 0) throw new RangeError('no figures')
  // Rounded first, so that 99.9 % of 1000 is the 999th although the product is a hair above it.
  const rank = Math.ceil(Number(((percent / 100) * sorted.length).toFixed(6)))
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1]!
}

/** With so many digits after the point as a reader needs: `12,345`, `123`, `12.3`, `1.23`. */
export function readable(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
