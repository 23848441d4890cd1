import type { NodeId } from '../../src/raft/types.ts'
import { MemoryNetwork } from '../../src/transport/memory-transport.ts'
import { CLUSTER, poll, Recorder, usualPeers } from './transport-lab.ts'
import type { LabNode, NodeOptions, TransportLab } from './transport-lab.ts'

export function memoryLab(): TransportLab {
  const network = new MemoryNetwork()
  const others = (id: NodeId): NodeId[] => [...usualPeers(id).keys()]
  return {
    async start(id: NodeId, options: NodeOptions = {}): Promise<LabNode> {
      const heard = new Recorder(options.admit, options.offered)
      const identity = { id, incarnation: options.incarnation ?? 1, clientAddress: `client of ${id}` }
      const transport = network.attach(identity, {
        clusterId: options.clusterId ?? CLUSTER,
        peers: options.peers ?? usualPeers(id),
        address: options.at ?? id,
        ...(options.protocol && { protocol: options.protocol }),
        ...(options.maxUnsentBytes && { maxUnsentBytes: options.maxUnsentBytes }),
      })
      await transport.start(heard)
      return { id, transport, heard, stop: () => transport.close() }
    },
    cut: (id) => others(id).forEach((other) => network.cut(other, id)),
    heal: (id) => others(id).forEach((other) => network.heal(other, id)),
    freeze: (id) => network.stall(id),
    thaw: (id) => network.resume(id),
    until: (what, condition) =>
      poll(what, condition, async () => {
        network.deliverAll()
        // Admissions are promises.
        await new Promise((resolve) => setImmediate(resolve))
      }),
    close: async () => {},
  }
}
