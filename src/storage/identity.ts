import { createHash, randomBytes } from 'node:crypto'
import { WrongDirectoryError } from '../errors.ts'
import type { NodeId } from '../raft/types.ts'
import { decodeChecked, encodeChecked } from './checked-file.ts'
import { damaged } from './disk-failure.ts'
import type { Disk } from './disk.ts'

export const IDENTITY_FILE = 'identity'

/** The format of the data directory that this version reads and writes. 2: the log's state comes before its entries. */
export const FORMAT_VERSION = 2

/** Whose data directory this is. Written once, last, at the first start. */
export interface Identity {
  readonly formatVersion: number
  readonly clusterName: string
  /** `clusterIdOf` the name and the initial members: 16 bytes. */
  readonly clusterId: Uint8Array
  /** The ids of the initial members, sorted. */
  readonly members: readonly NodeId[]
  readonly nodeId: NodeId
  /** Drawn at random at the first start (52 bits, never 0), so that peers notice a directory that was wiped. */
  readonly incarnation: number
}

/** As whom a node wants to start. */
export interface IdentityExpected {
  readonly nodeId: NodeId
  readonly clusterName: string
  /** The ids of the cluster's initial members, in any order. */
  readonly members: readonly NodeId[]
}

/**
 * The cluster's id: the first 16 bytes of SHA-256 over its name and the ids of its initial members, in any
 * order. Ids only, so that an address may change.
 */
export function clusterIdOf(name: string, memberIds: readonly NodeId[]): Uint8Array {
  // JSON delimits: ["a,b"] is not ["a", "b"].
  const text = JSON.stringify([name, ...sorted(memberIds)])
  return createHash('sha256').update(text, 'utf8').digest().subarray(0, 16)
}

/** A random incarnation, from 1 to 2^52 − 1. */
export function drawIncarnation(): number {
  const bytes = randomBytes(8)
  return (bytes.readUInt32LE(0) & 0xf_ffff) * 0x1_0000_0000 + bytes.readUInt32LE(4) || 1
}

/** The identity of a directory at its first start. */
export function newIdentity(expected: IdentityExpected, incarnation: number): Identity {
  return Object.freeze({
    formatVersion: FORMAT_VERSION,
    clusterName: expected.clusterName,
    clusterId: clusterIdOf(expected.clusterName, expected.members),
    members: Object.freeze(sorted(expected.members)),
    nodeId: expected.nodeId,
    incarnation,
  })
}

/** Makes the identity durable. */
export async function writeIdentity(disk: Disk, identity: Identity): Promise<void> {
  const { formatVersion, clusterName, clusterId, members, nodeId, incarnation } = identity
  const hex = Buffer.from(clusterId).toString('hex')
  const content = { formatVersion, clusterName, clusterId: hex, members, nodeId, incarnation }
  await disk.replaceFile(IDENTITY_FILE, encodeChecked(content))
}

/** Marks a directory that is being filled by other means than a start: no node starts on it before it has its identity. */
export async function writeUnfinished(disk: Disk): Promise<void> {
  await disk.replaceFile(IDENTITY_FILE, encodeChecked({ formatVersion: FORMAT_VERSION, unfinished: true }))
}

/**
 * The identity of the directory, undefined where it has none.
 *
 * Throws DamagedDataError where the file is broken, WrongDirectoryError where it is of another node, of another
 * cluster, or of a format that this version does not know.
 */
export async function readIdentity(disk: Disk, expected: IdentityExpected): Promise<Identity | undefined> {
  const bytes = await disk.readFile(IDENTITY_FILE)
  if (bytes === undefined) return undefined
  const identity = decodeIdentity(disk, bytes)
  assertExpected(disk.path, identity, expected)
  return identity
}

/** The identity of a directory, whosever it is. Throws as `readIdentity` does, and DamagedDataError where there is none. */
export async function inspectIdentity(disk: Disk): Promise<Identity> {
  const bytes = await disk.readFile(IDENTITY_FILE)
  if (bytes === undefined) throw damaged(`The identity in ${disk.path} is missing`)
  return decodeIdentity(disk, bytes)
}

function decodeIdentity(disk: Disk, bytes: Uint8Array): Identity {
  const value = decodeChecked(bytes)
  const formatVersion = isObject(value) ? value['formatVersion'] : undefined
  if (typeof formatVersion === 'number' && formatVersion !== FORMAT_VERSION) {
    throw new WrongDirectoryError(
      `${disk.path} has format version ${formatVersion}; this version of Balsa reads version ${FORMAT_VERSION}. ` +
        `Start it with the version of Balsa that wrote it${formatVersion > FORMAT_VERSION ? ', or a newer one' : ''}.`,
    )
  }
  if (isObject(value) && value['unfinished'] === true) {
    throw new WrongDirectoryError(
      `${disk.path} is of a restore that did not end. Delete the directory, and restore the backup again.`,
    )
  }
  const identity = identityOf(value)
  if (identity === undefined) {
    throw damaged(`The identity in ${disk.path} is broken (its checksum does not fit its content)`)
  }
  return identity
}

function assertExpected(path: string, found: Identity, expected: IdentityExpected): void {
  if (found.nodeId !== expected.nodeId) {
    throw new WrongDirectoryError(
      `${path} belongs to node ${found.nodeId}, not to ${expected.nodeId}. ` +
        'Start it with its own id, or give this node a directory of its own.',
    )
  }
  if (!Buffer.from(found.clusterId).equals(clusterIdOf(expected.clusterName, expected.members))) {
    throw new WrongDirectoryError(
      `${path} belongs to cluster "${found.clusterName}" of ${found.members.join(', ')}, ` +
        `not to "${expected.clusterName}" of ${sorted(expected.members).join(', ')}. ` +
        'Start it with the name and members that it was made with, or give this node a directory of its own.',
    )
  }
}

function identityOf(value: unknown): Identity | undefined {
  if (!isObject(value)) return undefined
  const { formatVersion, clusterName, clusterId, members, nodeId, incarnation } = value
  if (typeof formatVersion !== 'number' || typeof incarnation !== 'number') return undefined
  if (typeof clusterName !== 'string' || typeof clusterId !== 'string' || typeof nodeId !== 'string') {
    return undefined
  }
  if (!Array.isArray(members) || !members.every((id) => typeof id === 'string')) return undefined
  const bytes = Buffer.from(clusterId, 'hex')
  return Object.freeze({ formatVersion, clusterName, clusterId: bytes, members, nodeId, incarnation })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function sorted(ids: readonly NodeId[]): NodeId[] {
  return [...ids].sort()
}
