import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { RunResult } from './run.ts'

/** What tells one run from another, so that it can be sent to a process and typed on a command line. */
export interface RunRequest {
  readonly seed: number
  readonly nodes: readonly number[]
  readonly faults: readonly string[]
  readonly troubleMs?: number | undefined
  readonly only?: readonly number[] | undefined
  readonly rate?: number | undefined
}

const ERASE_TYPES = new URL('../../scripts/lib/erase-types.mjs', import.meta.url).href

/**
 * A young generation that holds what an event allocates; and no stacks: clients make errors by the hundred, and
 * what breaks a rule is replayed anyway, where the stacks are.
 */
const NODE_FLAGS = ['--import', ERASE_TYPES, '--max-semi-space-size=32', '--stack-trace-limit=0']

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))

/** One process for each processor. */
export function defaultJobs(): number {
  return availableParallelism()
}

/**
 * Runs what `next` hands out, in so many processes, until it has nothing more. Histories stay there: those of
 * the results are empty.
 *
 * @throws where a process ends before it has answered: what it was at counts as not run
 */
export async function runAll(
  jobs: number,
  next: () => RunRequest | undefined,
  done: (result: RunResult) => void,
): Promise<void> {
  const lane = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let request = next()
      if (request === undefined) {
        resolve()
        return
      }
      const child = fork(WORKER, { execArgv: NODE_FLAGS, serialization: 'advanced' })
      const send = (): void => void child.send(request!)
      child.on('message', (result: RunResult) => {
        done(result)
        request = next()
        if (request === undefined) child.disconnect()
        else send()
      })
      child.on('error', reject)
      child.on('exit', (code, signal) => {
        if (request === undefined) resolve()
        else reject(new Error(`the process that ran seed ${request.seed} ended: ${signal ?? code}`))
      })
      send()
    })
  await Promise.all(Array.from({ length: jobs }, lane))
}
