import { join } from 'node:path'
import { ConfigurationError } from '../errors.ts'
import type { NodeId } from '../raft/types.ts'
import { heapSlip } from './heap-room.ts'
import {
  environmentName,
  formatAddress,
  isWildcard,
  parseAddress,
  SETTING_KEYS,
  SETTINGS,
} from './settings.ts'
import { SettingProblem } from './setting-kinds.ts'
import type { LogLevel, SettingKey } from './settings.ts'

/** Everything a node is told before it starts. Frozen. Every address is `host:port`. */
export interface NodeConfig {
  readonly id: NodeId
  readonly dataDir: string
  /** Where it listens for clients. Port 0: the system chooses. */
  readonly listen: string
  /** Where it listens for the other nodes. Port 0: the system chooses. */
  readonly peerListen: string
  /** Where clients reach it. Port 0 only where `listen` has it: the port that was chosen. */
  readonly advertise: string
  /** Where the other nodes reach it. Port 0 only where `peerListen` has it, in a cluster of one. */
  readonly peerAdvertise: string
  /** The peer addresses of all initial members, this node included. */
  readonly peers: ReadonlyMap<NodeId, string>
  readonly clusterName: string
  readonly heartbeatMs: number
  /** Election time-outs are drawn from one to two times this. */
  readonly electionMs: number
  readonly maxKeyBytes: number
  readonly maxValueBytes: number
  readonly maxRequestBytes: number
  /** More than this many proposals waiting for their commit, or this many bytes of them, are refused. */
  readonly maxWaitingProposals: number
  readonly maxWaitingBytes: number
  /** Proposals are refused while the state that waits for its checkpoint exceeds this. */
  readonly maxUnwrittenBytes: number
  readonly checkpointIntervalMs: number
  readonly checkpointBytes: number
  readonly logTailBytes: number
  /** So much of the log is kept behind the last checkpoint, for followers. */
  readonly logKeepBytes: number
  readonly cacheBytes: number
  /** Writes are refused while the disk has less than this free. */
  readonly minFreeBytes: number
  readonly autoCompaction: boolean
  /** The newest revisions that are kept, and for how long; whichever is more. */
  readonly historyRevisions: number
  readonly historyMs: number
  /** More history than this is not kept. */
  readonly maxHistoryBytes: number
  /** The rest between two passes that look for damage; how much they read in a second (0: there are none). */
  readonly scrubIntervalMs: number
  readonly scrubBytesPerSecond: number
  readonly compareStatesMs: number
  readonly logLevel: LogLevel
}

/** Where settings come from: a flag wins over the environment, which wins over the file. */
export interface ConfigSources {
  /** By setting, each value that its flag was given. */
  readonly flags?: { readonly [K in SettingKey]?: string | readonly string[] | undefined }
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly file?: ConfigFile | undefined
  /**
   * What the heap of the node's process may grow to, as `v8.getHeapStatistics().heap_size_limit` has it. What the node
   * may keep in memory is held against it; where it is not given, against nothing.
   */
  readonly heapBytes?: number | undefined
}

/** A configuration file as read: `content` is its parsed JSON. */
export interface ConfigFile {
  readonly path: string
  readonly content: unknown
}

export interface ResolvedConfig {
  readonly config: NodeConfig
  /** What looks like a slip but does not keep the node from starting, each in words. */
  readonly warnings: readonly string[]
}

/** Names in the environment that are Balsa's but no settings of a node. */
const OTHER_NAMES = ['BALSA_CONFIG', 'BALSA_ENDPOINTS', 'BALSA_NODE', 'BALSA_SHARED']

/** Values as parsed, before they are held against each other. */
type Values = { -readonly [K in SettingKey]: ReturnType<(typeof SETTINGS)[K]['parse']> | undefined }

/**
 * Puts a node's configuration together. Reads nothing but its arguments.
 * @throws ConfigurationError that names every problem, not only the first, and how to put each right
 */
export function resolveConfig(sources: ConfigSources): ResolvedConfig {
  const problems: string[] = []
  const env = sources.env ?? {}
  const file = fileSettings(sources.file, problems)
  const values: Partial<Values> = {}
  for (const key of SETTING_KEYS) readSetting(key, sources.flags?.[key], env, file, values, problems)
  const heap = heapSlip(values, sources.heapBytes ?? Infinity)
  if (heap?.refused) problems.push(heap.text)
  const config = complete(values, problems)
  if (problems.length > 0 || !config) throw new ConfigurationError(listed(problems))
  const warnings = [...environmentSlips(env), ...addressSlips(config)]
  if (heap !== undefined) warnings.push(heap.text)
  return Object.freeze({ config, warnings: Object.freeze(warnings) })
}

function listed(problems: readonly string[]): string {
  if (problems.length === 1) return `The configuration is wrong: ${problems[0]}`
  return `The configuration has ${problems.length} problems:\n${problems.map((line) => `  - ${line}`).join('\n')}`
}

/** The setting as its owner wrote it, with the name of the place: that is where it has to be put right. */
function readSetting<K extends SettingKey>(
  key: K,
  flag: string | readonly string[] | undefined,
  env: Readonly<Record<string, string | undefined>>,
  file: { readonly path: string; readonly texts: ReadonlyMap<string, string> },
  values: Partial<Values>,
  problems: string[],
): void {
  const setting = SETTINGS[key]
  const given = flag === undefined ? [] : typeof flag === 'string' ? [flag] : flag
  const variable = environmentName(setting.flag)
  if (given.length > 1) {
    problems.push(`--${setting.flag} is given ${given.length} times: give it once`)
    return
  }
  const fromEnv = env[variable]
  const [text, place] =
    given[0] !== undefined
      ? [given[0], `--${setting.flag}`]
      : // An empty variable counts as none: that is how compose files pass on what is not set.
        fromEnv !== undefined && fromEnv !== ''
        ? [fromEnv, variable]
        : [file.texts.get(key), `"${key}" in ${file.path}`]
  try {
    Object.assign(values, { [key]: text === undefined ? setting.defaultValue : setting.parse(text) })
  } catch (error) {
    if (!(error instanceof SettingProblem)) throw error
    problems.push(`${place}: ${error.message}`)
  }
}

/** The file's values in the form in which they would be typed as flags. */
function fileSettings(
  file: ConfigFile | undefined,
  problems: string[],
): { readonly path: string; readonly texts: ReadonlyMap<string, string> } {
  const texts = new Map<string, string>()
  if (!file) return { path: '', texts }
  const { path, content } = file
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    problems.push(`${path} must hold a JSON object, such as {"id": "n1", "data": "/var/lib/balsa"}`)
    return { path, texts }
  }
  for (const [key, value] of Object.entries(content as Record<string, unknown>)) {
    if (!Object.hasOwn(SETTINGS, key)) {
      const known = nearest(key, SETTING_KEYS)
      problems.push(
        `${path} has the unknown key "${key}"${known ? `: did you mean "${known}"?` : `. Known are ${SETTING_KEYS.join(', ')}`}`,
      )
    } else if (typeof value === 'string' || typeof value === 'number') {
      texts.set(key, String(value))
    } else if (typeof value === 'boolean') {
      texts.set(key, value ? 'on' : 'off')
    } else if (key === 'peers' && isTextRecord(value)) {
      texts.set(
        key,
        Object.entries(value)
          .map((pair) => pair.join('='))
          .join(','),
      )
    } else {
      const wanted = key === 'peers' ? 'an object, such as {"n1": "host:port"}' : 'a text or a number'
      problems.push(`"${key}" in ${path} must be ${wanted}`)
    }
  }
  return { path, texts }
}

function isTextRecord(value: unknown): value is Record<string, string> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((item) => typeof item === 'string')
  )
}

/** Fills in what depends on other settings and holds them against each other. */
function complete(values: Partial<Values>, problems: string[]): NodeConfig | undefined {
  const { peers, listen = '127.0.0.1:7001', peerListen = '127.0.0.1:8001' } = values
  let id = values.id
  const known = peers === undefined || (id !== undefined && peers.has(id))
  // A key that is there without a value was not given; one that is not there was given, and wrong.
  if (id === undefined && 'id' in values && peers) {
    problems.push(`--id is missing: say which of ${[...peers.keys()].join(', ')} this node is`)
  } else if (id !== undefined && peers && !peers.has(id)) {
    problems.push(
      `--id ${id} is not in --peers (${[...peers.keys()].join(', ')}): ` +
        `--peers names all nodes, this one included (add ${id}=host:port)`,
    )
  }
  id ??= 'n1'
  checkTimes(values, problems)
  checkSizes(values, problems)

  const peerAdvertise = values.peerAdvertise ?? peers?.get(id) ?? peerListen
  const peerHost = parseAddress(peerAdvertise, 0).host
  if (isWildcard(peerHost) && known) {
    problems.push(
      `--peer-listen ${peerListen} cannot be dialled as it stands: give --peer-advertise host:port`,
    )
  }
  if (listen === peerListen && parseAddress(listen, 0).port !== 0) {
    problems.push(`--listen and --peer-listen are both ${listen}: clients and nodes need an address each`)
  }
  const listening = parseAddress(listen, 0)
  const advertise =
    values.advertise ??
    formatAddress(isWildcard(listening.host) ? { host: peerHost, port: listening.port } : listening)
  if (problems.length > 0) return undefined

  const { data, ...rest } = { ...(values as Values) }
  return Object.freeze({
    ...(rest as Required<typeof rest> & NodeConfig),
    id,
    dataDir: data ?? join('balsa-data', id),
    listen,
    peerListen,
    advertise,
    peerAdvertise,
    peers: peers ?? new Map([[id, peerAdvertise]]),
  })
}

function checkTimes({ heartbeatMs, electionMs }: Partial<Values>, problems: string[]): void {
  if (heartbeatMs === undefined || electionMs === undefined || electionMs >= 3 * heartbeatMs) return
  problems.push(
    `--election-ms ${electionMs} is less than three heartbeats of ${heartbeatMs} ms: one that is late would ` +
      `depose a healthy leader. Give at least --election-ms ${3 * heartbeatMs}, or a shorter --heartbeat-ms`,
  )
}

function checkSizes(values: Partial<Values>, problems: string[]): void {
  const { maxKeyBytes = 0, maxValueBytes = 0, maxRequestBytes, maxWaitingBytes } = values
  const { maxUnwrittenBytes, checkpointBytes = 0 } = values
  if (maxRequestBytes !== undefined && maxRequestBytes < maxKeyBytes + maxValueBytes) {
    problems.push(
      `--max-request-bytes ${maxRequestBytes} cannot hold the longest key and the largest value: ` +
        `give at least ${maxKeyBytes + maxValueBytes}`,
    )
  }
  if (maxWaitingBytes !== undefined && maxWaitingBytes < (maxRequestBytes ?? 0)) {
    problems.push(
      `--max-waiting-bytes ${maxWaitingBytes} cannot hold one request: give at least ${maxRequestBytes}`,
    )
  }
  if (maxUnwrittenBytes !== undefined && maxUnwrittenBytes < checkpointBytes) {
    problems.push(
      `--max-unwritten-bytes ${maxUnwrittenBytes} is below --checkpoint-bytes: give at least ${checkpointBytes}`,
    )
  }
}

/** The other nodes dial what their --peers says, whatever this node says of itself. */
function addressSlips({ id, peers, peerAdvertise }: NodeConfig): string[] {
  const entry = peers.get(id)
  if (entry === undefined || entry === peerAdvertise) return []
  return [
    `--peer-advertise is ${peerAdvertise}, but --peers has ${id}=${entry}: the other nodes dial the latter`,
  ]
}

/** Names in the environment that are nobody's but close to a setting's. */
function environmentSlips(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = [...SETTING_KEYS.map((key) => environmentName(SETTINGS[key].flag)), ...OTHER_NAMES]
  return Object.keys(env)
    .filter((name) => name.startsWith('BALSA_') && !known.includes(name))
    .flatMap((name) => {
      const meant = nearest(name, known)
      return meant ? [`${name} in the environment is not a setting: did you mean ${meant}?`] : []
    })
}

/** The known name that `given` was most likely meant to be, if one is near enough. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const plain = (name: string) => name.toLowerCase().replaceAll(/^balsa_|[-_]/g, '')
  const wanted = plain(given)
  let best: string | undefined
  let least = Math.floor(wanted.length / 3) + 1
  for (const name of known) {
    const distance = editDistance(wanted, plain(name))
    if (distance < least) [best, least] = [name, distance]
  }
  return best
}

/** How many letters must be changed, added or left out to make one word of the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const changed = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[to.length]!
}
