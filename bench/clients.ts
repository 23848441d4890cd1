import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { RUN_TYPESCRIPT } from '../scripts/lib/typescript.mjs'
import type { Report, Task } from './client-process.ts'
import { endProcess } from './local-cluster.ts'
import { resultOf } from './load.ts'
import type { LoadResult } from './load.ts'

const PROGRAM = fileURLToPath(new URL('client-process.ts', import.meta.url))

/** A row, and how many writes all clients made for it, the warm-up's too. */
export interface ClientsResult {
  readonly row: LoadResult
  readonly writes: { readonly begun: number; readonly acknowledged: number }
  readonly firstError: string | undefined
}

/** Client processes on the Node that BALSA_NODE names, as many as asked for. */
export class Clients implements AsyncDisposable {
  readonly #children: readonly ChildProcess[]

  constructor(clients: number) {
    this.#children = Array.from({ length: clients }, () =>
      fork(PROGRAM, { execPath: process.env.BALSA_NODE ?? process.execPath, execArgv: RUN_TYPESCRIPT }),
    )
  }

  get pids(): number[] {
    return this.#children.map(({ pid }) => pid!)
  }

  /**
   * The load of all of them together: `task.inFlight` is spread over them.
   *
   * @param onBegun is called when the last of them has begun its warm-up
   */
  async measure(task: Task, onBegun: () => void): Promise<ClientsResult> {
    let begun = 0
    const used = this.#children.slice(0, task.inFlight)
    const parts = await Promise.all(
      used.map((child, i) => {
        const inFlight = Math.floor(task.inFlight / used.length) + (i < task.inFlight % used.length ? 1 : 0)
        return perform(child, { ...task, inFlight }, () => {
          if (++begun === used.length) onBegun()
        })
      }),
    )
    return {
      row: resultOf(
        task,
        parts.map(({ counted }) => counted),
      ),
      writes: {
        begun: parts.reduce((sum, { writes }) => sum + writes.begun, 0),
        acknowledged: parts.reduce((sum, { writes }) => sum + writes.acknowledged, 0),
      },
      firstError: parts.find(({ counted }) => counted.firstError !== undefined)?.counted.firstError,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => endProcess(child, 'SIGTERM')))
  }
}

function perform(
  child: ChildProcess,
  task: Task,
  onBegun: () => void,
): Promise<Extract<Report, { type: 'counted' }>> {
  return new Promise((resolve, reject) => {
    const listen = (report: Report): void => {
      if (report.type === 'begun') return onBegun()
      child.off('message', listen)
      child.off('exit', onExit)
      if (report.type === 'counted') resolve(report)
      else reject(new Error(report.text))
    }
    const onExit = (code: number | null): void => reject(new Error(`a client ended with code ${code}`))
    child.on('message', listen)
    child.once('exit', onExit)
    child.send(task)
  })
}
