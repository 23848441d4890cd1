import type { ChaosTarget, FaultKind } from '../../src/chaos/target.ts'
import { BalsaClient } from '../../src/index.ts'
import { Prober } from './prober.ts'

/** What is done to a cluster, again and again, to see how long it does not serve. */
export interface Round {
  readonly name: string
  readonly needs: FaultKind
  /** @param node the leader, or the first of the others, as `of` says */
  readonly of: 'leader' | 'follower'
  harm(target: ChaosTarget, node: string): Promise<unknown>
  mend(target: ChaosTarget, node: string): Promise<unknown>
  /** Whether there is no service before it is mended: then it is mended at once. */
  readonly endsService?: boolean
}

const each = (target: ChaosTarget, what: (id: string) => Promise<unknown>) =>
  Promise.all(target.nodes.map(what))
const others = (target: ChaosTarget, node: string) => target.nodes.filter((id) => id !== node)

/** In the order in which they are measured. */
export const ROUNDS: readonly Round[] = Object.freeze([
  {
    name: 'kill the leader',
    needs: 'kill',
    of: 'leader',
    harm: (t, id) => t.kill(id),
    mend: (t, id) => t.start(id),
  },
  {
    name: 'stop the leader',
    needs: 'stop',
    of: 'leader',
    harm: (t, id) => t.stop(id),
    mend: (t, id) => t.start(id),
  },
  {
    name: 'pause the leader',
    needs: 'pause',
    of: 'leader',
    harm: (t, id) => t.pause(id),
    mend: (t, id) => t.resume(id),
  },
  {
    name: 'cut the leader off',
    needs: 'cut',
    of: 'leader',
    harm: async (t, id) => {
      for (const other of others(t, id)) {
        await t.cut(id, other)
        await t.cut(other, id)
      }
    },
    mend: (t) => t.heal(),
  },
  {
    name: 'kill a follower',
    needs: 'kill',
    of: 'follower',
    harm: (t, id) => t.kill(id),
    mend: (t, id) => t.start(id),
  },
  {
    name: 'fill the disk of the leader',
    needs: 'disk',
    of: 'leader',
    harm: (t, id) => t.fillDisk(id),
    mend: async (t, id) => {
      await t.heal()
      await t.start(id)
    },
  },
  {
    name: 'kill all, start all',
    needs: 'kill',
    of: 'leader',
    endsService: true,
    harm: (t) => each(t, (id) => t.kill(id)),
    mend: (t) => each(t, (id) => t.start(id)),
  },
])

/** What came of one kind of round. */
export interface Outcome {
  readonly round: string
  /** The time without service of each, in milliseconds, the shortest first. */
  readonly gaps: readonly number[]
  /** Puts that failed in the end. */
  readonly failed: number
}

/** How long a fault lasts at least after there is service again, and how long there is peace between two, in ms. */
const LASTS_MS = 1000
const PEACE_MS = 1000

const rest = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Does one kind of harm `times` times, under a light load, and waits each time until every node is back. */
export async function measureRound(
  target: ChaosTarget,
  round: Round,
  times: number,
  say: (gapMs: number) => void,
): Promise<Outcome> {
  const endpoints = [...target.endpoints.values()]
  await using client = new BalsaClient({ endpoints, timeoutMs: 60_000 })
  await using asking = new BalsaClient({ endpoints, timeoutMs: 2000 })
  const prober = new Prober(client, 8)
  const gaps: number[] = []
  try {
    for (let i = 0; i < times; i++) {
      const leader = await allBack(asking)
      await rest(PEACE_MS)
      const node = round.of === 'leader' ? leader : others(target, leader)[i % (target.nodes.length - 1)]!
      const began = performance.now()
      await round.harm(target, node)
      if (!round.endsService) {
        await prober.acknowledges(50)
        await rest(LASTS_MS)
      }
      await round.mend(target, node)
      await prober.acknowledges(50)
      await allBack(asking)
      const gap = prober.longestGap(began)
      gaps.push(gap)
      say(gap)
    }
  } finally {
    await prober.stop()
  }
  return { round: round.name, gaps: gaps.sort((one, other) => one - other), failed: prober.failed }
}

/** Resolves with the leader's id when every node answers and has applied what the leader had committed. */
async function allBack(client: BalsaClient): Promise<string> {
  const deadline = performance.now() + 120_000
  let wanted: number | undefined
  for (;;) {
    const { leader, nodes } = await client.status().catch(() => ({ leader: null, nodes: [] }))
    wanted ??= nodes.find(({ id }) => id === leader)?.commitIndex ?? undefined
    const back = nodes.every(
      ({ reachable, lastApplied }) => reachable && (lastApplied ?? 0) >= (wanted ?? Infinity),
    )
    if (leader !== null && nodes.length > 0 && back) return leader
    if (performance.now() > deadline) throw new Error(`not all are back: ${JSON.stringify(nodes)}`)
    await rest(50)
  }
}
