import { randomInt } from 'node:crypto'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import { ReflectionService } from '@grpc/reflection'
import { HealthImplementation } from 'grpc-health-check'
import type { Logger } from 'pino'
import { systemClock } from '../clock.ts'
import { ConfigurationError } from '../errors.ts'
import type { StopError } from '../errors.ts'
import { NodeDisk } from '../storage/node-disk.ts'
import { grpcStreamHandler } from '../rpc/grpc-stream.ts'
import type { StreamHandler } from '../rpc/message-stream.ts'
import { PEER_WINDOW_BYTES, peerChannelOptions, peerServerOptions } from '../transport/grpc-options.ts'
import { GrpcTransport } from '../transport/grpc-transport.ts'
import { MAX_MESSAGE_BYTES } from '../wire/message-size.ts'
import { kvMethods, loadProtos } from '../wire/proto.ts'
import { exchangeMethod } from '../wire/services.ts'
import { answerDirectly } from './answer-directly.ts'
import { BackupService } from './backup-service.ts'
import { statusHandler } from './cluster-service.ts'
import type { NodeConfig } from './config.ts'
import { ExchangeService } from './exchange-service.ts'
import { Forwarder } from './forwarder.ts'
import { grpcHandlers } from './grpc-calls.ts'
import { unaryHandlers } from './kv-service.ts'
import { OpenConnections } from './open-connections.ts'
import { loadReplica, Replica } from './replica.ts'
import type { LoadedReplica } from './replica.ts'
import { formatAddress, parseAddress } from './settings.ts'
import { StartProgress } from './start-progress.ts'
import type { UnaryHandler } from './unary-call.ts'
import { digestsHandler, Upkeep } from './upkeep.ts'

/** What a unary message may weigh beyond the largest request, in bytes: heads, and fields that are newer than this node. */
const MESSAGE_OVERHEAD_BYTES = 1024 * 1024

/** What a client may have sent before it was read, in bytes. */
const CLIENT_WINDOW_BYTES = 1024 * 1024

/** How often a client that says nothing is asked whether it lives, in milliseconds: some vanish without a word. */
const CLIENT_KEEPALIVE_MS = 30_000

/** How long the last answers have to reach their clients when a node stops, in milliseconds. */
const FAREWELL_MS = 250

export interface NodeOptions {
  readonly logger: Logger
  readonly version: string
}

/** A node that runs in this process. */
export interface RunningNode {
  /** Where it listens for clients, `host:port`. */
  readonly clientAddress: string
  /** Where it listens for other nodes. */
  readonly peerAddress: string
  /** Resolves when it has stopped, with the reason where nobody asked for it. */
  readonly stopped: Promise<StopError | undefined>
  /** Ends it cleanly. */
  stop(): Promise<void>
}

/**
 * Starts a node: verifies its data directory, listens, and takes part in its cluster.
 *
 * @throws StopError where the configuration, the directory or the disk does not allow it; its exit code says which
 */
export async function startNode(config: NodeConfig, options: NodeOptions): Promise<RunningNode> {
  const clock = systemClock({ keepAlive: true })
  const { logger } = options
  const progress = new StartProgress(clock, logger)
  const disk = await NodeDisk.open(config.dataDir, {
    verifying: (database, bytes, ofBytes) => progress.report(`checking the ${database}`, bytes, ofBytes),
  })
  const loaded = await loadReplica(config, { disk, clock, logger, progress })
  const node = new Node(config, options, loaded)
  try {
    await node.start()
  } catch (error) {
    await node.abandon()
    throw error
  }
  return node
}

class Node implements RunningNode {
  readonly #config: NodeConfig
  readonly #options: NodeOptions
  readonly #loaded: LoadedReplica
  readonly #clientServer: Server
  readonly #peerServer: Server
  readonly #forwarder: Forwarder
  readonly #health = new HealthImplementation({ '': 'SERVING', 'balsa.v1.Kv': 'NOT_SERVING' })
  #replica!: Replica
  #upkeep!: Upkeep
  #exchanges!: ExchangeService
  #unary!: ReadonlyMap<string, UnaryHandler>
  #streams!: ReadonlyMap<string, StreamHandler>
  readonly #connections = new Map<Server, OpenConnections>()
  #stopped!: Promise<StopError | undefined>
  clientAddress = ''
  peerAddress = ''

  constructor(config: NodeConfig, options: NodeOptions, loaded: LoadedReplica) {
    this.#config = config
    this.#options = options
    this.#loaded = loaded
    const peerOptions = peerServerOptions(config.electionMs)
    this.#clientServer = new Server({
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': -1,
      'grpc.keepalive_time_ms': CLIENT_KEEPALIVE_MS,
      'grpc.enable_channelz': 0,
    })
    this.#peerServer = new Server(peerOptions)
    this.#forwarder = new Forwarder(config.peers, peerChannelOptions(config.electionMs))
  }

  /** However it ends, nothing of it stays open. */
  get stopped(): Promise<StopError | undefined> {
    return this.#stopped
  }

  /** Listens for clients first: their port has to be known before peers can be told of it. */
  async start(): Promise<void> {
    const { electionMs, id, listen, peerListen } = this.#config
    const { identity } = this.#loaded.directory
    this.clientAddress = await this.#bind(this.#clientServer, listen, '--listen')
    const clientAddress = this.#advertised()
    const transport = new GrpcTransport({
      self: { id, incarnation: identity.incarnation, clientAddress },
      clusterId: identity.clusterId,
      peers: this.#otherPeers(),
      electionMs,
      clock: systemClock({ keepAlive: true }),
      logger: this.#options.logger,
    })
    this.#replica = new Replica(this.#config, this.#loaded, {
      transport,
      clock: systemClock({ keepAlive: true }),
      logger: this.#options.logger,
      seed: randomInt(2 ** 32),
      clientAddress,
      changed: ({ leader }) =>
        this.#health.setStatus('balsa.v1.Kv', leader === undefined ? 'NOT_SERVING' : 'SERVING'),
    })
    this.#upkeep = new Upkeep(this.#config, {
      directory: this.#loaded.directory,
      digests: this.#replica.digests,
      forwarder: this.#forwarder,
      clock: systemClock(),
      logger: this.#options.logger,
      failed: (error) => this.#replica.fail(error),
    })
    this.#addServices(clientAddress)
    transport.addService(this.#peerServer)
    this.peerAddress = await this.#bind(this.#peerServer, peerListen, '--peer-listen')
    answerDirectly(this.#peerServer, {
      unary: { handlers: this.#unary, maxBytes: MAX_MESSAGE_BYTES },
      streams: {
        handlers: new Map([...this.#streams, ...transport.streamHandlers]),
        maxBytes: MAX_MESSAGE_BYTES,
      },
      windowBytes: PEER_WINDOW_BYTES,
    })
    this.#stopped = this.#closeWhenStopped()
    await this.#replica.start()
    this.#upkeep.start()
  }

  async stop(): Promise<void> {
    this.#health.setStatus('balsa.v1.Kv', 'NOT_SERVING')
    await this.#upkeep.stop()
    await this.#replica.stop()
    await this.#stopped
  }

  async #closeWhenStopped(): Promise<StopError | undefined> {
    const reason = await this.#replica.stopped
    void this.#upkeep.stop()
    this.#health.setStatus('', 'NOT_SERVING')
    this.#health.setStatus('balsa.v1.Kv', 'NOT_SERVING')
    this.#exchanges.close()
    await Promise.all([...this.#connections].map(([server, connections]) => shutDown(server, connections)))
    this.#forwarder.close()
    return reason
  }

  /** It could not start: nothing stays open. */
  async abandon(): Promise<void> {
    for (const [server, connections] of this.#connections) {
      server.forceShutdown()
      connections.destroy()
    }
    this.#forwarder.close()
    if (this.#replica === undefined) await this.#loaded.directory.close()
    else await this.#replica.stop()
  }

  #otherPeers(): Map<string, string> {
    return new Map([...this.#config.peers].filter(([id]) => id !== this.#config.id))
  }

  /** The port that the system chose, where it was asked to. */
  #advertised(): string {
    const { host, port } = parseAddress(this.#config.advertise, 0)
    return formatAddress({ host, port: port === 0 ? parseAddress(this.clientAddress).port : port })
  }

  async #bind(server: Server, address: string, flag: string): Promise<string> {
    const bound = await bind(server, address, flag)
    this.#connections.set(server, new OpenConnections(server))
    return bound
  }

  /** Clients are served on both ports: on the peers' port, what another node forwards. */
  #addServices(clientAddress: string): void {
    const replica = this.#replica
    const { id } = this.#config
    const { clusterId } = this.#loaded.directory.identity
    const forwarder = this.#forwarder
    const host = { id, clusterId, front: replica.front, leader: () => replica.leaderHint() }
    this.#exchanges = new ExchangeService(host, forwarder)
    this.#unary = unaryHandlers(replica.front, forwarder)
    this.#streams = new Map([[exchangeMethod.path, this.#exchanges.handle]])
    const kv: UntypedServiceImplementation = {
      ...grpcHandlers(this.#unary),
      Exchange: grpcStreamHandler(this.#exchanges.handle),
    }
    const { packageDefinition, statusMethod, backupMethod, digestsMethod } = loadProtos()
    const digests = digestsHandler(id, clusterId, replica.digests)
    const description = {
      config: this.#config,
      clusterId,
      clientAddress,
      peerAddress: this.#config.peerAdvertise,
      version: this.#options.version,
      pid: process.pid,
      alarm: () => this.#upkeep.alarm,
    }
    this.#clientServer.addService(kvMethods, kv)
    answerDirectly(this.#clientServer, {
      unary: { handlers: this.#unary, maxBytes: this.#config.maxRequestBytes + MESSAGE_OVERHEAD_BYTES },
      streams: { handlers: this.#streams, maxBytes: MAX_MESSAGE_BYTES },
      windowBytes: CLIENT_WINDOW_BYTES,
    })
    const { clusterName } = this.#config
    const author = { clusterId, clusterName, nodeId: id, version: this.#options.version }
    const backups = new BackupService(replica, forwarder, author, systemClock())
    this.#clientServer.addService(
      { Status: statusMethod, Backup: backupMethod, StateDigests: digestsMethod },
      { Status: statusHandler(replica, description), Backup: backups.handle, StateDigests: digests },
    )
    this.#health.addToServer(this.#clientServer)
    new ReflectionService(packageDefinition).addToServer(this.#clientServer)
    this.#peerServer.addService(kvMethods, kv)
    this.#peerServer.addService({ StateDigests: digestsMethod }, { StateDigests: digests })
  }
}

function bind(server: Server, address: string, flag: string): Promise<string> {
  const { host } = parseAddress(address, 0)
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(formatAddress({ host, port }))
      else {
        const why = `This node cannot listen on ${address}: ${error.message}.`
        reject(
          new ConfigurationError(`${why} Stop what uses the port, or choose another with ${flag}`, {
            cause: error,
          }),
        )
      }
    })
  })
}

/** Lets the last answers out, and then closes every connection. */
function shutDown(server: Server, connections: OpenConnections): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown()
      connections.destroy()
      resolve()
    }, FAREWELL_MS)
    server.tryShutdown(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
