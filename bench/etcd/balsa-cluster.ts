import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { BalsaClient } from '../../src/index.ts'
import { endProcess, startLocalCluster } from '../local-cluster.ts'
import type { LocalCluster, LocalNode } from '../local-cluster.ts'
import { eventually, keyName } from './system.ts'
import type { Member, Pair, System } from './system.ts'
import { methodsOf } from './unary.ts'

/** Three nodes as `balsa cluster start` starts them, data in `dir`. */
export async function startBalsa(dir: string, fromPort?: number): Promise<BalsaCluster> {
  return new BalsaCluster(await startLocalCluster(3, { dir, basePort: fromPort }))
}

/** Our side of the comparison. */
export class BalsaCluster implements System {
  readonly name = 'balsa'
  readonly put: System['put']
  readonly get: System['get']
  readonly #cluster: LocalCluster
  readonly #client: BalsaClient
  /** What was started again after a kill: no longer the cluster's own. */
  readonly #restarted = new Map<string, ChildProcess>()

  constructor(cluster: LocalCluster) {
    const kv = methodsOf('balsa/v1/kv.proto', 'balsa.v1.Kv')
    this.put = kv.Put!
    this.get = kv.Get!
    this.#cluster = cluster
    this.#client = new BalsaClient({ endpoints: [...cluster.endpoints], timeoutMs: 30_000 })
  }

  get endpoints(): readonly string[] {
    return this.#cluster.endpoints
  }

  members(): Member[] {
    return this.#cluster.nodes.map((node) => this.#member(node))
  }

  leader(): Promise<Member> {
    return eventually(async () => {
      const { leader, nodes } = await this.#client.status()
      const found = nodes.find(({ id, role, reachable }) => id === leader && reachable && role === 'leader')
      return this.members().find(({ id }) => id === found?.id)
    })
  }

  /** A read tells the revision of its key only; a status tells what the leader has applied. */
  revision(): Promise<number> {
    return eventually(async () => {
      await this.#client.get(keyName(0))
      const { leader, nodes } = await this.#client.status()
      return nodes.find(({ id, role }) => id === leader && role === 'leader')?.revision ?? undefined
    })
  }

  async putMany(pairs: readonly Pair[]): Promise<void> {
    await this.#client.putMany(pairs.map(({ key, value }) => [key, value] as const))
  }

  async kill(member: Member): Promise<void> {
    const restarted = this.#restarted.get(member.id)
    if (restarted) return endProcess(restarted, 'SIGKILL')
    process.kill(member.pid, 'SIGKILL')
    await eventually(async () => (isAlive(member.pid) ? undefined : true))
  }

  /** Starts a node that was killed, and waits for nothing. */
  start(member: Member): void {
    const { restartCommand } = this.#cluster.nodes.find(({ id }) => id === member.id)!
    const child = spawn('sh', ['-c', `exec ${restartCommand}`], { stdio: 'ignore' })
    this.#restarted.set(member.id, child)
  }

  async restart(member: Member): Promise<void> {
    this.start(member)
    await eventually(async () => {
      const { nodes } = await this.#client.status()
      const ends = nodes.map(({ lastApplied, reachable }) => (reachable ? lastApplied : null))
      const known = ends.filter((end) => end !== null)
      return known.length === 3 && Math.min(...known) === Math.max(...known) ? true : undefined
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close()
    await Promise.all([...this.#restarted.values()].map((child) => endProcess(child, 'SIGTERM')))
    await this.#cluster[Symbol.asyncDispose]()
  }

  #member({ id, clientAddress, pid }: LocalNode): Member {
    return { id, address: clientAddress, pid: this.#restarted.get(id)?.pid ?? pid }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
