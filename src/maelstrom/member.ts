import { randomInt } from 'node:crypto'
import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import { KV_LIMITS, KV_TUNING } from '../kv/limits.ts'
import { KvStateMachine } from '../kv/state-machine.ts'
import type { StateMachine } from '../kv/types.ts'
import type { NodeId } from '../raft/types.ts'
import { resolveConfig } from '../server/config.ts'
import type { NodeConfig } from '../server/config.ts'
import { Replica } from '../server/replica.ts'
import { StartProgress } from '../server/start-progress.ts'
import type { StateStore } from '../storage/state-store.ts'
import { openMemoryDirectory } from './memory-directory.ts'
import { MessageTransport } from './message-transport.ts'
import type { Body } from './protocol.ts'

const CLUSTER_NAME = 'maelstrom'

export interface MemberOptions {
  readonly id: NodeId
  /** All nodes, this one included. */
  readonly members: readonly NodeId[]
  readonly heartbeatMs: number
  readonly electionMs: number
  readonly clock: Clock
  readonly logger: Logger
  readonly send: (to: NodeId, body: Body) => void
  /** Role, term or leader changed. */
  readonly changed: () => void
}

/** A replica and the way in for what other nodes send it. */
export interface Member {
  readonly replica: Replica
  readonly transport: MessageTransport
}

/** Puts a replica together, as `serve` does, from a transport of messages and storage in memory. It is not started. */
export async function newMember(options: MemberOptions): Promise<Member> {
  const { id, members, clock, logger } = options
  const config = configOf(options)
  const directory = await openMemoryDirectory({ nodeId: id, clusterName: CLUSTER_NAME, members })
  const tuning = { ...KV_TUNING, cacheBytes: config.cacheBytes }
  const restore = (store: StateStore): Promise<StateMachine> =>
    KvStateMachine.restore(store, KV_LIMITS, tuning)
  const machine = await restore(directory.stateStore)
  const recovered = await directory.logStore.open({ tailBytes: config.logTailBytes, anchorIndex: 0 })
  const transport = new MessageTransport({
    self: { id, incarnation: directory.identity.incarnation, clientAddress: '' },
    peers: members.filter((member) => member !== id),
    send: options.send,
    logger,
  })
  const replica = new Replica(
    config,
    { directory, machine, recovered, restore, progress: new StartProgress(clock, logger) },
    {
      transport,
      clock,
      logger,
      seed: randomInt(2 ** 32),
      clientAddress: '',
      changed: options.changed,
    },
  )
  return { replica, transport }
}

/** The settings of a node, for what `serve` leaves to its defaults; addresses mean nothing here. */
function configOf({ id, members, heartbeatMs, electionMs }: MemberOptions): NodeConfig {
  return Object.freeze({
    ...resolveConfig({}).config,
    id,
    peers: new Map(members.map((member) => [member, ''])),
    clusterName: CLUSTER_NAME,
    heartbeatMs,
    // Who is alone need not wait for others.
    electionMs: members.length === 1 ? 3 * heartbeatMs : electionMs,
    minFreeBytes: 0,
    logKeepBytes: Number.MAX_SAFE_INTEGER,
  })
}
