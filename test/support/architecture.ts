import { dirname, join, normalize } from 'node:path'
import ts from 'typescript'

/** A file of the project: its path from the root, with slashes, and its text. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** What a folder of src may import. */
interface Layer {
  /** Folders, besides itself. */
  readonly folders: readonly string[]
  /** Files outside those. */
  readonly files: readonly string[]
  /** Files outside those of which only types may be imported. */
  readonly types: readonly string[]
}

const COMMON = ['src/errors.ts', 'src/clock.ts']

/** Imports point inward. A folder that is not named here has no place in the house yet. */
const LAYERS: Readonly<Record<string, Layer>> = {
  raft: { folders: [], files: [], types: [] },
  wire: { folders: ['raft'], files: COMMON, types: [] },
  rpc: { folders: [], files: COMMON, types: [] },
  kv: { folders: ['wire', 'raft'], files: COMMON, types: [] },
  storage: { folders: ['kv', 'wire', 'raft'], files: COMMON, types: [] },
  transport: { folders: ['rpc', 'wire', 'raft'], files: COMMON, types: [] },
  server: { folders: ['transport', 'storage', 'kv', 'rpc', 'wire', 'raft'], files: COMMON, types: [] },
  client: { folders: ['rpc', 'wire'], files: COMMON, types: ['src/raft/types.ts'] },
  check: { folders: [], files: COMMON, types: [] },
  // Of the wire it sees only what the client library hands out.
  chaos: { folders: ['client', 'check'], files: COMMON, types: ['src/wire/proto.ts'] },
  maelstrom: {
    folders: ['server', 'transport', 'storage', 'kv', 'wire', 'raft'],
    files: COMMON,
    types: [],
  },
  cli: {
    // Of storage what needs no node: backups, their restoring, and the repair of a data directory.
    folders: ['client', 'server', 'storage', 'check', 'chaos', 'maelstrom'],
    files: COMMON,
    types: [],
  },
}

/** Files at the top of src: what others build on, and the package's entry. */
const TOP: Readonly<Record<string, Layer>> = {
  'src/errors.ts': { folders: [], files: [], types: [] },
  'src/clock.ts': { folders: [], files: [], types: [] },
  'src/index.ts': { folders: ['client'], files: COMMON, types: [] },
}

/** Names that the core must not know: clocks, timers, chance, the process, promises, output. */
const IMPURE = new Set([
  ...['Date', 'performance', 'process', 'globalThis', 'console', 'Buffer', 'Promise', 'crypto'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'require'],
])

const MAX_LINES = 400

interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
}

function parse(file: SourceFile): ts.SourceFile {
  return ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
}

function visit(node: ts.Node, each: (node: ts.Node) => void): void {
  each(node)
  node.forEachChild((child) => visit(child, each))
}

/** Every import and re-export of a file, those inside `import()` and `import('…').T` included. */
export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = []
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier && ts.isStringLiteralLike(specifier)) found.push({ specifier: specifier.text, typeOnly })
  }
  visit(parse(file), (node) => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause
      const named = clause?.namedBindings
      const allTypes =
        named && ts.isNamedImports(named) && named.elements.every((element) => element.isTypeOnly)
      const typeOnly =
        clause?.phaseModifier === ts.SyntaxKind.TypeKeyword || (!clause?.name && allTypes === true)
      add(node.moduleSpecifier, typeOnly)
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly)
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true)
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false)
    }
  })
  return found
}

/** The project file that a relative specifier names; `undefined` for a package. */
function resolveImport(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.')
    ? normalize(join(dirname(from), specifier)).replaceAll('\\', '/')
    : undefined
}

/** Imports of src that do not point inward. */
export function outwardImports(files: readonly SourceFile[]): string[] {
  const problems: string[] = []
  for (const file of files) {
    const [, folder = '', ...deeper] = file.path.split('/')
    const layer = deeper.length > 0 ? LAYERS[folder] : TOP[file.path]
    if (!layer) {
      problems.push(`${file.path}: no rule says what it may import; give it a place in LAYERS or TOP`)
      continue
    }
    for (const { specifier, typeOnly } of importsOf(file)) {
      const target = resolveImport(file.path, specifier)
      if (target === undefined) {
        if (folder === 'raft') problems.push(`${file.path}: the core imports ${specifier}`)
        continue
      }
      const allowed =
        (deeper.length > 0 && target.startsWith(`src/${folder}/`)) ||
        layer.folders.some((each) => target.startsWith(`src/${each}/`)) ||
        layer.files.includes(target) ||
        (typeOnly && layer.types.includes(target))
      if (!allowed) problems.push(`${file.path} must not import ${target}`)
    }
  }
  return problems
}

/** Circles of imports, each once, as the paths along it. Imports of types count: they are read like the others. */
export function importCircles(files: readonly SourceFile[]): string[] {
  const edges = new Map(
    files.map((file) => {
      const targets = importsOf(file).map(({ specifier }) => resolveImport(file.path, specifier))
      return [file.path, targets.filter((target) => target !== undefined)]
    }),
  )
  const circles: string[] = []
  const finished = new Set<string>()
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) circles.push([...trail.slice(at), path].join(' → '))
    if (at >= 0 || finished.has(path)) return
    for (const next of edges.get(path) ?? []) walk(next, [...trail, path])
    finished.add(path)
  }
  for (const path of edges.keys()) walk(path, [])
  return circles
}

/** Whether an identifier stands for a name in scope, not for a property or a member. */
function isReference(node: ts.Identifier): boolean {
  const parent = node.parent
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isQualifiedName(parent)) return parent.left === node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  const isMember =
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isMethodDeclaration(parent)
  return !isMember
}

/** Uses of time, chance, input and output in the core. */
export function impurities(files: readonly SourceFile[]): string[] {
  const problems: string[] = []
  for (const file of files) {
    const tree = parse(file)
    visit(tree, (node) => {
      const asynchronous = node.kind === ts.SyntaxKind.AsyncKeyword || ts.isAwaitExpression(node)
      const named = ts.isIdentifier(node) && IMPURE.has(node.text) && isReference(node)
      const random = ts.isPropertyAccessExpression(node) && node.getText(tree) === 'Math.random'
      if (asynchronous || named || random)
        problems.push(`${place(tree, node)}: ${node.getText(tree).slice(0, 40)}`)
    })
  }
  return problems
}

/** Uses of the console, which only the command line may have. */
export function consoleUses(files: readonly SourceFile[]): string[] {
  const problems: string[] = []
  for (const file of files) {
    const tree = parse(file)
    visit(tree, (node) => {
      if (ts.isIdentifier(node) && node.text === 'console' && isReference(node))
        problems.push(place(tree, node))
    })
  }
  return problems
}

/** Exported functions and classes that nothing is said about. */
export function undocumentedExports(files: readonly SourceFile[]): string[] {
  const problems: string[] = []
  for (const file of files) {
    const tree = parse(file)
    for (const statement of tree.statements) {
      const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined
      if (!modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)) continue
      const documented = ts.getJSDocCommentsAndTags(statement).length > 0
      if (!documented && isFunctionOrClass(statement)) problems.push(place(tree, statement))
    }
  }
  return problems
}

function isFunctionOrClass(statement: ts.Statement): boolean {
  if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) return true
  if (!ts.isVariableStatement(statement)) return false
  const values = statement.declarationList.declarations.map((declaration) => declaration.initializer)
  return values.some((value) => value && (ts.isArrowFunction(value) || ts.isFunctionExpression(value)))
}

/** Files that are too long to be read at a sitting. */
export function longFiles(files: readonly SourceFile[]): string[] {
  const lengths = files.map((file) => ({ path: file.path, lines: file.text.trimEnd().split('\n').length }))
  return lengths.filter(({ lines }) => lines >= MAX_LINES).map(({ path, lines }) => `${path}: ${lines} lines`)
}

/** Files of the core that its reading order leaves out, and names in it that are no files. */
export function readingOrderGaps(readme: string, paths: readonly string[]): string[] {
  const named = new Set(Array.from(readme.matchAll(/\b[a-z][a-z-]*\.ts\b/g), ([name]) => name))
  const files = paths.map((path) => path.replace('src/raft/', ''))
  const missing = files
    .filter((name) => !named.has(name))
    .map((name) => `${name} is not in the reading order`)
  const unknown = [...named].filter((name) => !files.includes(name))
  return [...missing, ...unknown.map((name) => `the reading order names ${name}, which does not exist`)]
}

/** Absolute paths that exist on somebody's machine only. */
export function machinePaths(files: readonly SourceFile[]): string[] {
  const folders = ['work', 'tmp', 'root', 'home', 'Users'].join('|')
  const pattern = new RegExp(`(?<![\\w./*:-])/(?:${folders})/[\\w.]+`)
  const problems: string[] = []
  for (const file of files) {
    for (const [index, line] of file.text.split('\n').entries()) {
      const found = pattern.exec(line)
      if (found) problems.push(`${file.path}:${index + 1}: ${found[0]}`)
    }
  }
  return problems
}

/** Packages for which a lock file names the host that they came from. */
export function lockedHosts(lock: string): string[] {
  const { packages = {} } = JSON.parse(lock) as { packages?: Record<string, { resolved?: string }> }
  const entries = Object.entries(packages).filter(([, { resolved }]) => resolved?.includes('://'))
  return entries.map(([path, { resolved }]) => `${path}: ${resolved}`)
}

function place(tree: ts.SourceFile, node: ts.Node): string {
  return `${tree.fileName}:${tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1}`
}
