import type { NodeId } from '../raft/types.ts'
import { LARGEST_REQUEST_BYTES } from '../wire/message-size.ts'
import {
  bytes,
  GIB,
  KIB,
  MIB,
  milliseconds,
  notEmpty,
  onOff,
  parseCount,
  SettingProblem,
  text,
} from './setting-kinds.ts'
import type { Setting } from './setting-kinds.ts'

/** How much a node's log says; pino's names. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A network address in parts. The host stands without the brackets of IPv6. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/**
 * Reads `host:port` or `[ipv6]:port`.
 * @param lowestPort 0 where the system may choose the port, else 1
 * @throws SettingProblem
 */
export function parseAddress(text: string, lowestPort: 0 | 1 = 1): HostPort {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_](?:[A-Za-z0-9._-]*))):(\d{1,5})$/.exec(text.trim())
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined) {
    throw new SettingProblem(`"${text}" is not host:port; give for example 127.0.0.1:7001 or [::1]:7001`)
  }
  if (port > 65_535 || port < lowestPort) {
    throw new SettingProblem(`"${text}" has the port ${port}; give one from ${lowestPort} to 65535`)
  }
  return { host, port }
}

/** Writes an address as `parseAddress` reads it. */
export function formatAddress({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Whether a host stands for every address of the machine, so that nobody else can dial it. */
export function isWildcard(host: string): boolean {
  return /^0+(\.0+)*$/.test(host) || /^[0:]+$/.test(host)
}

function parseNodeId(text: string): NodeId {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)) {
    throw new SettingProblem(
      `"${text}" is not a node id; use up to 63 letters, digits, dots, dashes and underscores, such as n1`,
    )
  }
  return text
}

function parseMembers(text: string): ReadonlyMap<NodeId, string> {
  const members = new Map<NodeId, string>()
  const owners = new Map<string, NodeId>()
  const problems: string[] = []
  for (const part of text.split(',').filter((piece) => piece.trim() !== '')) {
    try {
      const equals = part.indexOf('=')
      if (equals < 0) {
        throw new SettingProblem(`"${part.trim()}" is not id=host:port, such as n1=127.0.0.1:8001`)
      }
      const id = parseNodeId(part.slice(0, equals).trim())
      const parsed = parseAddress(part.slice(equals + 1))
      const address = formatAddress(parsed)
      if (members.has(id)) throw new SettingProblem(`${id} is there twice; every node needs an id of its own`)
      const owner = owners.get(address)
      if (owner !== undefined) {
        throw new SettingProblem(`${owner} and ${id} have the same address ${address}; give each its own`)
      }
      if (isWildcard(parsed.host)) {
        throw new SettingProblem(
          `${id} has the address ${address}, which no other node can dial; name its host`,
        )
      }
      members.set(id, address)
      owners.set(address, id)
    } catch (error) {
      if (!(error instanceof SettingProblem)) throw error
      problems.push(error.message)
    }
  }
  if (problems.length > 0) throw new SettingProblem(problems.join('; '))
  if (members.size === 0) {
    throw new SettingProblem(
      'it is empty; give every node of the cluster, this one included, or leave it out',
    )
  }
  return members
}

const listenAddress = (given: string) => formatAddress(parseAddress(given, 0))
const dialAddress = (given: string) => {
  const address = parseAddress(given)
  if (isWildcard(address.host)) {
    throw new SettingProblem(
      `"${given}" stands for every address of the machine; name one that others can dial`,
    )
  }
  return formatAddress(address)
}

/** Every setting of a node, under the key that it has in a configuration file. */
export const SETTINGS = Object.freeze({
  id: text('id', 'id', '`n1` without `--peers`', "This node's name within the cluster.", parseNodeId),
  data: text('data', 'dir', '`balsa-data/<id>`', 'Where this node keeps its data.', notEmpty),
  listen: text(
    'listen',
    'host:port',
    '`127.0.0.1:7001`',
    'Where it listens for clients. Port 0 lets the system choose.',
    listenAddress,
  ),
  peerListen: text(
    'peer-listen',
    'host:port',
    '`127.0.0.1:8001`',
    'Where it listens for the other nodes.',
    listenAddress,
  ),
  advertise: text(
    'advertise',
    'host:port',
    'as `--listen`; where that is 0.0.0.0 or [::], the host of `--peer-advertise`',
    'Where clients reach it.',
    dialAddress,
  ),
  peerAdvertise: text(
    'peer-advertise',
    'host:port',
    'its entry in `--peers`; without one as `--peer-listen`',
    'Where the other nodes reach it.',
    dialAddress,
  ),
  peers: Object.freeze<Setting<ReadonlyMap<NodeId, string>>>({
    flag: 'peers',
    placeholder: 'n1=host:port,…',
    description:
      'All nodes of the cluster, this one included, with the addresses where the others reach them.',
    defaultText: 'none: a cluster of one node',
    defaultValue: undefined,
    parse: parseMembers,
  }),
  clusterName: Object.freeze<Setting<string>>({
    flag: 'cluster-name',
    placeholder: 'name',
    description: 'Nodes of another cluster name are refused; it cannot change later.',
    defaultText: '`balsa`',
    defaultValue: 'balsa',
    parse: notEmpty,
  }),
  heartbeatMs: milliseconds(
    'heartbeat-ms',
    100,
    60_000,
    'How often the leader says that it is there, in milliseconds.',
  ),
  electionMs: milliseconds(
    'election-ms',
    1000,
    600_000,
    'How long a follower waits for the leader before it stands for election, in milliseconds (each time drawn anew from one to two times this). At least 3 heartbeats.',
  ),
  maxKeyBytes: bytes('max-key-bytes', 4 * KIB, [1, MIB], 'The longest key.'),
  maxValueBytes: bytes('max-value-bytes', MIB, [1, LARGEST_REQUEST_BYTES], 'The largest value.'),
  maxRequestBytes: bytes(
    'max-request-bytes',
    4 * MIB,
    [KIB, LARGEST_REQUEST_BYTES],
    'The largest request. At least the longest key and the largest value together.',
  ),
  maxWaitingProposals: Object.freeze<Setting<number>>({
    flag: 'max-waiting-proposals',
    placeholder: 'count',
    description: 'How many writes may wait for their commit; more are refused at once.',
    defaultText: '65536',
    defaultValue: 65_536,
    parse: (given: string) => parseCount(given, '', 1, 10_000_000),
  }),
  maxWaitingBytes: bytes(
    'max-waiting-bytes',
    64 * MIB,
    [KIB, 64 * GIB],
    'How many bytes of writes may wait for their commit. At least one request.',
  ),
  maxUnwrittenBytes: bytes(
    'max-unwritten-bytes',
    256 * MIB,
    [KIB, 64 * GIB],
    'How much memory applied state may take that waits for its checkpoint; above it writes are refused, and nothing more is applied.',
  ),
  checkpointIntervalMs: milliseconds(
    'checkpoint-interval-ms',
    5000,
    3_600_000,
    'How often the applied state is written to the state store, in milliseconds.',
  ),
  checkpointBytes: bytes(
    'checkpoint-bytes',
    32 * MIB,
    [KIB, 16 * GIB],
    'How much changed state is written earlier than that.',
  ),
  logTailBytes: bytes(
    'log-tail-bytes',
    16 * MIB,
    [KIB, 64 * GIB],
    'How much of the newest log is kept in memory for the followers.',
  ),
  logKeepBytes: bytes(
    'log-keep-bytes',
    64 * MIB,
    [0, 1024 * GIB],
    'How much of the log is kept on disk behind the last checkpoint: a follower that was away for longer is brought the whole state.',
  ),
  cacheBytes: bytes(
    'cache-bytes',
    128 * MIB,
    [0, 64 * GIB],
    'How much of the state store is cached in memory.',
  ),
  minFreeBytes: bytes(
    'min-free-bytes',
    256 * MIB,
    [0, 64 * GIB],
    'Below this much free space on the disk of `--data` writes are refused; reads and deletes go on. 0: never.',
  ),
  autoCompaction: Object.freeze<Setting<boolean>>({
    flag: 'auto-compaction',
    placeholder: 'on|off',
    description: 'Whether the leader gives up old history by itself, as the next three settings say.',
    defaultText: '`on`',
    defaultValue: true,
    parse: onOff,
  }),
  historyRevisions: Object.freeze<Setting<number>>({
    flag: 'history-revisions',
    placeholder: 'count',
    description:
      'How many of the newest revisions can be read, at least, while `--max-history-bytes` allows.',
    defaultText: '10000',
    defaultValue: 10_000,
    parse: (given: string) => parseCount(given, '', 1, 1_000_000_000_000),
  }),
  historyMs: milliseconds(
    'history-ms',
    5 * 60_000,
    365 * 24 * 3_600_000,
    'How long a revision can be read, at least, in milliseconds of cluster time, while `--max-history-bytes` allows.',
  ),
  maxHistoryBytes: bytes(
    'max-history-bytes',
    512 * MIB,
    [MIB, 1024 * GIB],
    'How much history is kept, about, whatever the two settings before say.',
  ),
  scrubIntervalMs: milliseconds(
    'scrub-interval-ms',
    6 * 3_600_000,
    30 * 24 * 3_600_000,
    'How long it rests between two passes over its data that look for damage, in milliseconds.',
  ),
  scrubBytesPerSecond: bytes(
    'scrub-bytes-per-second',
    8 * MIB,
    [0, 64 * GIB],
    'How much such a pass reads in a second, at most. 0: there are none.',
  ),
  compareStatesMs: milliseconds(
    'compare-states-ms',
    10_000,
    24 * 3_600_000,
    'How often it compares the hash of its state with those of the other nodes, in milliseconds.',
  ),
  logLevel: Object.freeze<Setting<LogLevel>>({
    flag: 'log-level',
    placeholder: 'level',
    description: `How much it logs: ${LOG_LEVELS.join(', ')}.`,
    defaultText: '`info`',
    defaultValue: 'info',
    parse(given: string) {
      const level = LOG_LEVELS.find((name) => name === given)
      if (!level)
        throw new SettingProblem(`"${given}" is not a log level; give one of ${LOG_LEVELS.join(', ')}`)
      return level
    },
  }),
})

export type SettingKey = keyof typeof SETTINGS

/** The keys in the order of the table. */
export const SETTING_KEYS: readonly SettingKey[] = Object.freeze(Object.keys(SETTINGS) as SettingKey[])

/** The environment's name of a setting: `BALSA_PEER_LISTEN` for `--peer-listen`. */
export function environmentName(flag: string): string {
  return `BALSA_${flag.toUpperCase().replaceAll('-', '_')}`
}
