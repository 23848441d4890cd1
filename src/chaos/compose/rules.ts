/** What is wrong with what one node hears of another. */
export interface HeardFrom {
  /** The addresses from which it comes. */
  readonly addresses: readonly string[]
  /** The share of packets that is lost, from 0 to 1. 1: nothing arrives. */
  readonly loss: number
}

/** How much later what a node sends to others leaves it. */
export interface SentTo {
  readonly addresses: readonly string[]
  readonly delayMs: number
}

/** The chain of ours in a node's own network, which holds every rule of a fault and nothing else. */
export const CHAIN = 'BALSA-CHAOS'

/** The network of a container, as the engine names it. */
const DEVICE = 'eth0'

/** The first bands of `prio` carry what no filter takes out: all traffic that is not to a slow link. */
const PLAIN_BANDS = 3

/**
 * What `iptables-restore --noflush` is given: it puts these rules, and only these, into our chain in one go.
 * Only what comes from other nodes is dropped; the published port, which is the clients' way in, stays open.
 */
export function lossInput(faults: readonly HeardFrom[]): string {
  const rules = faults.flatMap(({ addresses, loss }) =>
    addresses.map((address) => {
      const chance =
        loss >= 1 ? [] : ['-m', 'statistic', '--mode', 'random', '--probability', loss.toFixed(4)]
      return ['-A', CHAIN, '-s', address, ...chance, '-j', 'DROP'].join(' ')
    }),
  )
  return ['*filter', `:${CHAIN} - [0:0]`, ...rules, 'COMMIT', ''].join('\n')
}

/** What `tc -batch -` is given on a device without a queue of ours: a band for each delay, and what goes into it. */
export function delayInput(faults: readonly SentTo[]): string {
  const bands = faults.map(({ addresses, delayMs }, i) => {
    const band = PLAIN_BANDS + 1 + i
    return [
      `qdisc add dev ${DEVICE} parent 1:${band} handle ${band}0: netem delay ${delayMs}ms limit 10000`,
      ...addresses.map(
        (address) =>
          `filter add dev ${DEVICE} parent 1: protocol ip prio 1 u32 match ip dst ${address}/32 flowid 1:${band}`,
      ),
    ]
  })
  const root = `qdisc add dev ${DEVICE} root handle 1: prio bands ${PLAIN_BANDS + faults.length}`
  return [root, ...bands.flat(), ''].join('\n')
}

/** What `tc` is given to take every queue of ours away. */
export const NO_DELAY: readonly string[] = Object.freeze(['qdisc', 'del', 'dev', DEVICE, 'root'])

/** What `tc` is given to find out whether this kernel can delay packets: on a device that carries none of them. */
export const PROBE_DELAY: readonly string[] = Object.freeze(
  'qdisc add dev lo root netem delay 0ms'.split(' '),
)

/** What takes that back. */
export const UNPROBE_DELAY: readonly string[] = Object.freeze('qdisc del dev lo root'.split(' '))

/** For `sh -c`: sends what comes in through our chain, once. */
export const ENTER_CHAIN = `iptables --wait -C INPUT -j ${CHAIN} 2>/dev/null || iptables --wait -I INPUT -j ${CHAIN}`

/** For `sh -c`: takes away all that is ours, and is content where there is nothing. */
export const CLEAR = `iptables --wait -F ${CHAIN} 2>/dev/null; tc ${NO_DELAY.join(' ')} 2>/dev/null; true`
