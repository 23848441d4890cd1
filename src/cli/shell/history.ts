import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

const MOST_LINES = 1000

/** Where the shell's history is kept: in XDG_STATE_HOME where that is set, else in the home directory. */
export function historyFile(env: Readonly<Record<string, string | undefined>>): string {
  const state = env.XDG_STATE_HOME
  return state ? join(state, 'balsa_history') : join(env.HOME || homedir(), '.balsa_history')
}

/** The lines of a history file, the newest first, as readline wants them; none where it cannot be read. */
export function loadHistory(path: string): string[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n')
    return lines.filter((line) => line !== '').reverse()
  } catch {
    return []
  }
}

/** Keeps lines, the newest first, for the next time. Where that fails there is no history: nothing depends on it. */
export function saveHistory(path: string, lines: readonly string[]): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
    const text = lines.slice(0, MOST_LINES).reverse().join('\n')
    // Values may be secrets: nobody else reads them.
    writeFileSync(path, `${text}\n`, { mode: 0o600 })
  } catch {
    return
  }
}
