import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'

/** What was made of a file stands here under the hash of what it was made from. */
const CACHE = new URL('../../.cache/erased/', import.meta.url)

/** Part of the hash: to be changed with what is done to a file, or with the compiler. */
const TYPESCRIPT = new URL('../../node_modules/typescript/package.json', import.meta.url)
const RECIPE = `1 ${JSON.parse(readFileSync(TYPESCRIPT, 'utf8')).version}`

/**
 * A file in TypeScript without its types, and else as it is. It is kept for the next who wants it.
 *
 * @param {string} fileName
 * @returns {Promise<string | Buffer>}
 * @throws SyntaxError where it is no TypeScript
 */
export async function erased(fileName) {
  const text = readFileSync(fileName, 'utf8')
  // Its folder is not a part: a copy of the repository elsewhere has the same.
  const hash = createHash('sha256')
    .update([RECIPE, basename(fileName), text].join('\0'))
    .digest('hex')
  const cached = new URL(`${hash}.js`, CACHE)
  if (existsSync(cached)) return readFileSync(cached)
  const source = await erase(fileName, text)
  if (process.env['BALSA_KEEP_ERASED'] !== 'no') keep(cached, source)
  return source
}

/**
 * Does it for all files below a folder, so that many programs that begin at the same time need not load the compiler
 * each, which takes longer than most of them. Of a file that is no TypeScript, whoever imports it is told.
 *
 * @param {string} folder
 * @param {AbortSignal} signal ends it early
 */
export async function eraseAll(folder, signal) {
  const names = /** @type {string[]} */ (existsSync(folder) ? readdirSync(folder, { recursive: true }) : [])
  for (const name of names) {
    if (!name.endsWith('.ts')) continue
    // A signal is heard of only between turns of the event loop.
    await setImmediate()
    if (signal.aborted) return
    await erased(join(folder, name)).catch(() => {})
  }
}

/**
 * Puts it in place as a whole: others may look for the same.
 *
 * @param {URL} place
 * @param {string} source
 */
function keep(place, source) {
  mkdirSync(CACHE, { recursive: true })
  const unfinished = new URL(`${place.href}.${process.pid}`)
  writeFileSync(unfinished, source)
  renameSync(unfinished, place)
}

/**
 * @param {string} fileName
 * @param {string} text
 */
async function erase(fileName, text) {
  // Only where it is needed: the compiler takes longer to load than most programs here.
  const { default: ts } = await import('typescript')
  /** As in tsconfig.json, but for one file at a time. */
  const compilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    inlineSourceMap: true,
  }
  const { outputText, diagnostics } = ts.transpileModule(text, {
    compilerOptions,
    fileName,
    reportDiagnostics: true,
  })
  const [problem] = diagnostics ?? []
  if (problem !== undefined) {
    throw new SyntaxError(`${fileName}: ${ts.flattenDiagnosticMessageText(problem.messageText, '\n')}`)
  }
  return outputText
}
