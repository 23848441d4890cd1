import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** What a process has used so far. */
export interface Usage {
  /** User and system time of all its threads since it began, in milliseconds. */
  readonly cpuMs: number
  /** What it holds of memory now (resident set), in bytes. */
  readonly rssBytes: number
}

/**
 * Reads what the kernel counts of a process; `undefined` where it has ended or the system has no /proc (other than
 * Linux).
 */
export function usageOf(pid: number): Usage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return parseUsage(stat, status, ticksPerSecond())
  } catch {
    return undefined
  }
}

/**
 * From /proc/PID/stat and /proc/PID/status, see proc(5).
 * @param ticks how many units of processor time make a second
 * @throws Error where they are not such files
 */
export function parseUsage(stat: string, status: string, ticks: number): Usage {
  // The second field is the name, in parentheses, and may hold anything: count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user, system] = [Number(fields[11]), Number(fields[12])]
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(status)
  if (!Number.isFinite(user) || !Number.isFinite(system) || rss === null) {
    throw new Error('this is not what proc(5) describes')
  }
  return { cpuMs: ((user + system) * 1000) / ticks, rssBytes: Number(rss[1]) * 1024 }
}

/** USER_HZ: 100 on every Linux there is, but the system knows. */
function ticksPerSecond(): number {
  return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
}

/** Waits until some processes use less than a twentieth of a core each on average, at most `limitMs`. */
export async function untilQuiet(pids: readonly number[], limitMs: number): Promise<void> {
  const total = (): number => pids.reduce((sum, pid) => sum + (usageOf(pid)?.cpuMs ?? 0), 0)
  const deadline = performance.now() + limitMs
  for (;;) {
    const before = total()
    await new Promise((resolve) => setTimeout(resolve, 500))
    if (total() - before <= 25 * pids.length || performance.now() >= deadline) return
  }
}
