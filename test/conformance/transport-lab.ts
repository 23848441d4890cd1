import { systemClock } from '../../src/clock.ts'
import type { Clock } from '../../src/clock.ts'
import { EntryKind, LOG_START } from '../../src/raft/types.ts'
import type { Message, NodeId } from '../../src/raft/types.ts'
import { sealEntries } from '../../src/wire/entry.ts'
import type { ProtocolRange } from '../../src/transport/hello.ts'
import type { SnapshotReceiver } from '../../src/transport/snapshot-transfer.ts'
import type { PeerIdentity, Transport, TransportHandler } from '../../src/transport/transport.ts'

export const CLUSTER = Buffer.from('the-same-cluster')

/** How a node of a lab differs from the usual one. */
export interface NodeOptions {
  readonly incarnation?: number
  readonly clusterId?: Uint8Array
  readonly protocol?: ProtocolRange
  /** Who it believes the others are, and at whose address in the lab. Default: n1 to n3, each at its own. */
  readonly peers?: ReadonlyMap<NodeId, NodeId>
  /** At whose address it listens. Default: its own. */
  readonly at?: NodeId
  readonly maxUnsentBytes?: number
  /** In milliseconds; only a network with time in it asks, and has a default. */
  readonly electionMs?: number
  readonly admit?: TransportHandler['admit']
  readonly offered?: SnapshotReceiver['offered']
  /** Only a network with time in it asks. Default: the machine's. */
  readonly clock?: Clock
}

/** Nodes on one kind of network, with what a test may do to it. */
export interface TransportLab {
  /** A transport that is started, with a handler that writes down what it is told. */
  start(id: NodeId, options?: NodeOptions): Promise<LabNode>
  /** Breaks every connection that was dialled to the node at `id`'s address, and lets none come about. */
  cut(id: NodeId): void
  heal(id: NodeId): void
  /** The node at `id`'s address takes nothing in, and whoever dialled it is not told: as if it were paused. */
  freeze(id: NodeId): void
  thaw(id: NodeId): void
  /** Lets things happen until the condition holds. */
  until(what: string, condition: () => boolean): Promise<void>
  close(): Promise<void>
}

/** What a handler was told, in words that a test can compare. */
export class Recorder implements TransportHandler {
  readonly events: string[] = []
  readonly messages: Message[] = []
  readonly admitted: PeerIdentity[] = []
  /** What becomes of the snapshots that peers bring. */
  readonly snapshots: SnapshotReceiver
  readonly #admit: TransportHandler['admit']

  constructor(
    admit: TransportHandler['admit'] = async () => undefined,
    offered: SnapshotReceiver['offered'] = async () => ({ type: 'refuse', reason: 'not wanted' }),
  ) {
    this.snapshots = { offered }
    this.#admit = admit
  }

  admit(peer: PeerIdentity): Promise<string | undefined> {
    this.admitted.push(peer)
    return this.#admit(peer)
  }

  receive(messages: readonly Message[]): void {
    this.messages.push(...messages)
  }

  connected(peer: PeerIdentity): void {
    this.events.push(`connected ${peer.id}`)
  }

  disconnected(id: NodeId, reason: string, refused: boolean): void {
    this.events.push(`${refused ? 'refused' : 'lost'} ${id}: ${reason}`)
  }

  /** Whether the last word on a peer is that it is connected. */
  isConnected(id: NodeId): boolean {
    return this.events.findLast((event) => event.split(/[ :]/)[1] === id) === `connected ${id}`
  }

  refusal(id: NodeId): string | undefined {
    return this.events.find((event) => event.startsWith(`refused ${id}: `))
  }
}

export interface LabNode {
  readonly id: NodeId
  readonly transport: Transport
  readonly heard: Recorder
  /** Ends the node: its transport, and what it listens on. */
  stop(): Promise<void>
}

/** What a node believes of the others unless a test says otherwise. */
export function usualPeers(self: NodeId): ReadonlyMap<NodeId, NodeId> {
  return new Map(['n1', 'n2', 'n3'].filter((id) => id !== self).map((id) => [id, id]))
}

/** A small message that can be told from others by its `readContext`. */
export function heartbeat(from: NodeId, to: NodeId, readContext: number): Message {
  return { type: 'heartbeat', from, to, term: 7, leaderCommit: 0, readContext }
}

/** An append with one entry that carries `data`. */
export function bigAppend(from: NodeId, to: NodeId, data: Uint8Array): Message {
  const entries = sealEntries(LOG_START, 7, [{ kind: EntryKind.Command, data }])
  const previous = { prevLogIndex: 0, prevLogTerm: 0, prevChecksum: 0 }
  return { type: 'append', from, to, term: 7, ...previous, entries, leaderCommit: 0 }
}

/** Runs `step` until the condition holds; fails after 20 seconds, which only a broken test reaches. */
export async function poll(
  what: string,
  condition: () => boolean,
  step: () => void | Promise<void>,
): Promise<void> {
  const clock = systemClock({ keepAlive: true })
  const end = clock.now() + 20_000
  while (!condition()) {
    if (clock.now() > end) throw new Error(`waited in vain until ${what}`)
    await step()
  }
}
