import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { takeLock } from './lock.mjs'

/** How long what erased.mjs has kept stays: of a file that changed it is of no use any more. */
const KEEP_ERASED_MS = 30 * 24 * 3600 * 1000

/** What a build depends on, besides the packages. */
const SOURCES = ['src', 'protos', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']

/**
 * Installs the packages and builds `dist`, each only if it is out of date. What is new is made in a folder of
 * its own and put in place by renaming, so that a node that runs from this clone never sees half of it, and a
 * failure leaves what was there. Several at once wait for each other.
 *
 * @param {string} root the clone
 * @param {{ rebuild?: boolean }} [options] `rebuild`: build even if nothing changed
 * @returns {Promise<boolean>} whether all is in place; if not, it has said why
 */
export async function setUp(root, options = {}) {
  if (!options.rebuild && !installProblem(root) && isFinished(root) && !buildProblem(root)) return true
  const cache = join(root, '.cache')
  mkdirSync(cache, { recursive: true })
  const release = await takeLock(join(cache, 'setup.lock'), {
    onWait: (pid) => say(`another start, test or build of this clone is setting up (pid ${pid}): waiting`),
  })
  try {
    removeLeftovers(root)
    const missing = installProblem(root)
    if (missing && !(await timed(`npm ci (${missing})`, () => install(root)))) return false
    finishInstall(root)
    const stale = options.rebuild ? 'asked for' : buildProblem(root)
    return !stale || (await timed(`building (${stale})`, () => build(root)))
  } finally {
    removeLeftovers(root)
    release()
  }
}

/** @param {string} text */
function say(text) {
  console.log(`balsa: ${text}`)
}

/**
 * @param {string} what
 * @param {() => Promise<boolean>} work
 */
async function timed(what, work) {
  const began = performance.now()
  say(`${what} …`)
  const done = await work()
  if (done) say(`done in ${((performance.now() - began) / 1000).toFixed(1)} s`)
  return done
}

// ---- packages ----

/**
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {boolean} [optional]
 * @property {string[]} [os]
 * @property {string[]} [cpu]
 */

/**
 * Why the packages must be installed, or `undefined` if they are as the lock file says. What npm wrote down
 * about its last installation (`node_modules/.package-lock.json`, its last act) is what this goes by, so that
 * an `npm ci` by hand counts as well as one from here.
 *
 * @param {string} root
 * @returns {string | undefined}
 */
export function installProblem(root) {
  const modules = join(root, 'node_modules')
  if (!existsSync(modules)) return 'nothing is installed yet'
  const installed = readPackages(join(modules, '.package-lock.json'))
  if (!installed) return 'the last installation was not finished'
  const platform = readText(platformFile(root))
  if (platform !== undefined && platform !== thisPlatform())
    return `installed for ${platform}, not for this Node`
  const locked = readPackages(join(root, 'package-lock.json')) ?? {}
  for (const [path, wanted] of Object.entries(locked)) {
    const found = installed[path]
    if (path === '' || (!found && wanted.optional && !isForThisPlatform(wanted))) continue
    if (found?.version !== wanted.version || found?.integrity !== wanted.integrity)
      return 'the lock file changed'
  }
  for (const path of Object.keys(installed)) {
    if (!locked[path]) return 'the lock file changed'
    if (!existsSync(join(root, path, 'package.json'))) return `${path} is missing`
  }
  return undefined
}

/**
 * @param {string} file
 * @returns {Record<string, LockedPackage> | undefined}
 */
function readPackages(file) {
  const text = readText(file)
  return text === undefined ? undefined : JSON.parse(text).packages
}

/** @param {LockedPackage} wanted */
function isForThisPlatform(wanted) {
  return (
    (wanted.os ?? [process.platform]).includes(process.platform) &&
    (wanted.cpu ?? [process.arch]).includes(process.arch)
  )
}

/** What compiled packages depend on: operating system, processor, Node's binary interface. */
function thisPlatform() {
  return `${process.platform}-${process.arch}-${process.versions.modules}`
}

/** @param {string} root */
function platformFile(root) {
  return join(root, 'node_modules', '.cache', 'balsa-platform')
}

/** @param {string} root */
function commandFile(root) {
  return join(root, 'node_modules', '.bin', 'balsa')
}

/**
 * Whether an installation, perhaps one by hand, has had what `finishInstall` adds.
 * @param {string} root
 */
function isFinished(root) {
  const command = lstatSync(commandFile(root), { throwIfNoEntry: false })
  return command !== undefined && readText(platformFile(root)) === thisPlatform()
}

/**
 * Notes for which platform the packages are, and makes `npx balsa` mean this clone: npm links the commands of
 * dependencies only, and `npx` would keep a copy of its own or look for a package of that name elsewhere.
 * @param {string} root
 */
function finishInstall(root) {
  mkdirSync(join(root, 'node_modules', '.cache'), { recursive: true })
  writeFileSync(platformFile(root), thisPlatform())
  rmSync(commandFile(root), { force: true })
  symlinkSync(join('..', '..', 'dist', 'cli', 'main.js'), commandFile(root))
}

/** @param {string} root */
async function install(root) {
  const place = join(root, '.cache', `install-${process.pid}`)
  mkdirSync(place, { recursive: true })
  for (const file of ['package.json', 'package-lock.json', '.npmrc'])
    copyFileSync(join(root, file), join(place, file))
  // The packages that build and test are wanted even where NODE_ENV says production.
  const flags = ['ci', '--include=dev', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env['npm_execpath']
  const code = npm ? await run(process.execPath, [npm, ...flags], place) : await run('npm', flags, place)
  if (code !== 0) {
    say(
      [
        `npm ci failed (exit code ${code}); what it says stands above. Nothing was changed. What usually helps:`,
        '  no network: connect, or point npm at a registry that this machine reaches:',
        '    npm config set registry https://…   (and `npm ping` to see whether it answers)',
        '  a proxy: set HTTPS_PROXY; a company certificate: set NODE_EXTRA_CA_CERTS',
        '  "can only install packages when … in sync": package.json was changed without its lock file: npm install',
        'Then run the same command again.',
      ].join('\n'),
    )
    return false
  }
  replaceFolder(root, join(place, 'node_modules'), 'node_modules')
  return true
}

// ---- dist ----

/**
 * Why `dist` must be built, or `undefined` if it is what the sources make.
 *
 * @param {string} root
 * @returns {string | undefined}
 */
export function buildProblem(root) {
  const stamp = readText(stampFile(join(root, 'dist')))
  if (stamp === undefined) return 'there is no build yet'
  if (stamp !== hashOfSources(root)) return 'the sources changed'
  for (const file of filesBelow(join(root, 'src'))) {
    const built = file.replace(/\.ts$/, '.js')
    if (built !== file && !existsSync(join(root, 'dist', built))) return `dist/${built} is missing`
  }
  return undefined
}

/** @param {string} folder */
function stampFile(folder) {
  return join(folder, '.sources')
}

/** @param {string} root */
async function build(root) {
  // Beside dist, not deeper: the source maps hold relative paths.
  const place = `.build-${process.pid}`
  const before = hashOfSources(root)
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const code = await run(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', place], root)
  if (code !== 0) {
    say('the build failed; what the compiler says stands above. The last good build, if any, stays in dist.')
    return false
  }
  const main = join(root, place, 'cli', 'main.js')
  if (existsSync(main)) chmodSync(main, 0o755)
  // Of the sources as they were before: what changed during the build is found the next time.
  writeFileSync(stampFile(join(root, place)), before)
  replaceFolder(root, join(root, place), 'dist')
  return true
}

/**
 * A hash of everything that the build is made from.
 * @param {string} root
 */
export function hashOfSources(root) {
  const hash = createHash('sha256')
  for (const source of SOURCES) {
    for (const file of filesBelow(join(root, source))) {
      const bytes = readFileSync(join(root, source, file))
      hash.update(`${source}/${file} ${bytes.length}\n`).update(bytes)
    }
  }
  return hash.digest('hex')
}

/**
 * The files of a folder and its folders, sorted, relative to it; of a file, only itself, as ''.
 * @param {string} path
 * @returns {string[]}
 */
function filesBelow(path) {
  try {
    const entries = readdirSync(path, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile())
    return files.map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1)).sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return ['']
    throw error
  }
}

// ---- both ----

/**
 * Puts a finished folder in the place of `name`. Between the two renames there is nothing, for some microseconds.
 * @param {string} root
 * @param {string} finished
 * @param {string} name
 */
function replaceFolder(root, finished, name) {
  const old = join(root, '.cache', `old-${name}-${process.pid}`)
  if (existsSync(join(root, name))) renameSync(join(root, name), old)
  renameSync(finished, join(root, name))
  rmSync(old, { recursive: true, force: true })
}

/**
 * Removes what an interrupted set-up left. Only the holder of the lock may.
 * @param {string} root
 */
function removeLeftovers(root) {
  const cache = join(root, '.cache')
  const left = readdirSync(cache).filter((name) => /^(install|old)-/.test(name))
  for (const name of left) rmSync(join(cache, name), { recursive: true, force: true })
  const builds = readdirSync(root).filter((name) => name.startsWith('.build-'))
  for (const name of builds) rmSync(join(root, name), { recursive: true, force: true })
  const erased = join(cache, 'erased')
  for (const name of existsSync(erased) ? readdirSync(erased) : []) {
    const file = join(erased, name)
    // A test that runs meanwhile may just have put it in place under its name.
    const keptMs = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Infinity
    if (keptMs < Date.now() - KEEP_ERASED_MS) rmSync(file, { force: true })
  }
}

/** This process was told to end while it worked. */
export class Interrupted extends Error {
  /** @param {NodeJS.Signals} signal */
  constructor(signal) {
    super(`interrupted by ${signal}`)
    /** The exit code that a shell gives for it. */
    this.exitCode = 128 + constants.signals[signal]
  }
}

/**
 * Runs a program on this terminal. If this process is told to end meanwhile, the program is too.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 * @returns {Promise<number>} its exit code
 * @throws {Interrupted}
 */
function run(program, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
    /** @type {NodeJS.Signals[]} */
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
    /** @type {NodeJS.Signals | undefined} */
    let told
    /** @param {NodeJS.Signals} signal */
    const end = (signal) => {
      told = signal
      child.kill('SIGTERM')
    }
    for (const signal of signals) process.on(signal, end)
    child.on('error', reject)
    child.on('close', (code) => {
      for (const each of signals) process.off(each, end)
      if (told) reject(new Interrupted(told))
      else resolve(code ?? 1)
    })
  })
}

/**
 * @param {string} file
 * @returns {string | undefined} `undefined` if there is no such file
 */
function readText(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}
