import { check, registerModel, renderText } from '../../src/check/index.ts'
import type { Verdict } from '../../src/check/index.ts'
import type { RegisterInput, RegisterOutput } from '../../src/check/index.ts'
import { Dice } from '../sim/engine/dice.ts'
import { Client } from './client.ts'
import { Network } from './network.ts'
import type { LatencyDistribution } from './network.ts'
import { balsaMaelstrom, NodeProcess } from './node-process.ts'
import { drawPartition } from './partitions.ts'
import { Workload } from './workload.ts'
import type { Tally } from './workload.ts'

/** How hard the checker tries. */
const MAX_STEPS = 20_000_000

/** How long an init_ok may take, in milliseconds. Maelstrom waits ten seconds; here other programs may be at work. */
const INIT_MS = 30_000

/** How long a healed cluster has before what it holds is read, in milliseconds. */
const RECOVERY_MS = 1500

export interface WorkbenchOptions {
  readonly nodes: number
  readonly concurrency: number
  /** Requests a second. */
  readonly rate: number
  readonly latencyMs: number
  readonly distribution: LatencyDistribution
  readonly loss: number
  /** A partition comes after so many milliseconds, and goes after as many more, and so on. Undefined: none does. */
  readonly partitionMs: number | undefined
  /** How long there is load, in milliseconds. */
  readonly durationMs: number
  readonly seed: number
  /** What runs a node, with its arguments. Default: `balsa maelstrom`. */
  readonly command?: readonly string[]
}

export interface Report {
  readonly verdict: Verdict
  /** Why the history is not linearizable. */
  readonly explanation: string
  /** Other breaches of the protocol, in words. */
  readonly problems: readonly string[]
  readonly operations: number
  /** The part of the operations that was answered, from 0 to 1. */
  readonly okShare: number
  readonly tally: Tally
  readonly partitions: readonly string[]
  /** Between nodes. */
  readonly messages: number
  /** As `balsa check` reads it. */
  readonly history: string
  /** What the nodes wrote to standard error, lately. */
  readonly logs: ReadonlyMap<string, string>
}

/** Does what `maelstrom test -w lin-kv` does: starts nodes, routes their messages, asks, and checks the history. */
export async function runWorkbench(options: WorkbenchOptions): Promise<Report> {
  const { seed, latencyMs, distribution, loss } = options
  const network = new Network({ dice: Dice.of(seed, 'network'), latencyMs, distribution, loss })
  const ids = Array.from({ length: options.nodes }, (_, index) => `n${index}`)
  const command = options.command ?? balsaMaelstrom()
  const nodes = ids.map((id) => {
    const node = new NodeProcess(id, command, (envelope) => network.send(envelope))
    network.addNode(id, (envelope) => node.deliver(envelope))
    return node
  })
  const problems: string[] = []
  const partitions: string[] = []
  const timeoutMs = Math.max(1000, 10 * latencyMs)
  const clients = Array.from(
    { length: options.concurrency },
    (_, index) => new Client(`c${index + 1}`, ids[index % ids.length]!, network, timeoutMs),
  )
  const workload = new Workload(clients, { dice: Dice.of(seed, 'workload'), rate: options.rate })
  try {
    if (await initialize(ids, network, problems)) {
      const stopNemesis = startNemesis(options, ids, network, partitions)
      await workload.run(options.durationMs)
      stopNemesis()
      network.heal()
      if (partitions.length > 0) await new Promise((resolve) => setTimeout(resolve, RECOVERY_MS))
      await workload.readAll()
    }
  } finally {
    const codes = await Promise.all(nodes.map((node) => node.close()))
    codes.forEach((code, index) => {
      if (code !== 0) problems.push(`${ids[index]} ended with ${code ?? 'a signal'}`)
    })
  }
  for (const { id, strayLines } of nodes) {
    if (strayLines.length > 0) problems.push(`${id} wrote what is no message: ${strayLines[0]}`)
  }
  const wrong = clients.reduce((sum, client) => sum + client.wrongReplies, 0)
  if (wrong > 0) problems.push(`${wrong} requests got more than one reply, or replies had no request`)
  const { tally, recorder } = workload
  const history = recorder.operations<RegisterInput, RegisterOutput>()
  const result = check(history, registerModel, { maxSteps: MAX_STEPS })
  const operations = tally.answered + [...tally.errors.values()].reduce((sum, count) => sum + count, 0)
  return {
    verdict: result.verdict,
    explanation: result.verdict === 'linearizable' ? '' : renderText(result),
    problems,
    operations,
    okShare: operations === 0 ? 0 : tally.answered / operations,
    tally,
    partitions,
    messages: network.sent,
    history: recorder.toText(),
    logs: new Map(nodes.map((node) => [node.id, node.log])),
  }
}

/** Tells every node who it is. False: some did not answer. */
async function initialize(ids: readonly string[], network: Network, problems: string[]): Promise<boolean> {
  const replies = await Promise.all(
    ids.map((id, index) => {
      const client = new Client(`c-init-${index}`, id, network, INIT_MS)
      return client.ask({ type: 'init', node_id: id, node_ids: ids })
    }),
  )
  replies.forEach((reply, index) => {
    if (reply?.type !== 'init_ok')
      problems.push(`${ids[index]} answers its init with ${JSON.stringify(reply)}`)
  })
  return problems.length === 0
}

/** Partitions come and go until the returned function is called. */
function startNemesis(
  { partitionMs, seed }: WorkbenchOptions,
  ids: readonly string[],
  network: Network,
  partitions: string[],
): () => void {
  if (partitionMs === undefined) return () => {}
  const dice = Dice.of(seed, 'nemesis')
  let isCut = false
  const timer = setInterval(() => {
    isCut = !isCut
    if (isCut) {
      const { name, deaf } = drawPartition(ids, dice)
      partitions.push(name)
      network.partition(deaf)
    } else network.heal()
  }, partitionMs)
  return () => clearInterval(timer)
}
