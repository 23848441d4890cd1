/** How the keys of a load are chosen. */
export type KeyDistribution = 'uniform' | 'zipfian'

/** YCSB's constant: of 100,000 keys, the first has a twelfth of all operations. */
export const ZIPF_EXPONENT = 0.99

/** Chooses numbers from 0 to below `count`, each as likely as any other. `random` gives 0 to below 1. */
export function uniform(count: number, random: () => number): () => number {
  return () => Math.floor(random() * count)
}

/**
 * Chooses numbers from 0 to below `count` by Zipf's law: the k-th is as likely as 1/k^`exponent`. From a table of the
 * sums, so that it is exact and costs a binary search.
 */
export function zipfian(count: number, random: () => number, exponent = ZIPF_EXPONENT): () => number {
  const sums = new Float64Array(count)
  let sum = 0
  for (let i = 0; i < count; i++) {
    sum += 1 / (i + 1) ** exponent
    sums[i] = sum
  }
  return () => {
    const wanted = random() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! > wanted) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** The chooser of that name. */
export function chooserOf(distribution: KeyDistribution, count: number, random = Math.random): () => number {
  return distribution === 'uniform' ? uniform(count, random) : zipfian(count, random)
}
