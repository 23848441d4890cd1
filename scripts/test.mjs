import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism, constants } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { eraseAll } from './lib/erased.mjs'
import { runTestFile } from './lib/test-file.mjs'

/** Need more than Node, or long: they run only where a path on the command line names them. */
const NOT_BY_DEFAULT = ['test/docker/', 'test/soak/']

/** Start processes that keep a processor busy: half as many of these at a time as there are processors. */
const HEAVY = ['test/cluster/', 'test/chaos/local', 'test/docker/', 'test/maelstrom/workbench']

const TIMEOUT_S = 120

/** Where so many test files are to run, all sources are made ready beforehand. */
const MANY = 16

const USAGE = `npm test [-- [PATH …] [--grep PATTERN] [--time-out SECONDS] [--list]]
  PATH        only test files whose path begins with or contains this: test/raft, election
  --grep      only tests whose name matches this regular expression
  --time-out  how long a test file may take (${TIMEOUT_S})
  --list      say which files would run`

/**
 * Runs the test files and says how it went; sets the exit code. The last line is
 * `N passed, N failed, N skipped`. No test at all is a failure too.
 *
 * @param {string} root the folder that holds `test/`
 * @param {string[]} argv
 */
export async function main(root, argv) {
  const options = parse(argv)
  if (options === undefined) return
  const files = testFiles(root).filter((file) => isWanted(file, options.paths))
  if (options.list) return console.log(files.join('\n'))

  const abort = new AbortController()
  /** @type {NodeJS.Signals | undefined} */
  let told
  for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      told = signal
      abort.abort()
    })
  }
  const began = performance.now()
  if (files.length >= MANY) {
    for (const folder of ['src', 'bench', 'test']) await eraseAll(join(root, folder), abort.signal)
  }
  const results = await runAll(root, files, { ...options, signal: abort.signal })
  if (told !== undefined) {
    console.log(`interrupted by ${told}`)
    process.exitCode = 128 + constants.signals[told]
    return
  }
  summarize(results, performance.now() - began)
}

/**
 * @typedef {object} Options
 * @property {string[]} paths
 * @property {string | undefined} grep
 * @property {number} timeoutMs
 * @property {boolean} list
 */

/**
 * @param {string[]} argv
 * @returns {Options | undefined} `undefined`: it has said why there is nothing to do
 */
function parse(argv) {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        grep: { type: 'string' },
        'time-out': { type: 'string', default: String(TIMEOUT_S) },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const seconds = Number(values['time-out'])
    if (!(seconds > 0)) throw new TypeError(`--time-out wants a number of seconds, not ${values['time-out']}`)
    if (values.help) return void console.log(USAGE)
    return { paths: positionals, grep: values.grep, timeoutMs: seconds * 1000, list: values.list }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    process.exitCode = 2
    return undefined
  }
}

/**
 * @param {string} root
 * @returns {string[]} relative to it, with slashes, sorted
 */
function testFiles(root) {
  const folder = join(root, 'test')
  if (!existsSync(folder)) return []
  const names = /** @type {string[]} */ (readdirSync(folder, { recursive: true }))
  const tests = names.filter((name) => /\.test\.(ts|mjs)$/.test(name))
  return tests.map((name) => relative(root, join(folder, name)).replaceAll('\\', '/')).sort()
}

/**
 * @param {string} file
 * @param {string[]} paths
 */
function isWanted(file, paths) {
  const named = paths.map((path) => path.replace(/^\.\//, ''))
  const apart = NOT_BY_DEFAULT.find((folder) => file.startsWith(folder))
  if (apart !== undefined) return named.some((path) => `${path}/`.startsWith(apart) && file.startsWith(path))
  return named.length === 0 || named.some((path) => file.includes(path))
}

/** @param {string} file */
function isHeavy(file) {
  return HEAVY.some((folder) => file.startsWith(folder))
}

/**
 * Runs the files, at most one per processor at a time, heavy ones first: they take longest.
 *
 * @param {string} root
 * @param {string[]} files
 * @param {Options & { signal: AbortSignal }} options
 */
async function runAll(root, files, options) {
  /** @type {Map<string, import('./lib/test-file.mjs').FileResult>} */
  const results = new Map()
  const heavy = files.filter(isHeavy)
  const light = files.filter((file) => !isHeavy(file))
  const lanes = Math.min(Math.max(2, availableParallelism()), 8)
  const heavyLanes = Math.floor(lanes / 2)
  const work = async (/** @type {boolean} */ takesHeavy) => {
    while (!options.signal.aborted) {
      const file = (takesHeavy ? heavy.shift() : undefined) ?? light.shift()
      if (file === undefined) return
      const began = performance.now()
      const result = await runTestFile(root, file, options)
      if (options.signal.aborted) return
      results.set(file, result)
      report(file, result, performance.now() - began)
    }
  }
  await Promise.all(Array.from({ length: lanes }, (_, lane) => work(lane < heavyLanes)))
  return results
}

/**
 * One line for a file, and everything about its failures.
 *
 * @param {string} file
 * @param {import('./lib/test-file.mjs').FileResult} result
 * @param {number} tookMs
 */
function report(file, result, tookMs) {
  const failed = result.failures.length
  const counts = [`${result.passed} passed`]
  if (failed > 0) counts.push(`${failed} failed`)
  if (result.skipped > 0) counts.push(`${result.skipped} skipped`)
  console.log(`${failed > 0 ? '✖' : '✔'} ${file}  ${counts.join(', ')}  (${(tookMs / 1000).toFixed(1)} s)`)
  for (const skip of result.skips) console.log(`    skipped: ${skip}`)
  for (const failure of result.failures) {
    console.log(`\n  ✖ ${failure.name}\n${indent(failure.error)}\n`)
  }
  if (failed > 0 && result.output.trim() !== '')
    console.log(`  it printed:\n${indent(result.output.trimEnd())}\n`)
}

/** @param {string} text */
function indent(text) {
  return text.replaceAll(/^(?=.)/gm, '    ')
}

/**
 * @param {Map<string, import('./lib/test-file.mjs').FileResult>} results
 * @param {number} tookMs
 */
function summarize(results, tookMs) {
  const all = [...results.values()]
  const passed = all.reduce((sum, result) => sum + result.passed, 0)
  const failed = all.reduce((sum, result) => sum + result.failures.length, 0)
  const skipped = all.reduce((sum, result) => sum + result.skipped, 0)
  console.log(`\n${results.size} test files in ${(tookMs / 1000).toFixed(1)} s`)
  for (const [file, result] of results) {
    for (const failure of result.failures) console.log(`failed: ${file}: ${failure.name}`)
  }
  if (passed + failed === 0)
    console.log('no test ran: is the path or the pattern right? (npm test -- --list)')
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}
