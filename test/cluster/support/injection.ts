import { spawnSync } from 'node:child_process'
import type { Surroundings } from './cluster.ts'

/** What the kernel is made to answer. */
export type InjectedError = 'EIO' | 'ENOSPC'

/** Which system calls fail, and how. */
export interface Injection {
  readonly call: string
  readonly error: InjectedError
  /** From the so-manieth on, of those that concern `paths`. */
  readonly nth: number
  /** Files and folders, absolute; absent: all. */
  readonly paths?: readonly string[]
  /** Where what was injected is written down. */
  readonly output?: string
}

/** Runs a node so that its disk fails. One pool thread: strace counts for each thread. */
export function injected({ call, error, nth, paths = [], output = '/dev/null' }: Injection): Surroundings {
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:error=${error}:when=${nth}+`]
  const where = paths.flatMap((path) => ['-P', path])
  return {
    // -D: the tracer is the child, so that signals and the exit code are the node's own.
    under: ['strace', '-D', '-f', '--seccomp-bpf', '-qq', '-o', output, ...where, ...inject],
    env: { UV_THREADPOOL_SIZE: '1' },
  }
}

/** Why this machine cannot inject faults; undefined where it can. */
export function injectionObstacle(): string | undefined {
  const probe = spawnSync(
    'strace',
    ['-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync', 'true'],
    {},
  )
  if (probe.error !== undefined) {
    return `no strace here (${probe.error.message}; the Debian package is strace): NOT TESTED`
  }
  return probe.status === 0 ? undefined : `strace may not trace here: NOT TESTED (${String(probe.stderr)})`
}
