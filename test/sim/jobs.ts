import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { RUN_TYPESCRIPT } from '../../scripts/lib/typescript.mjs'
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

/**
 * A young generation that holds what an event allocates; and no stacks: clients make errors by the hundred, and
 * what breaks a rule is replayed anyway, where the stacks are.
 */
const NODE_FLAGS = [...RUN_TYPESCRIPT, '--max-semi-space-size=32', '--stack-trace-limit=0']

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))

/** One process for each processor. */
export function defaultJobs(): number {
  return availableParallelism()
}

/** After so many runs a process makes room for a fresh one: whatever V8 and Node gather stays bounded. */
const RUNS_OF_A_PROCESS = 2000

/**
 * Runs what `next` hands out, in so many processes, until it has nothing more. Histories stay there: those of
 * the results are empty.
 *
 * @param lost is told of a run whose process ended (out of memory, say) before it answered, and why; the others
 * go on in a fresh one
 * @throws where a process ends before any has answered, or there is no `lost`
 */
export async function runAll(
  jobs: number,
  next: () => RunRequest | undefined,
  done: (result: RunResult) => void,
  lost?: (request: RunRequest, why: string) => void,
): Promise<void> {
  let works = false
  const lane = async (): Promise<void> => {
    for (let request = next(); request !== undefined; request = next()) await inOneProcess(request)
  }
  const inOneProcess = (first: RunRequest): Promise<void> =>
    new Promise((resolve, reject) => {
      let request: RunRequest | undefined = first
      let runs = 0
      const child = fork(WORKER, { execArgv: NODE_FLAGS, serialization: 'advanced' })
      const send = (): void => void child.send(request!)
      child.on('message', (result: RunResult) => {
        works = true
        done(result)
        request = ++runs < RUNS_OF_A_PROCESS ? next() : undefined
        if (request === undefined) child.disconnect()
        else send()
      })
      child.on('error', reject)
      child.on('exit', (code, signal) => {
        const why = `its process ended: ${signal ?? code}`
        if (request !== undefined && (lost === undefined || !works)) {
          reject(new Error(`seed ${request.seed}: ${why}`))
          return
        }
        if (request !== undefined) lost!(request, why)
        resolve()
      })
      send()
    })
  await Promise.all(Array.from({ length: jobs }, lane))
}
