import { RelayControl } from '../../chaos/relay/control.ts'
import { Relay } from '../../chaos/relay/relay.ts'
import { parseAddress } from '../../server/settings.ts'
import type { NodeLayout } from './layout.ts'

/** The relay between the nodes of a local cluster, and the port where another process tells it what to do. */
export class RelayedLinks implements AsyncDisposable {
  readonly #relay: Relay
  readonly #control: RelayControl

  private constructor(relay: Relay, control: RelayControl) {
    this.#relay = relay
    this.#control = control
  }

  /** @param restart starts a dead node */
  static async open(layout: readonly NodeLayout[], restart: (id: string) => void): Promise<RelayedLinks> {
    const ports = layout.map(({ id, peerAddress }) => [id, parseAddress(peerAddress).port] as const)
    const relay = await Relay.listen({ nodes: new Map(ports) })
    try {
      return new RelayedLinks(relay, await RelayControl.listen(relay, restart))
    } catch (error) {
      await relay.close()
      throw error
    }
  }

  /** `host:port` where faults are asked for. */
  get control(): string {
    return this.#control.address
  }

  /** Where a node has to call to reach another. */
  readonly route = (from: string, to: string): string => this.#relay.address(from, to)

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#control.close(), this.#relay.close()])
  }
}
