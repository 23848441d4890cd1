import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { endProcess } from '../local-cluster.ts'
import { freeBasePort } from '../ports.ts'
import { eventually, keyName } from './system.ts'
import type { Member, Pair, System } from './system.ts'
import { methodsOf, UnaryClient } from './unary.ts'

const MEMBERS = 3
const PEER_PORT_OFFSET = 50

/** etcd's own defaults, written out because Balsa's are held to be equal to them. Milliseconds. */
const TIMING = ['--heartbeat-interval', '100', '--election-timeout', '1000']

interface Status {
  readonly header: { readonly memberId: number }
  readonly leader: number
}

interface Answer {
  readonly header: { readonly revision: number }
}

/** Three etcd members on loopback with etcd's defaults: fsync on, data and logs in `dir`. */
export async function startEtcd(dir: string, fromPort: number): Promise<System> {
  const base = await freeBasePort(fromPort, MEMBERS, PEER_PORT_OFFSET)
  const members = Array.from({ length: MEMBERS }, (_, i) => new EtcdMember(dir, base, i))
  for (const member of members) member.start()
  const system = new EtcdCluster(members)
  try {
    await system.leader()
  } catch (error) {
    await system[Symbol.asyncDispose]()
    throw error
  }
  return system
}

class EtcdCluster implements System {
  readonly name = 'etcd'
  readonly put: System['put']
  readonly get: System['get']
  readonly #kv = methodsOf('etcd.proto', 'etcdserverpb.KV')
  readonly #status = methodsOf('etcd.proto', 'etcdserverpb.Maintenance').Status!
  readonly #members: readonly EtcdMember[]

  constructor(members: readonly EtcdMember[]) {
    this.#members = members
    this.put = this.#kv.Put!
    this.get = this.#kv.Range!
  }

  members(): Member[] {
    return this.#members.map(({ id, address, pid }) => ({ id, address, pid }))
  }

  leader(): Promise<Member> {
    return eventually(async () => {
      for (const { id, address, pid, client } of this.#members) {
        const status = await client.call<Status>(this.#status, {}, 2000).catch(() => undefined)
        if (status && status.leader !== 0 && status.leader === status.header.memberId) {
          return { id, address, pid }
        }
      }
      return undefined
    })
  }

  async revision(): Promise<number> {
    const answer = await this.#members[0]!.client.call<Answer>(this.get, { key: keyName(0) })
    return answer.header.revision
  }

  async putMany(pairs: readonly Pair[]): Promise<void> {
    const success = pairs.map((pair) => ({ requestPut: pair }))
    await this.#members[0]!.client.call(this.#kv.Txn!, { success })
  }

  kill(member: Member): Promise<void> {
    return this.#memberOf(member).end('SIGKILL')
  }

  restart(member: Member): Promise<void> {
    const restarted = this.#memberOf(member)
    restarted.start()
    return eventually(async () => {
      await restarted.client.call(this.get, { key: keyName(0) }, 2000)
      return true
    }).then(() => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client } of this.#members) client[Symbol.dispose]()
    await Promise.all(this.#members.map((member) => member.end('SIGKILL')))
  }

  #memberOf({ id }: Member): EtcdMember {
    return this.#members.find((member) => member.id === id)!
  }
}

class EtcdMember {
  readonly id: string
  readonly address: string
  readonly client: UnaryClient
  readonly #log: string
  readonly #args: readonly string[]
  #child: ChildProcess | undefined

  constructor(dir: string, base: number, index: number) {
    const peerUrl = (i: number): string => `http://127.0.0.1:${base + PEER_PORT_OFFSET + i}`
    this.id = `e${index + 1}`
    this.address = `127.0.0.1:${base + index}`
    this.client = new UnaryClient(this.address)
    mkdirSync(dir, { recursive: true })
    this.#log = join(dir, `${this.id}.log`)
    const cluster = Array.from({ length: MEMBERS }, (_, i) => `e${i + 1}=${peerUrl(i)}`)
    const clientUrl = `http://${this.address}`
    this.#args = [
      ...['--name', this.id, '--data-dir', join(dir, this.id)],
      ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
      ...['--listen-peer-urls', peerUrl(index), '--initial-advertise-peer-urls', peerUrl(index)],
      ...['--initial-cluster', cluster.join(',')],
      ...TIMING,
    ]
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  start(): void {
    const log = openSync(this.#log, 'a')
    this.#child = spawn('etcd', this.#args, { stdio: ['ignore', log, log] })
    closeSync(log)
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child !== undefined) await endProcess(this.#child, signal)
  }
}
