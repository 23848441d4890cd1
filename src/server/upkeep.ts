import type { handleUnaryCall } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import type { StopError } from '../errors.ts'
import type { DataDirectory } from '../storage/data-directory.ts'
import { loadProtos } from '../wire/proto.ts'
import type { StateDigestsRequest, StateDigestsResponse } from '../wire/proto.ts'
import type { NodeConfig } from './config.ts'
import type { Forwarder } from './forwarder.ts'
import { Scrubber } from './scrubber.ts'
import type { StateDigests } from './state-digests.ts'
import { StateWatch } from './state-watch.ts'

/** How long a peer may take to say which digests it has, in milliseconds. */
const ASK_MS = 2000

export interface UpkeepParts {
  readonly directory: DataDirectory
  readonly digests: StateDigests
  readonly forwarder: Forwarder
  readonly clock: Clock
  readonly logger: Logger
  /** Something is damaged: the node must stop. */
  readonly failed: (error: StopError) => void
}

/** What a node does beside its work so that damage is found while there are whole copies left. */
export class Upkeep {
  readonly #scrubber: Scrubber
  readonly #watch: StateWatch

  constructor(config: NodeConfig, parts: UpkeepParts) {
    const { clock, digests, directory, failed, forwarder, logger } = parts
    const { digestsMethod } = loadProtos()
    const { clusterId } = directory.identity
    this.#scrubber = new Scrubber({ directory, clock, logger, failed }, config)
    this.#watch = new StateWatch(
      {
        digests,
        peers: [...config.peers.keys()].filter((id) => id !== config.id),
        async ask(id) {
          const answer = await forwarder.ask(digestsMethod, {}, id, ASK_MS)
          const ours = Buffer.from(answer.clusterId).equals(clusterId) && answer.id === id
          return ours ? answer.digests : []
        },
        clock,
        logger,
        intervalMs: config.compareStatesMs,
      },
      { damaged: failed, suspicious: () => this.#scrubber.soon() },
    )
  }

  /** What is wrong with the states of the cluster, in words; undefined where nothing is known to be. */
  get alarm(): string | undefined {
    return this.#watch.alarm
  }

  start(): void {
    this.#scrubber.start()
    this.#watch.start()
  }

  /** Resolves once nothing is read any more. */
  async stop(): Promise<void> {
    this.#watch.stop()
    await this.#scrubber.stop()
  }
}

/** `Cluster.StateDigests`: what other nodes compare their states with. */
export function digestsHandler(
  id: string,
  clusterId: Uint8Array,
  digests: StateDigests,
): handleUnaryCall<StateDigestsRequest, StateDigestsResponse> {
  return (_call, callback) => callback(null, { id, clusterId, digests: digests.list })
}
