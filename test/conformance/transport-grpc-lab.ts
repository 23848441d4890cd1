import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server as NetServer, Socket } from 'node:net'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { systemClock } from '../../src/clock.ts'
import type { NodeId } from '../../src/raft/types.ts'
import { answerDirectly } from '../../src/server/answer-directly.ts'
import { PEER_WINDOW_BYTES, peerServerOptions } from '../../src/transport/grpc-options.ts'
import { GrpcTransport } from '../../src/transport/grpc-transport.ts'
import { MAX_MESSAGE_BYTES } from '../../src/wire/message-size.ts'
import { CLUSTER, poll, Recorder, usualPeers } from './transport-lab.ts'
import type { LabNode, NodeOptions, TransportLab } from './transport-lab.ts'

/**
 * An address that stays while what is behind it comes and goes: a TCP proxy, with which a test can also cut and
 * freeze what was dialled.
 */
export class Front {
  readonly #server: NetServer = createServer((socket) => this.#relay(socket))
  readonly #sockets = new Set<Socket>()
  #frozen = false
  #cut = false
  /** The port to which it leads now; undefined: nobody listens. */
  target: number | undefined

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Connections that stand, counted once. */
  get connections(): number {
    return this.#sockets.size / 2
  }

  cut(): void {
    this.#cut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  heal(): void {
    this.#cut = false
  }

  freeze(): void {
    this.#frozen = true
    for (const socket of this.#sockets) socket.pause()
  }

  thaw(): void {
    this.#frozen = false
    for (const socket of this.#sockets) socket.resume()
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #relay(near: Socket): void {
    if (this.#cut || this.target === undefined) {
      near.resetAndDestroy()
      return
    }
    const far = connect(this.target, '127.0.0.1')
    this.#join(near, far)
    this.#join(far, near)
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.setNoDelay()
    from.on('data', (bytes) => {
      if (to.write(bytes)) return
      from.pause()
      to.once('drain', () => this.#frozen || from.resume())
    })
    from.on('error', () => {})
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
    if (this.#frozen) from.pause()
  }
}

export interface GrpcLab extends TransportLab {
  front(id: NodeId): Front
}

/** A link is taken for dead after one and a half of these. Short ones cut links on a machine that stalls. */
const ELECTION_MS = 1500

const SILENT = { info: () => {}, warn: () => {} }

/** Nodes with gRPC servers of their own, each behind a front. */
export async function grpcLab(ids: readonly NodeId[] = ['n1', 'n2', 'n3']): Promise<GrpcLab> {
  const fronts = new Map(ids.map((id) => [id, new Front()]))
  for (const front of fronts.values()) await front.listen()
  const running = new Set<LabNode>()
  const front = (id: NodeId): Front => fronts.get(id)!
  return {
    front,
    async start(id: NodeId, options: NodeOptions = {}): Promise<LabNode> {
      const electionMs = options.electionMs ?? ELECTION_MS
      const at = options.at ?? id
      const peers = [...(options.peers ?? usualPeers(id))].filter(([, where]) => fronts.has(where))
      const transport = new GrpcTransport({
        self: { id, incarnation: options.incarnation ?? 1, clientAddress: `client of ${id}` },
        clusterId: options.clusterId ?? CLUSTER,
        peers: new Map(peers.map(([peer, where]) => [peer, front(where).address])),
        electionMs,
        clock: options.clock ?? systemClock(),
        logger: SILENT,
        ...(options.protocol && { protocol: options.protocol }),
        ...(options.maxUnsentBytes && { maxUnsentBytes: options.maxUnsentBytes }),
      })
      const server = new Server(peerServerOptions(electionMs))
      transport.addService(server)
      const port = await listen(server)
      const streams = { handlers: transport.streamHandlers, maxBytes: MAX_MESSAGE_BYTES }
      answerDirectly(server, { streams, windowBytes: PEER_WINDOW_BYTES })
      front(at).target = port
      const heard = new Recorder(options.admit, options.offered)
      await transport.start(heard)
      const node = {
        id,
        transport,
        heard,
        async stop(): Promise<void> {
          running.delete(node)
          if (front(at).target === port) front(at).target = undefined
          await transport.close()
          server.forceShutdown()
        },
      }
      running.add(node)
      return node
    },
    cut: (id) => front(id).cut(),
    heal: (id) => front(id).heal(),
    freeze: (id) => front(id).freeze(),
    thaw: (id) => front(id).thaw(),
    until: (what, condition) => poll(what, condition, () => new Promise((resolve) => setTimeout(resolve, 2))),
    async close(): Promise<void> {
      for (const node of running) await node.stop()
      for (const each of fronts.values()) await each.close()
    },
  }
}

/** Binds a server to a free port of 127.0.0.1. */
export function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    )
  })
}
