import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** As in tsconfig.json, but for one file at a time. */
const compilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
}

/** @type {import('node:module').LoadHook} */
export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context)
  const fileName = fileURLToPath(url)
  const text = await readFile(fileName, 'utf8')
  const { outputText, diagnostics } = ts.transpileModule(text, {
    compilerOptions,
    fileName,
    reportDiagnostics: true,
  })
  const [problem] = diagnostics ?? []
  if (problem !== undefined) {
    throw new SyntaxError(`${fileName}: ${ts.flattenDiagnosticMessageText(problem.messageText, '\n')}`)
  }
  return { format: 'module', source: outputText, shortCircuit: true }
}
