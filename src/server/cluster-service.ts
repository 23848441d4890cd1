import type { handleUnaryCall } from '@grpc/grpc-js'
import type { PeerStatus, StatusRequest, StatusResponse } from '../wire/proto.ts'
import type { NodeConfig } from './config.ts'
import type { DiskStatus } from './disk-status.ts'
import { mebibytes } from './refusals.ts'
import type { Replica, ReplicaView } from './replica.ts'

/** What the service tells of its node beside what the replica knows. */
export interface NodeDescription {
  readonly config: NodeConfig
  readonly clusterId: Uint8Array
  readonly clientAddress: string
  readonly peerAddress: string
  readonly version: string
  readonly pid: number
  /** What is wrong with the states of the cluster, in words; undefined: nothing is known to be. */
  readonly alarm: () => string | undefined
}

/** `Cluster.Status`: what this node knows of itself and of its peers. Never forwarded. */
export function statusHandler(
  replica: Replica,
  description: NodeDescription,
): handleUnaryCall<StatusRequest, StatusResponse> {
  return (_call, callback) => {
    void replica.diskStatus().then((disk) => callback(null, statusOf(replica.view(), disk, description)))
  }
}

function statusOf(
  view: ReplicaView,
  disk: DiskStatus | undefined,
  description: NodeDescription,
): StatusResponse {
  const { config, clusterId, clientAddress, peerAddress, version, pid } = description
  return {
    id: view.id,
    clusterId,
    clusterName: config.clusterName,
    clientAddress,
    peerAddress,
    role: view.role,
    term: view.term,
    leader: view.leader ?? '',
    commitIndex: view.commitIndex,
    lastApplied: view.lastApplied,
    firstIndex: view.firstIndex,
    lastIndex: view.lastIndex,
    revision: view.revision,
    health: description.alarm() ?? healthOf(view, disk),
    stateHash: view.stateHash,
    pid,
    version,
    dataDir: config.dataDir,
    sessions: view.sessions,
    clusterTimeMs: view.clusterTimeMs,
    checkpointIndex: view.checkpointIndex,
    peers: view.peers.map((peer) => peerStatus(peer, view, config)),
    compactedRevision: view.compactedRevision,
    disk: disk ?? null,
  }
}

function peerStatus(peer: ReplicaView['peers'][number], view: ReplicaView, config: NodeConfig): PeerStatus {
  const progress = view.followers.find(({ id }) => id === peer.id)
  return {
    ...peer,
    peerAddress: config.peers.get(peer.id) ?? '',
    progress: progress?.state ?? '',
    matchIndex: progress?.matchIndex ?? 0,
    nextIndex: progress?.nextIndex ?? 0,
    inFlightBytes: progress?.inFlightBytes ?? 0,
  }
}

/** "serving", or why this node cannot serve, in words. */
function healthOf({ leader, peers }: ReplicaView, disk: DiskStatus | undefined): string {
  if (leader !== undefined) {
    return disk?.lowOnSpace ? `low on disk space, ${mebibytes(disk.freeBytes)} left: no writes` : 'serving'
  }
  const refused = peers.find(({ refusal }) => refusal !== '')
  if (refused !== undefined) return `no leader is known; ${refused.id}: ${refused.refusal}`
  const connected = peers.filter((peer) => peer.connected).length
  return `no leader is known; ${connected} of ${peers.length} peers are connected`
}
