import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const HEARTBEAT_MS = 2_000
const STALE_MS = 60_000
const POLL_MS = 100

/**
 * @typedef {object} Holder
 * @property {number} pid
 * @property {string} host
 * @property {string} id
 */

/**
 * Takes the lock, a file, waiting for whoever holds it. A holder that died, or that has shown no sign of life
 * for a minute, has lost it.
 *
 * @param {string} file
 * @param {{ onWait?: (pid: number) => void, staleMs?: number }} [options] `onWait` is called once, when there
 *   is somebody to wait for
 * @returns {Promise<() => void>} gives the lock back
 */
export async function takeLock(file, options = {}) {
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() })
  let waited = false
  while (!create(file, mine)) {
    const holder = read(file)
    if (holder === undefined) continue
    if (isStale(file, holder.value, options.staleMs ?? STALE_MS)) {
      breakLock(file, holder.text)
      continue
    }
    if (!waited) options.onWait?.(holder.value.pid)
    waited = true
    await sleep(POLL_MS)
  }
  const heartbeat = setInterval(() => touch(file, mine), HEARTBEAT_MS)
  heartbeat.unref()
  return () => {
    clearInterval(heartbeat)
    if (read(file)?.text === mine) rmSync(file, { force: true })
  }
}

/**
 * Creates the file whole: nobody ever reads half of it.
 * @param {string} file
 * @param {string} text
 */
function create(file, text) {
  const draft = `${file}.${randomUUID()}`
  writeFileSync(draft, text)
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    return false
  } finally {
    rmSync(draft)
  }
}

/**
 * @param {string} file
 * @returns {{ text: string, value: Holder } | undefined} `undefined` if nobody holds it
 */
function read(file) {
  try {
    const text = readFileSync(file, 'utf8')
    return { text, value: JSON.parse(text) }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * @param {string} file
 * @param {Holder} holder
 * @param {number} staleMs
 */
function isStale(file, holder, staleMs) {
  if (holder.host === hostname()) {
    try {
      process.kill(holder.pid, 0)
    } catch (error) {
      if (codeOf(error) === 'ESRCH') return true
    }
  }
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats !== undefined && Date.now() - stats.mtimeMs > staleMs
}

/**
 * Takes a stale lock away. Two may find it stale at once, and the slower must not take the faster one's new
 * lock: what is moved aside is looked at, and put back if it is not what was found stale.
 * @param {string} file
 * @param {string} stale
 */
function breakLock(file, stale) {
  const aside = `${file}.${randomUUID()}`
  try {
    renameSync(file, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  const text = readFileSync(aside, 'utf8')
  if (text !== stale) create(file, text)
  rmSync(aside)
}

/**
 * @param {string} file
 * @param {string} mine
 */
function touch(file, mine) {
  if (read(file)?.text === mine) utimesSync(file, new Date(), new Date())
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
