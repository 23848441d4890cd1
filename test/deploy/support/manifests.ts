import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { parse, parseAllDocuments } from 'yaml'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** Where each kind that is deployed has its schema in `kubernetes-types`, and under what name. */
const SCHEMAS: Readonly<Record<string, string>> = Object.freeze({
  'v1 Namespace': 'core/v1',
  'v1 Service': 'core/v1',
  'apps/v1 StatefulSet': 'apps/v1',
  'policy/v1 PodDisruptionBudget': 'policy/v1',
  'networking.k8s.io/v1 NetworkPolicy': 'networking/v1',
})

/** What every object of the API has. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
}

/** What we use of a kustomization. */
export interface Kustomization {
  readonly namespace: string
  readonly resources: readonly string[]
  readonly images: readonly { name: string; newName: string; newTag: string }[]
}

/** Reads a file of the project. */
export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** Reads a YAML file of the project that holds one document. */
export function readYaml(path: string): unknown {
  return parse(readText(path))
}

/** Reads every document of a YAML file. Throws where it is not YAML. */
export function readManifests(path: string): Manifest[] {
  const documents = parseAllDocuments(readText(path))
  return documents.map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors.join('; ')}`)
    return document.toJS() as Manifest
  })
}

/**
 * Holds manifests to the API's schemas, which `kubernetes-types` has as TypeScript: they are written down as literals of
 * those types and given to the compiler, which refuses a missing field, an unknown one, and a value of the wrong type.
 * @returns what is wrong, in the compiler's words; empty: nothing
 */
export function schemaProblems(manifests: readonly Manifest[]): string[] {
  const lines = manifests.map((manifest, i) => {
    const schema = SCHEMAS[`${manifest.apiVersion} ${manifest.kind}`]
    if (schema === undefined) throw new Error(`no schema for ${manifest.apiVersion} ${manifest.kind}`)
    const type = `import('kubernetes-types/${schema}').${manifest.kind}`
    return `export const m${i}: ${type} = ${JSON.stringify(manifest)}\n`
  })
  const text = lines.join('')
  const file = join(ROOT, 'test/deploy/support/literals.ts')
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  }
  const host = ts.createCompilerHost(options)
  const disk = { ...host }
  // The one file that is on no disk.
  host.fileExists = (path) => path === file || disk.fileExists(path)
  host.readFile = (path) => (path === file ? text : disk.readFile(path))
  host.getSourceFile = (path, language, ...rest) =>
    path === file ? ts.createSourceFile(path, text, language) : disk.getSourceFile(path, language, ...rest)
  const program = ts.createProgram([file], options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}
