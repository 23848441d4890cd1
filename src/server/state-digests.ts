import type { LogIndex, NodeId } from '../raft/types.ts'

/** The state's hash once everything up to an entry was applied. */
export interface StateDigest {
  readonly index: LogIndex
  /** In hexadecimal. */
  readonly hash: string
}

/** How many are kept: of some minutes of a busy cluster, so that nodes that lag still have some in common. */
const MOST = 256

/**
 * The hashes that a node's state had at the newest time stamps of the log: entries that all nodes apply, so that
 * their states can be compared without stopping anything.
 */
export class StateDigests {
  #kept: StateDigest[] = []

  /** Oldest first. */
  get list(): readonly StateDigest[] {
    return this.#kept
  }

  /** The entry at `index` was just applied. */
  add(index: LogIndex, hash: string): void {
    this.#kept.push({ index, hash })
    if (this.#kept.length > 2 * MOST) this.#kept = this.#kept.slice(-MOST)
  }
}

/** States that are not the same although they should be. */
export interface Difference {
  /** After which entry. */
  readonly index: LogIndex
  /** The nodes whose state is another than this node's. */
  readonly others: readonly NodeId[]
  /** Whose state a majority of the cluster contradicts: this node's, or the others'. Undefined: nobody can tell. */
  readonly wrong: 'own' | 'others' | undefined
}

/**
 * Compares this node's state with its peers', each at the newest entry that both have a hash of. Undefined where
 * nothing differs.
 *
 * @param members how many nodes the cluster has
 */
export function compareStates(
  own: readonly StateDigest[],
  peers: ReadonlyMap<NodeId, readonly StateDigest[]>,
  members: number,
): Difference | undefined {
  const ownByIndex = new Map(own.map(({ index, hash }) => [index, hash]))
  let index = 0
  for (const digests of peers.values()) {
    const common = digests.findLast((digest) => ownByIndex.has(digest.index))
    if (common !== undefined && ownByIndex.get(common.index) !== common.hash)
      index = Math.max(index, common.index)
  }
  if (index === 0) return undefined
  const hash = ownByIndex.get(index)!
  const votes = new Map([[hash, 1]])
  const others: NodeId[] = []
  for (const [id, digests] of peers) {
    const theirs = digests.find((digest) => digest.index === index)?.hash
    if (theirs === undefined) continue
    votes.set(theirs, (votes.get(theirs) ?? 0) + 1)
    if (theirs !== hash) others.push(id)
  }
  const winner = [...votes].find(([, count]) => count > members / 2)?.[0]
  const wrong = winner === undefined ? undefined : winner === hash ? 'others' : 'own'
  return { index, others, wrong }
}
