import { fileURLToPath } from 'node:url'
import type { MethodDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { PackageDefinition } from '@grpc/proto-loader'

export { connectMethod, exchangeMethod, kvMethods } from './services.ts'

/** The folder `protos` of the package: two levels up from here, from src as from dist. */
const PROTOS = fileURLToPath(new URL('../../protos', import.meta.url))

const FILES = Object.freeze(['balsa/v1/kv.proto', 'balsa/v1/cluster.proto', 'balsa/v1/raft.proto'])

/** Message StatusRequest of cluster.proto. */
export type StatusRequest = Readonly<Record<never, never>>

/** Message StatusResponse of cluster.proto. */
export interface StatusResponse {
  readonly id: string
  readonly clusterId: Uint8Array
  readonly clusterName: string
  readonly clientAddress: string
  readonly peerAddress: string
  /** follower, preCandidate, candidate, leader */
  readonly role: string
  readonly term: number
  /** Empty: not known. */
  readonly leader: string
  readonly commitIndex: number
  readonly lastApplied: number
  readonly firstIndex: number
  readonly lastIndex: number
  readonly revision: number
  /** "serving", or why not, in words. */
  readonly health: string
  readonly stateHash: string
  readonly pid: number
  readonly version: string
  readonly dataDir: string
  readonly sessions: number
  readonly clusterTimeMs: number
  readonly checkpointIndex: number
  readonly peers: readonly PeerStatus[]
  readonly compactedRevision: number
  /** Null where the disk could not be looked at. */
  readonly disk: DiskStatus | null
}

/** Message DiskStatus of cluster.proto. */
export interface DiskStatus {
  readonly logBytes: number
  readonly stateBytes: number
  readonly freeBytes: number
  readonly totalBytes: number
  readonly lowOnSpace: boolean
  readonly checkpointAgeMs: number
}

/** Message PeerStatus of cluster.proto. */
export interface PeerStatus {
  readonly id: string
  readonly peerAddress: string
  readonly clientAddress: string
  readonly connected: boolean
  readonly refusal: string
  readonly progress: string
  readonly matchIndex: number
  readonly nextIndex: number
  readonly inFlightBytes: number
}

/** Message StateDigestsRequest of cluster.proto. */
export type StateDigestsRequest = Readonly<Record<never, never>>

/** Message StateDigestsResponse of cluster.proto. */
export interface StateDigestsResponse {
  readonly id: string
  readonly clusterId: Uint8Array
  readonly digests: readonly { readonly index: number; readonly hash: string }[]
}

/** Message BackupRequest of cluster.proto. */
export type BackupRequest = Readonly<Record<never, never>>

/** Message BackupResponse of cluster.proto: one of the two. */
export interface BackupResponse {
  readonly head?: BackupHead | null
  readonly chunk?: Uint8Array | null
}

/** Message BackupHead of cluster.proto. */
export interface BackupHead {
  readonly clusterId: Uint8Array
  readonly clusterName: string
  readonly nodeId: string
  readonly version: string
  readonly meta: Uint8Array
  readonly estimatedBytes: number
}

export interface LoadedProtos {
  /** Of all three files: for reflection, and to make clients of. */
  readonly packageDefinition: PackageDefinition
  /** Cluster.Status, which is not hot and has no codec of its own. */
  readonly statusMethod: MethodDefinition<StatusRequest, StatusResponse>
  /** Cluster.Backup, whose few large messages need no codec of their own either. */
  readonly backupMethod: MethodDefinition<BackupRequest, BackupResponse>
  /** Cluster.StateDigests, which is not hot either. */
  readonly digestsMethod: MethodDefinition<StateDigestsRequest, StateDigestsResponse>
}

/**
 * Reads the .proto files (synchronously: call it once, at the start). Field names are camelCase, missing fields
 * have their defaults, bytes are Buffers. Numbers are of 53 bits: a larger uint64 loses its last digits here,
 * so what comes from outside and matters has a codec in unary.ts, frames.ts or message.ts, which refuse it.
 */
export function loadProtos(): LoadedProtos {
  const packageDefinition = loadSync([...FILES], {
    includeDirs: [PROTOS],
    keepCase: false,
    longs: Number,
    enums: String,
    bytes: Buffer,
    defaults: true,
    oneofs: true,
  })
  const cluster = packageDefinition['balsa.v1.Cluster']
  if (cluster === undefined || !('Status' in cluster && 'Backup' in cluster && 'StateDigests' in cluster)) {
    throw new Error('cluster.proto has not the methods that it should')
  }
  const statusMethod = cluster['Status'] as unknown as MethodDefinition<StatusRequest, StatusResponse>
  const backupMethod = cluster['Backup'] as unknown as MethodDefinition<BackupRequest, BackupResponse>
  const digestsMethod = cluster['StateDigests'] as unknown as MethodDefinition<
    StateDigestsRequest,
    StateDigestsResponse
  >
  return { packageDefinition, statusMethod, backupMethod, digestsMethod }
}
