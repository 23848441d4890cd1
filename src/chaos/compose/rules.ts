/** What is wrong with what one node hears of another. */
export interface HeardFrom {
  /** The addresses from which it comes. */
  readonly addresses: readonly string[]
  /** The part of packets that is lost, from 0 to 1. 1: nothing arrives. */
  readonly loss: number
}

/** The chain of ours in a node's own network, which holds every rule of a fault and nothing else. */
export const CHAIN = 'BALSA-CHAOS'

/**
 * What `iptables-restore --noflush` is given: it puts these rules, and only these, into our chain in one go.
 * Only what comes from other nodes is dropped; the published port, which is the clients' way in, stays open.
 */
export function restoreInput(faults: readonly HeardFrom[]): string {
  const rules = faults.flatMap(({ addresses, loss }) =>
    addresses.map((address) => {
      const chance =
        loss >= 1 ? [] : ['-m', 'statistic', '--mode', 'random', '--probability', loss.toFixed(4)]
      return ['-A', CHAIN, '-s', address, ...chance, '-j', 'DROP'].join(' ')
    }),
  )
  return ['*filter', `:${CHAIN} - [0:0]`, ...rules, 'COMMIT', ''].join('\n')
}
