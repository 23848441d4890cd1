import type { NodeId } from '../raft/types.ts'
import type { PeerIdentity } from '../transport/transport.ts'

/** What this node knows of a peer from their connection. */
export interface PeerView {
  readonly id: NodeId
  /** Where clients reach it; empty while it has not said so. */
  readonly clientAddress: string
  readonly connected: boolean
  /** Why the two do not talk, in words; empty where nothing is refused. */
  readonly refusal: string
}

/** Where the incarnations of peers are remembered for good. */
export interface PeerMemory {
  peerIncarnations(): ReadonlyMap<NodeId, number>
  rememberPeer(id: NodeId, incarnation: number): Promise<void>
}

/**
 * The other members, as connections show them. A peer is remembered by its incarnation, durably, before
 * anything from it counts: one that comes back with another has lost its disk, and with it votes and
 * acknowledgements that others rely on. It must not go on under its old name.
 */
export class Peers {
  readonly #memory: PeerMemory
  readonly #views: Map<NodeId, PeerView>
  /** One after the other: two that come at once under one name must not both be the first. */
  #admission: Promise<unknown> = Promise.resolve()

  constructor(ids: readonly NodeId[], memory: PeerMemory) {
    this.#memory = memory
    this.#views = new Map(
      ids.map((id) => [id, { id, clientAddress: '', connected: false, refusal: '' } satisfies PeerView]),
    )
  }

  /** Resolves to the reason where the peer must be refused. */
  admit(peer: PeerIdentity): Promise<string | undefined> {
    const admission = this.#admission.then(() => this.#admitNext(peer))
    this.#admission = admission.catch(() => undefined)
    return admission
  }

  connected({ id, clientAddress }: PeerIdentity): void {
    this.#views.set(id, { id, clientAddress, connected: true, refusal: '' })
  }

  disconnected(id: NodeId, reason: string, refused: boolean): void {
    const view = this.#views.get(id)
    if (view === undefined) return
    this.#views.set(id, { ...view, connected: false, refusal: refused ? reason : '' })
  }

  clientAddressOf(id: NodeId): string {
    return this.#views.get(id)?.clientAddress ?? ''
  }

  view(): readonly PeerView[] {
    return [...this.#views.values()]
  }

  async #admitNext({ id, incarnation }: PeerIdentity): Promise<string | undefined> {
    const known = this.#memory.peerIncarnations().get(id)
    if (known === undefined) {
      await this.#memory.rememberPeer(id, incarnation)
      return undefined
    }
    if (known === incarnation) return undefined
    return (
      `${id} has another data directory (incarnation ${incarnation}) than the one this cluster knows (${known}): ` +
      `it was wiped or replaced, and may have forgotten votes and acknowledgements. ` +
      `Give ${id} its old directory back, or add it as a new member under a new id`
    )
  }
}
