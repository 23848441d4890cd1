import type { StatusResponse } from '../wire/proto.ts'
import type { Connector } from './connector.ts'

/** One node, as it was found. What only the node itself can tell is null where it did not answer. */
export interface NodeStatus {
  /** Empty where the node did not answer and no other knows it. */
  readonly id: string
  readonly clientAddress: string
  readonly peerAddress: string
  readonly reachable: boolean
  /** follower, preCandidate, candidate or leader */
  readonly role: string | null
  readonly term: number | null
  readonly commitIndex: number | null
  readonly lastApplied: number | null
  readonly firstIndex: number | null
  readonly lastIndex: number | null
  readonly revision: number | null
  /** `serving`, or why not, in words. */
  readonly health: string
  readonly stateHash: string | null
  readonly pid: number | null
  readonly version: string | null
  readonly dataDir: string | null
  /** Older revisions than this cannot be read. */
  readonly compactedRevision: number | null
  /** The state on disk holds everything up to this entry of the log; what comes after it is in the log. */
  readonly checkpointIndex: number | null
  readonly disk: NodeDisk | null
}

/** What a node's data takes of its disk, in bytes, and what is left. */
export interface NodeDisk {
  readonly logBytes: number
  readonly stateBytes: number
  /** Of the file system. */
  readonly freeBytes: number
  readonly totalBytes: number
  /** Below the node's limit: as the leader it takes no writes. */
  readonly lowOnSpace: boolean
  /** Since the state was last brought up to date, in milliseconds. */
  readonly checkpointAgeMs: number
}

export interface ClusterStatus {
  /** The id of the leader of `term`; null where none is known. */
  readonly leader: string | null
  /** The newest term that a node told of; 0 where none answered. */
  readonly term: number
  /** In the order of their ids. */
  readonly nodes: readonly NodeStatus[]
}

interface Asked {
  readonly endpoint: string
  readonly answer: StatusResponse | Error
}

/**
 * Asks every endpoint, then every node that the first ones know of and that did not answer yet, each at most
 * `timeoutMs`. Never rejects: a node that does not answer is part of the answer.
 */
export async function clusterStatus(
  connector: Connector,
  endpoints: readonly string[],
  timeoutMs: number,
): Promise<ClusterStatus> {
  const ask = async (endpoint: string): Promise<Asked> => {
    try {
      return { endpoint, answer: await connector.status(endpoint, timeoutMs) }
    } catch (error) {
      return { endpoint, answer: error instanceof Error ? error : new Error(String(error)) }
    }
  }
  const asked = await Promise.all(endpoints.map(ask))
  const further = unreachedAddresses(asked)
  return assemble([...asked, ...(await Promise.all(further.map(ask)))])
}

function answersOf(asked: readonly Asked[]): Map<string, StatusResponse> {
  const answers = new Map<string, StatusResponse>()
  for (const { answer } of asked) if (!(answer instanceof Error)) answers.set(answer.id, answer)
  return answers
}

/** The advertised addresses of the peers that have not answered, without those that were tried. */
function unreachedAddresses(asked: readonly Asked[]): string[] {
  const answers = answersOf(asked)
  const tried = new Set(asked.map(({ endpoint }) => endpoint))
  const addresses = new Set<string>()
  for (const { peers } of answers.values()) {
    for (const { id, clientAddress } of peers) {
      if (clientAddress !== '' && !answers.has(id) && !tried.has(clientAddress)) addresses.add(clientAddress)
    }
  }
  return [...addresses]
}

function assemble(asked: readonly Asked[]): ClusterStatus {
  const answers = answersOf(asked)
  const nodes = new Map<string, NodeStatus>()
  for (const answer of answers.values()) nodes.set(answer.id, reached(answer))
  const failures = new Map<string, Error>()
  for (const { endpoint, answer } of asked) if (answer instanceof Error) failures.set(endpoint, answer)
  for (const { peers } of answers.values()) {
    for (const { id, peerAddress, clientAddress } of peers) {
      if (answers.has(id) || (nodes.has(id) && clientAddress === '')) continue
      nodes.set(id, unreached(id, clientAddress, peerAddress, failures.get(clientAddress)))
    }
  }
  const sorted = [...nodes.values()].sort((one, other) => (one.id < other.id ? -1 : 1))
  // Whoever answers knows all members. Where nobody does, the endpoints are all there is to show.
  if (sorted.length === 0) for (const [at, why] of failures) sorted.push(unreached('', at, '', why))
  const term = Math.max(0, ...[...answers.values()].map((answer) => answer.term))
  return { leader: leaderOf([...answers.values()], term), term, nodes: sorted }
}

/** Who says of itself that it leads the newest term; else whom its followers name, unless that node denies it. */
function leaderOf(answers: readonly StatusResponse[], term: number): string | null {
  const newest = answers.filter((answer) => answer.term === term)
  const leading = newest.find((answer) => answer.role === 'leader')
  if (leading !== undefined) return leading.id
  const ids = new Set(answers.map((answer) => answer.id))
  return newest.find((answer) => answer.leader !== '' && !ids.has(answer.leader))?.leader ?? null
}

function reached(answer: StatusResponse): NodeStatus {
  const { id, clientAddress, peerAddress, role, term, commitIndex, lastApplied, firstIndex } = answer
  const { lastIndex, revision, health, stateHash, pid, version, dataDir } = answer
  const log = { commitIndex, lastApplied, firstIndex, lastIndex, revision }
  const addresses = { id, clientAddress, peerAddress, reachable: true }
  const { compactedRevision, checkpointIndex, disk } = answer
  const process = { health, stateHash, pid, version, dataDir }
  // An older node tells nothing of its disk.
  return {
    ...addresses,
    role,
    term,
    ...log,
    ...process,
    compactedRevision,
    checkpointIndex,
    disk: disk ?? null,
  }
}

function unreached(
  id: string,
  clientAddress: string,
  peerAddress: string,
  why: Error | undefined,
): NodeStatus {
  return {
    id,
    clientAddress,
    peerAddress,
    reachable: false,
    role: null,
    term: null,
    commitIndex: null,
    lastApplied: null,
    firstIndex: null,
    lastIndex: null,
    revision: null,
    health: why === undefined ? 'unreachable' : `unreachable: ${why.message}`,
    stateHash: null,
    pid: null,
    version: null,
    dataDir: null,
    compactedRevision: null,
    checkpointIndex: null,
    disk: null,
  }
}
