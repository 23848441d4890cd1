import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What was made of a file stands here under the hash of what it was made from. */
const CACHE = new URL('../../.cache/erased/', import.meta.url)

/** Part of the hash: to be changed with what is done to a file, or with the compiler. */
const TYPESCRIPT = new URL('../../node_modules/typescript/package.json', import.meta.url)
const RECIPE = `1 ${JSON.parse(readFileSync(TYPESCRIPT, 'utf8')).version}`

/** @type {import('node:module').LoadHook} */
export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context)
  const fileName = fileURLToPath(url)
  const text = readFileSync(fileName, 'utf8')
  // Its folder is not a part: a copy of the repository elsewhere has the same.
  const hash = createHash('sha256')
    .update([RECIPE, basename(fileName), text].join('\0'))
    .digest('hex')
  const cached = new URL(`${hash}.js`, CACHE)
  if (existsSync(cached)) return { format: 'module', source: readFileSync(cached), shortCircuit: true }
  const source = await erased(fileName, text)
  if (process.env['BALSA_KEEP_ERASED'] !== 'no') keep(cached, source)
  return { format: 'module', source, shortCircuit: true }
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
async function erased(fileName, text) {
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
