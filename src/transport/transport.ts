import type { Message, NodeId } from '../raft/types.ts'
import type { SnapshotReceiver, SnapshotSource, SnapshotTransfer } from './snapshot-transfer.ts'

/** What a peer said of itself in its Hello. */
export interface PeerIdentity {
  readonly id: NodeId
  /** Drawn at random when its data directory was made. */
  readonly incarnation: number
  /** Where clients reach it; empty where it advertises none. */
  readonly clientAddress: string
}

/** What a transport tells its owner. */
export interface TransportHandler {
  /**
   * A peer of the same cluster and protocol says who it is; nothing from it counts before this resolves.
   * Resolves to the reason, in words, where the peer is to be refused.
   */
  admit(peer: PeerIdentity): Promise<string | undefined>
  /** Takes what peers bring on connections of their own. */
  readonly snapshots: SnapshotReceiver
  /** Messages of an admitted peer, in the order in which it sent them. */
  receive(messages: readonly Message[]): void
  /** The stream to a peer stands, both sides admitted. */
  connected(peer: PeerIdentity): void
  /** The stream is gone, or was refused (by either side), and why. Called again only after a `connected` or a change of reason. */
  disconnected(id: NodeId, reason: string, refused: boolean): void
}

/**
 * Carries Raft messages between the nodes of a cluster. It may lose, delay, and (over reconnects) reorder or
 * repeat messages: Raft copes. It never blocks its caller and keeps no unbounded queue: what cannot be sent
 * is dropped.
 */
export interface Transport {
  /** Starts to listen and to dial. */
  start(handler: TransportHandler): Promise<void>
  /** Hands over messages, each to the peer that it names. Never throws for a peer that is not there. */
  send(messages: readonly Message[]): void
  /** Brings a peer a snapshot, on a connection of its own. To be called between `start` and `close`, which ends it. */
  sendSnapshot(to: NodeId, source: SnapshotSource): SnapshotTransfer
  close(): Promise<void>
}
