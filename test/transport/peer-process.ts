// A node that is a process: `peer-process.ts ID PEER-ID PEER-ADDRESS`. Prints the port on which it listens. It
// echoes every heartbeat, and ends once everything is closed after a line on its standard input: if something
// were left open, it would not.
import { Server } from '@grpc/grpc-js'
import { systemClock } from '../../src/clock.ts'
import { peerServerOptions } from '../../src/transport/grpc-options.ts'
import { GrpcTransport } from '../../src/transport/grpc-transport.ts'
import { listen } from '../conformance/transport-grpc-lab.ts'
import { CLUSTER, heartbeat } from '../conformance/transport-lab.ts'

const [id, ...rest] = process.argv.slice(2) as [string, ...string[]]
const peers = new Map<string, string>()
for (let i = 0; i + 1 < rest.length; i += 2) peers.set(rest[i]!, rest[i + 1]!)

const electionMs = 300
const transport = new GrpcTransport({
  self: { id, incarnation: 1, clientAddress: '' },
  clusterId: CLUSTER,
  peers,
  electionMs,
  clock: systemClock({ keepAlive: true }),
  logger: { info: () => {}, warn: () => {} },
})
const server = new Server(peerServerOptions(electionMs))
transport.addService(server)
const port = await listen(server)
await transport.start({
  snapshots: { offered: async () => ({ type: 'refuse', reason: 'not wanted' }) },
  admit: async () => undefined,
  receive(messages) {
    for (const message of messages) {
      if (message.type === 'heartbeat') transport.send([heartbeat(id, message.from, message.readContext)])
    }
  },
  connected: (peer) => console.log(`connected ${peer.id}`),
  disconnected: (peer, reason, refused) => console.log(`${refused ? 'refused' : 'lost'} ${peer}: ${reason}`),
})
console.log(`port ${port}`)
process.stdin.once('data', () => {
  process.stdin.destroy()
  void transport.close().then(() => server.forceShutdown())
})
