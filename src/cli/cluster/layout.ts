import { join } from 'node:path'
import { environmentName, SETTING_KEYS, SETTINGS } from '../../server/settings.ts'
import type { SettingKey } from '../../server/settings.ts'
import { PEER_PORT_OFFSET } from './ports.ts'

/** One node of a local cluster, as it is to be started. */
export interface NodeLayout {
  readonly id: string
  readonly clientAddress: string
  readonly peerAddress: string
  readonly dataDir: string
  readonly logFile: string
  /** The arguments of `balsa` that start it. */
  readonly args: readonly string[]
  /** A line for a shell that starts it by hand. */
  readonly restartCommand: string
}

export interface LayoutOptions {
  readonly nodes: number
  /** Absolute: a restart by hand works from everywhere. */
  readonly dir: string
  readonly basePort: number
  /** Where it is not the default. */
  readonly clusterName?: string | undefined
  /** The program that runs this CLI, and its first arguments. */
  readonly self: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** How a node reaches another, where that is not the other's own address: through a relay. */
  readonly route?: ((from: string, to: string) => string) | undefined
}

/** What a node of a local cluster is told by its place in it, and never by the environment. */
const OWN: ReadonlySet<SettingKey> = new Set([
  'id',
  'data',
  'listen',
  'peerListen',
  'advertise',
  'peerAdvertise',
  'peers',
  'clusterName',
])

/** The names in the environment that must not reach a node of a local cluster. */
export const OWN_NAMES: readonly string[] = Object.freeze([
  'BALSA_CONFIG',
  ...[...OWN].map((key) => environmentName(SETTINGS[key].flag)),
])

/** Lays out the nodes n1, n2, … of a local cluster. */
export function layoutCluster(options: LayoutOptions): NodeLayout[] {
  const { nodes, dir, basePort, clusterName, self, env, route } = options
  const members = Array.from({ length: nodes }, (_, index) => ({
    id: `n${index + 1}`,
    clientAddress: `127.0.0.1:${basePort + index}`,
    peerAddress: `127.0.0.1:${basePort + index + PEER_PORT_OFFSET}`,
  }))
  const peersOf = (self: string) =>
    members
      .map(({ id, peerAddress }) => `${id}=${id === self || !route ? peerAddress : route(self, id)}`)
      .join(',')
  return members.map(({ id, clientAddress, peerAddress }) => {
    const dataDir = join(dir, id)
    const args = ['serve', '--id', id, '--data', dataDir, '--listen', clientAddress, '--peer-listen']
    args.push(peerAddress, '--peers', peersOf(id))
    if (clusterName !== undefined) args.push('--cluster-name', clusterName)
    args.push(...flagsOf(env))
    return Object.freeze({
      id,
      clientAddress,
      peerAddress,
      dataDir,
      logFile: join(dir, `${id}.log`),
      args: Object.freeze(args),
      restartCommand: [...self, ...args].map(quote).join(' '),
    })
  })
}

/** The environment's other settings as flags: a node that is restarted from another terminal keeps them. */
function flagsOf(env: Readonly<Record<string, string | undefined>>): string[] {
  return SETTING_KEYS.filter((key) => !OWN.has(key)).flatMap((key) => {
    const value = env[environmentName(SETTINGS[key].flag)]
    return value === undefined || value === '' ? [] : [`--${SETTINGS[key].flag}`, value]
  })
}

/** A word as a POSIX shell takes it for itself. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
