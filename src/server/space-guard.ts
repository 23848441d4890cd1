import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import type { Message, NodeId } from '../raft/types.ts'
import type { DiskSpace } from '../storage/disk.ts'
import type { ErrorDetail } from '../wire/error-detail.ts'
import { lowSpace } from './refusals.ts'

/** How often the free space is looked at, in milliseconds. */
const CHECK_MS = 1000

/** Writes go on once so much more than the limit is free: a disk at its limit must not flicker. */
const LIFT = 1.25

export interface SpaceGuardParts {
  readonly disk: { space(): Promise<DiskSpace> }
  readonly clock: Clock
  readonly logger: Logger
  readonly id: NodeId
  /** The other members, and whether they are connected. */
  readonly peers: () => readonly { readonly id: NodeId; readonly connected: boolean }[]
}

export interface SpaceGuardSettings {
  /** Below this, in bytes, the node is low on space. 0: it never is. */
  readonly minFreeBytes: number
}

/**
 * Stops writes before the disk is full: a full disk ends the node, and one that is nearly full still lets
 * LevelDB compact, checkpoints be written and the log be cut, which is what frees space again.
 *
 * Every node looks at its own disk; one that is low tells the leader with its heartbeat replies. The leader
 * refuses while it is low itself, and while no majority of nodes with space is left: each write would bring the
 * others nearer to their end. A minority that is low it leaves to fill up, as the cluster can do without.
 */
export class SpaceGuard {
  readonly #parts: SpaceGuardParts
  readonly #minFreeBytes: number
  /** What is left, by peer, of those who said that they are low. */
  readonly #lowPeers = new Map<NodeId, number>()
  #space: DiskSpace | undefined
  #low = false
  #failed = false
  #stopped = false
  #timer: Timer | undefined

  constructor(parts: SpaceGuardParts, { minFreeBytes }: SpaceGuardSettings) {
    this.#parts = parts
    this.#minFreeBytes = minFreeBytes
  }

  /** Looks for the first time, and from then on again and again. */
  async start(): Promise<void> {
    await this.#check()
    if (!this.#stopped) this.#timer = this.#parts.clock.after(CHECK_MS, () => void this.start())
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  /** As it was found last; undefined where the file system did not say. */
  get space(): DiskSpace | undefined {
    return this.#space
  }

  /** While this node is low: what it has left, in bytes, at least 1. Else undefined. */
  get lowSpaceBytes(): number | undefined {
    return this.#low ? Math.max(1, this.#space?.freeBytes ?? 0) : undefined
  }

  /** What a follower said last: how much it has left while it is low, undefined where it is not. */
  peerReported(id: NodeId, lowSpaceBytes: number | undefined): void {
    if (lowSpaceBytes !== undefined) this.#lowPeers.set(id, lowSpaceBytes)
    else if (this.#lowPeers.size > 0) this.#lowPeers.delete(id)
  }

  /** Why this node, as the leader, takes no write that needs space; undefined where it does. */
  refusal(): ErrorDetail | undefined {
    const own = this.lowSpaceBytes
    if (own !== undefined) return lowSpace([[this.#parts.id, own]], this.#minFreeBytes)
    if (this.#lowPeers.size === 0) return undefined
    const peers = this.#parts.peers()
    const able = 1 + peers.filter(({ id, connected }) => connected && !this.#lowPeers.has(id)).length
    if (able > (1 + peers.length) / 2) return undefined
    return lowSpace([...this.#lowPeers], this.#minFreeBytes)
  }

  async #check(): Promise<void> {
    const { disk, logger } = this.#parts
    try {
      this.#space = await disk.space()
      this.#failed = false
    } catch (error) {
      this.#space = undefined
      if (!this.#failed) logger.warn({ err: error }, 'the free disk space cannot be told')
      this.#failed = true
    }
    if (this.#stopped) return
    const freeBytes = this.#space?.freeBytes ?? Infinity
    const minFreeBytes = this.#minFreeBytes
    const low = freeBytes < (this.#low ? minFreeBytes * LIFT : minFreeBytes)
    if (low === this.#low) return
    this.#low = low
    if (low) logger.warn({ freeBytes, minFreeBytes }, 'low on disk space: no writes, only reads and deletes')
    else logger.info({ freeBytes, minFreeBytes }, 'there is disk space again: writes go on')
  }
}

/** The messages as they go out: while this node is low on space, the leader is told how much it has left. */
export function reporting(
  messages: readonly Message[],
  lowSpaceBytes: number | undefined,
): readonly Message[] {
  if (lowSpaceBytes === undefined) return messages
  return messages.map((message) =>
    message.type === 'heartbeatReply' ? { ...message, lowSpaceBytes } : message,
  )
}
