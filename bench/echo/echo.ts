import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { RUN_TYPESCRIPT } from '../../scripts/lib/typescript.mjs'
import { kvMethods } from '../../src/wire/services.ts'
import { unaryLoad } from '../etcd/h2load.ts'
import { endProcess } from '../local-cluster.ts'
import { usageOf } from '../processes.ts'

const SERVER = fileURLToPath(new URL('server.ts', import.meta.url))

/** What an empty unary call costs the process that answers it. */
export interface Cost {
  readonly perSecond: number
  /** User and system time, in microseconds. */
  readonly cpuUs: number
}

/** A server in a process of its own, on the Node that BALSA_NODE names. */
export class Echo {
  readonly #process: ChildProcess
  readonly #port: number

  private constructor(child: ChildProcess, port: number) {
    this.#process = child
    this.#port = port
  }

  static async start(way: string): Promise<Echo> {
    const execPath = process.env.BALSA_NODE ?? process.execPath
    const child = fork(SERVER, [way], { execPath, execArgv: RUN_TYPESCRIPT })
    const [port] = (await once(child, 'message')) as [number]
    return new Echo(child, port)
  }

  async measure(options: { seconds: number; inFlight: number; dir: string }): Promise<Cost> {
    const messages = Array.from({ length: Math.min(4, options.inFlight) }, () => randomBytes(270))
    const load = { ...options, address: `127.0.0.1:${this.#port}`, path: kvMethods.Put.path, messages }
    await unaryLoad({ ...load, seconds: 1 })
    const before = usageOf(this.#process.pid!)!
    const { acknowledged, opsPerSecond, errors } = await unaryLoad(load)
    if (errors > 0) throw new Error(`${errors} calls failed`)
    const { cpuMs } = usageOf(this.#process.pid!)!
    return { perSecond: opsPerSecond, cpuUs: ((cpuMs - before.cpuMs) * 1000) / acknowledged }
  }

  stop(): Promise<void> {
    return endProcess(this.#process, 'SIGTERM')
  }
}
