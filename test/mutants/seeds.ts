import { spawn } from 'node:child_process'
import { RUN_TYPESCRIPT } from '../../scripts/lib/typescript.mjs'
import type { Catcher } from './mutant.ts'

/** What came of running seeds until one failed. */
export interface SeededResult {
  /** The seed that failed, and what it broke. Absent: all passed. */
  readonly seed?: number
  readonly broke?: string
}

export type SeededCatcher = Exclude<Catcher, { kind: 'tests' }>

/** The runners of seeds did not do what they are there for: the tree does not start. */
export class DoesNotStart extends Error {
  override readonly name = 'DoesNotStart'
}

/**
 * Runs a catcher's seeds, from 1 on, in a process of its own, until one fails, all have passed or `timeoutMs` are over.
 * Time that is over without a failure counts as none found. Throws DoesNotStart where the process ends without
 * a result.
 */
export async function runSeeds(
  root: string,
  catcher: SeededCatcher,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SeededResult> {
  const args =
    catcher.kind === 'model'
      ? ['test/mutants/model-run.ts', catcher.servers, catcher.seeds]
      : ['test/mutants/simulation-run.ts', catcher.nodes, catcher.seeds, ...(catcher.faults ?? [])]
  const ended = await runProgram(root, args.map(String), timeoutMs, signal)
  if (ended.timedOut || signal.aborted) return {}
  const last = ended.output.trimEnd().split('\n').at(-1) ?? ''
  if (ended.code !== 0 || !last.startsWith('{')) throw new DoesNotStart(ended.errors.slice(-2000))
  return JSON.parse(last) as SeededResult
}

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
  readonly timedOut: boolean
}

function runProgram(root: string, args: string[], timeoutMs: number, signal: AbortSignal): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...RUN_TYPESCRIPT, ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let errors = ''
    let timedOut = false
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    const kill = (): void => void child.kill('SIGKILL')
    const timer = setTimeout(() => {
      timedOut = true
      kill()
    }, timeoutMs)
    signal.addEventListener('abort', kill)
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', kill)
      resolve({ code, output, errors, timedOut })
    })
  })
}
