import { join } from 'node:path'
import ts from 'typescript'

/**
 * Tells whether a changed source still compiles, under the project's own options. It keeps what it knows of the
 * unchanged files, so that a mutant costs the check of the files that it changes.
 */
export class Compiler {
  readonly #root: string
  readonly #service: ts.LanguageService
  readonly #changed = new Map<string, string>()
  #version = 0

  /** @param root of a copy of the tree whose files do not change meanwhile */
  constructor(root: string) {
    this.#root = root
    const { options, fileNames } = readConfiguration(root)
    const sources = fileNames.filter((file) => file.startsWith(join(root, 'src')))
    const textOf = (file: string): string | undefined => this.#changed.get(file) ?? ts.sys.readFile(file)
    this.#service = ts.createLanguageService({
      getCompilationSettings: () => options,
      getScriptFileNames: () => sources,
      getScriptVersion: (file) => (this.#changed.has(file) ? `changed ${this.#version}` : 'unchanged'),
      getScriptSnapshot: (file) => {
        const text = textOf(file)
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
      },
      getCurrentDirectory: () => root,
      getDefaultLibFileName: (of) => ts.getDefaultLibFilePath(of),
      fileExists: (file) => ts.sys.fileExists(file),
      readFile: (file) => ts.sys.readFile(file),
      directoryExists: (directory) => ts.sys.directoryExists(directory),
    })
  }

  /** What the compiler says of these files, given as paths from the root with their changed text. */
  problems(changed: ReadonlyMap<string, string>): string[] {
    this.#changed.clear()
    this.#version++
    for (const [file, text] of changed) this.#changed.set(join(this.#root, file), text)
    return [...changed.keys()].flatMap((file) => {
      const path = join(this.#root, file)
      const found = [
        ...this.#service.getSyntacticDiagnostics(path),
        ...this.#service.getSemanticDiagnostics(path),
      ]
      return found.map(({ messageText }) => `${file}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
    })
  }
}

function readConfiguration(root: string): ts.ParsedCommandLine {
  const file = join(root, 'tsconfig.json')
  const parsed = ts.parseJsonConfigFileContent(
    ts.readConfigFile(file, (path) => ts.sys.readFile(path)).config,
    ts.sys,
    root,
  )
  if (parsed.errors.length > 0) {
    throw new Error(
      parsed.errors.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')).join('\n'),
    )
  }
  return parsed
}
