import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RUN_TYPESCRIPT } from './typescript.mjs'

const REPORTER = new URL('./test-events.mjs', import.meta.url).href
const KEEP_OUTPUT = 64 * 1024

/**
 * @typedef {object} Failure
 * @property {string} name the test's name with those of its suites
 * @property {string} error
 */

/**
 * @typedef {object} FileResult
 * @property {number} passed
 * @property {number} skipped
 * @property {Failure[]} failures
 * @property {string[]} skips the skipped tests and why
 * @property {string} output what the tests themselves printed (its end, if there is much)
 */

/**
 * Runs one test file in a process of its own, and ends every process that it leaves behind.
 *
 * @param {string} root
 * @param {string} file relative to it
 * @param {{ timeoutMs: number, grep?: string, signal: AbortSignal, stopAtFailure?: boolean }} options
 *   stopAtFailure: the first failing test is enough, the others need not run
 * @returns {Promise<FileResult>}
 */
export async function runTestFile(root, file, options) {
  const place = mkdtempSync(join(tmpdir(), 'balsa-test-'))
  const events = join(place, 'events')
  try {
    const args = [...RUN_TYPESCRIPT, `--test-reporter=${REPORTER}`, '--test-reporter-destination=stdout']
    if (options.grep !== undefined) args.push(`--test-name-pattern=${options.grep}`)
    const stop = options.stopAtFailure ? 'at failure' : 'never'
    const env = { BALSA_TEST_EVENTS: events, BALSA_TEST_STOP: stop }
    const ended = await runProcess(root, [...args, file], { ...options, env })
    return judge(readEvents(events), ended, options)
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/**
 * @typedef {object} Ended
 * @property {number | null} code
 * @property {NodeJS.Signals | null} signal
 * @property {boolean} timedOut
 * @property {string} output
 */

/**
 * @param {string} root
 * @param {string[]} args
 * @param {{ timeoutMs: number, signal: AbortSignal, env: Record<string, string> }} options
 * @returns {Promise<Ended>}
 */
function runProcess(root, args, options) {
  return new Promise((resolve, reject) => {
    // At the head of a process group: its end is the end of everything that it started.
    const child = spawn(process.execPath, args, {
      cwd: root,
      detached: true,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let timedOut = false
    const keep = (/** @type {string} */ text) => (output = (output + text).slice(-KEEP_OUTPUT))
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    const kill = () => killGroup(child.pid)
    const timer = setTimeout(() => {
      timedOut = true
      kill()
    }, options.timeoutMs)
    options.signal.addEventListener('abort', kill)
    child.on('error', reject)
    // Before 'close', which would wait for processes left behind that hold the pipes.
    child.on('exit', kill)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      options.signal.removeEventListener('abort', kill)
      resolve({ code, signal, timedOut, output })
    })
  })
}

/** @param {number | undefined} leader */
function killGroup(leader) {
  if (leader === undefined) return
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // Nobody is left.
  }
}

/**
 * @param {string} file
 * @returns {import('./test-events.mjs').TestEvent[]}
 */
function readEvents(file) {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line))
}

/**
 * What a file's events and end amount to. A file that ends before its tests did, or badly although all its
 * tests passed, has failed.
 *
 * @param {import('./test-events.mjs').TestEvent[]} events
 * @param {Ended} ended
 * @param {{ timeoutMs: number }} options
 * @returns {FileResult}
 */
function judge(events, ended, options) {
  /** @type {FileResult} */
  const result = { passed: 0, skipped: 0, failures: [], skips: [], output: ended.output }
  /** @type {string[]} the names of the suites and tests that are open */
  const path = []
  /** @type {string | undefined} */
  let last
  let warnings = ''
  for (const event of events) {
    const nesting = event.nesting ?? 0
    if (event.type === 'begin') last = event.name
    if (event.type === 'warning') warnings += `\n${event.error}`
    if (event.type === 'start') path.splice(nesting, Infinity, event.name ?? '')
    if (event.type !== 'pass' && event.type !== 'fail') continue
    const name = [...path.slice(0, nesting), event.name].join(' › ')
    path.splice(nesting)
    if (event.skip !== undefined) {
      // So does Node 20 report what --test-name-pattern leaves out.
      if (event.skip.startsWith('test name does not match')) continue
      result.skipped++
      result.skips.push(event.skip === 'true' || event.skip === '' ? name : `${name}: ${event.skip}`)
    } else if (event.type === 'pass') {
      if (!event.suite) result.passed++
    } else if (!event.suite || event.failureType !== 'subtestsFailed') {
      result.failures.push({ name, error: event.error ?? '' })
    }
  }
  const finished = events.at(-1)?.type === 'end'
  const running = last === undefined ? '' : `; the last test to begin: ${last}`
  const fail = (/** @type {string} */ error) =>
    result.failures.push({ name: '(the file)', error: error + warnings })
  if (ended.timedOut) fail(`did not end within ${options.timeoutMs / 1000} s, was killed${running}`)
  else if (ended.signal !== null) fail(`died by ${ended.signal}${running}`)
  else if (!finished) fail(`ended with exit code ${ended.code} before its tests did${running}`)
  else if (ended.code !== 0 && result.failures.length === 0)
    fail(`its tests passed but its exit code is ${ended.code}`)
  return result
}
