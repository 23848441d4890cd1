import { mkdirSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { ConfigurationError } from '../../errors.ts'
import { resolveConfig } from '../../server/config.ts'
import { write } from '../context.ts'
import type { CliContext } from '../context.ts'
import { UsageError } from '../failure.ts'
import { DEFAULT_ENDPOINTS } from '../global-options.ts'
import { stopSignal } from '../signals.ts'
import { readClusterFile, runningNodes } from './cluster-file.ts'
import { layoutCluster, OWN_NAMES } from './layout.ts'
import type { NodeLayout } from './layout.ts'
import { findFreeBase, PEER_PORT_OFFSET, portsAbove, portsOf, randomPorts, takenPorts } from './ports.ts'
import { LocalCluster } from './local-cluster.ts'
import { RelayedLinks } from './relayed-links.ts'

const DEFAULT_NODES = 3

export interface StartOptions {
  readonly nodes?: number
  readonly dir: string
  /** 0: any from which on all ports are free. */
  readonly basePort: number
  /** Lets the nodes talk to each other through a relay, so that `balsa chaos` can cut their links. */
  readonly relay?: boolean
}

/**
 * Runs a local cluster until a signal ends it.
 * @returns the exit code: 0 where a signal ended it
 * @throws UsageError before anything is started, where it cannot be
 */
export async function startCluster(options: StartOptions, context: CliContext): Promise<number> {
  using stop = stopSignal(context.signals)
  const dir = resolve(options.dir)
  const shownDir = shown(dir)
  const before = readClusterFile(dir)
  const nodes = nodesOf(options, before?.nodes.length, shownDir)
  if (before) {
    const running = await runningNodes(before.nodes)
    if (running.length > 0) {
      const who = running.map(({ id, pid }) => `${id} (pid ${pid})`).join(', ')
      const usage = usageLines(before.nodes.map(({ clientAddress }) => clientAddress)).slice(0, 3)
      throw new UsageError(
        `a cluster runs from ${shownDir} already: ${who}.\nUse it:\n${usage.join('\n')}\n` +
          'Stop it with ctrl-C in its terminal, or start another with --dir and --base-port',
      )
    }
  }
  const basePort = await freeBasePort(options.basePort, nodes)
  const env = withoutOwnNames(context.env)
  const clusterName = before?.clusterName
  const place = { nodes, dir, basePort, clusterName, self: context.self, env }
  // The relay lives as long as the cluster; what asks it for a node comes when the cluster is there.
  const restart: { node: (id: string) => void } = { node: () => {} }
  await using relayed = options.relay
    ? await RelayedLinks.open(layoutCluster(place), (id) => restart.node(id))
    : undefined
  const layout = layoutCluster({ ...place, route: relayed?.route })
  const warnings = check(layout, env, context.heapBytes)
  makeDirectory(dir, shownDir)

  const say = (text: string) => void write(context.stdout, `${text}\n`)
  const count = nodes === 1 ? 'one node' : `${nodes} nodes`
  say(`Balsa ${context.version}: ${count} on this machine; data and logs in ${shownDir}`)
  if (before) say(`The data that is there is resumed. (To begin anew, delete ${shownDir} first.)`)
  if (relayed) say('The nodes reach each other through a relay: `balsa chaos` can cut their links.')
  for (const warning of warnings) say(`Warning: ${warning}`)
  const cluster = new LocalCluster({
    layout,
    dir,
    clusterName,
    self: context.self,
    env,
    say,
    usage: usageLines(layout.map(({ clientAddress }) => clientAddress)),
    connect: () =>
      context.connect({ endpoints: layout.map(({ clientAddress }) => clientAddress), timeoutMs: 2000 }),
    control: relayed?.control,
  })
  restart.node = (id) => cluster.restart(id)
  // Awaited here: the signals are listened for until this function ends.
  return await cluster.run(stop)
}

/** A directory as its user would write it: short where it lies below the current one. */
function shown(dir: string): string {
  const path = relative(process.cwd(), dir)
  return path === '' ? '.' : path.startsWith('..') ? dir : path
}

function nodesOf({ nodes }: StartOptions, before: number | undefined, dir: string): number {
  if (nodes !== undefined && before !== undefined && nodes !== before) {
    throw new UsageError(
      `${dir} holds a cluster of ${before} nodes, not ${nodes}. ` +
        `Start it without --nodes, give another --dir, or delete ${dir} to begin anew`,
    )
  }
  return nodes ?? before ?? DEFAULT_NODES
}

async function freeBasePort(wanted: number, nodes: number): Promise<number> {
  if (wanted === 0) {
    const found = await findFreeBase(randomPorts(), nodes)
    if (found === undefined) throw new UsageError('no free ports were found: give --base-port')
    return found
  }
  const taken = await takenPorts(portsOf(wanted, nodes))
  if (taken.length === 0) return wanted
  const names = taken.map((port) => {
    const isPeer = port >= wanted + PEER_PORT_OFFSET
    const node = `n${port - wanted - (isPeer ? PEER_PORT_OFFSET : 0) + 1}`
    return `${port} (${node} would listen there for ${isPeer ? 'the other nodes' : 'clients'})`
  })
  const other = await findFreeBase(portsAbove(wanted), nodes)
  throw new UsageError(
    `${taken.length === 1 ? 'this port is' : 'these ports are'} in use: ${names.join(', ')}. ` +
      `Stop what listens there, or choose other ports: --base-port ${other ?? '<port>'}`,
  )
}

/** A node's place comes from its flags; the like in the environment is meant for a single `balsa serve`. */
function withoutOwnNames(env: CliContext['env']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OWN_NAMES.includes(name)))
}

/** Finds what is wrong with the settings once, before it fails in every node. */
function check(layout: readonly NodeLayout[], env: CliContext['env'], heapBytes: number): readonly string[] {
  const peers = layout.map(({ id, peerAddress }) => `${id}=${peerAddress}`).join(',')
  const [{ id, dataDir, clientAddress, peerAddress }] = layout as [NodeLayout]
  const flags = { id, data: dataDir, listen: clientAddress, peerListen: peerAddress, peers }
  return resolveConfig({ flags, env, heapBytes }).warnings
}

function makeDirectory(dir: string, shownDir: string): void {
  try {
    mkdirSync(dir, { recursive: true })
  } catch (error) {
    throw new ConfigurationError(
      `${shownDir} cannot be made: ${(error as Error).message}. Give another --dir.`,
      {
        cause: error,
      },
    )
  }
}

/** What to type in another terminal. The defaults of the client reach a cluster at the default ports. */
function usageLines(addresses: readonly string[]): string[] {
  const isDefault = DEFAULT_ENDPOINTS.startsWith(addresses[0]!)
  const endpoints = isDefault ? '' : ` --endpoints ${addresses.join(',')}`
  const lines = ['put greeting hello', 'get greeting', 'status', 'shell']
  return lines.map((line) => `  npx balsa ${line}${endpoints}`)
}
