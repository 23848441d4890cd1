import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as rules from './support/architecture.ts'
import type { SourceFile } from './support/architecture.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** What git tracks or would, so that a new file is held to the rules before it is committed. */
function projectFiles(): SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const paths = listed.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)))
  return paths.map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

function source(path: string, ...lines: string[]): SourceFile {
  return { path, text: lines.join('\n') }
}

const project = projectFiles()
const src = project.filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'))
const raft = src.filter(({ path }) => path.startsWith('src/raft/'))

describe('the house', () => {
  it('has files to look at', () => {
    assert.ok(raft.length > 1)
    assert.ok(src.length > raft.length)
  })

  it('imports inward only', () => assert.deepEqual(rules.outwardImports(src), []))
  it('has no circle of imports', () => assert.deepEqual(rules.importCircles(src), []))
  it('keeps the core pure', () => assert.deepEqual(rules.impurities(raft), []))
  it('keeps its files short', () => assert.deepEqual(rules.longFiles(src), []))
  it('documents what it exports', () => assert.deepEqual(rules.undocumentedExports(src), []))
  it('names no path of one machine', () => assert.deepEqual(rules.machinePaths(project), []))

  it('prints only from the command line', () => {
    const quiet = src.filter(({ path }) => !path.startsWith('src/cli/'))
    assert.deepEqual(rules.consoleUses(quiet), [])
  })

  it('gives every file of the core its place in the reading order', () => {
    const readme = readFileSync(join(ROOT, 'src/raft/README.md'), 'utf8')
    const paths = raft.map(({ path }) => path)
    assert.deepEqual(rules.readingOrderGaps(readme, paths), [])
  })

  it('locks packages, not the host they came from', () => {
    assert.deepEqual(rules.lockedHosts(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')), [])
  })
})

describe('the rules themselves', () => {
  it('find an import that points outward', () => {
    const cases: [string, string][] = [
      ['src/raft/a.ts', "import { e } from '../errors.ts'"],
      ['src/raft/a.ts', "import { readFileSync } from 'node:fs'"],
      ['src/raft/a.ts', "export type { T } from '../kv/types.ts'"],
      ['src/wire/a.ts', "import type { T } from '../kv/types.ts'"],
      ['src/transport/a.ts', "import { s } from '../storage/disk.ts'"],
      ['src/storage/a.ts', "const t = await import('../transport/transport.ts')"],
      ['src/kv/a.ts', "type T = import('../server/driver.ts').T"],
      ['src/client/a.ts', "import { K } from '../raft/types.ts'"],
      ['src/client/a.ts', "import type { N } from '../raft/node.ts'"],
      ['src/server/a.ts', "import { c } from '../client/client.ts'"],
      ['src/server/a.ts', "import * as cli from '../cli/main.ts'"],
      ['src/cli/a.ts', "import { n } from '../raft/node.ts'"],
      ['src/errors.ts', "import './raft/types.ts'"],
      ['src/attic/a.ts', ''],
      ['src/attic.ts', ''],
    ]
    for (const [path, text] of cases) {
      assert.equal(rules.outwardImports([source(path, text)]).length, 1, `${path}: ${text}`)
    }
  })

  it('allow an import that points inward', () => {
    const cases: [string, string][] = [
      ['src/raft/a.ts', "import { b } from './b.ts'"],
      ['src/storage/a.ts', "import { t } from '../kv/types.ts'"],
      ['src/server/a.ts', "import { pino } from 'pino'\nimport { c } from '../clock.ts'"],
      ['src/client/a.ts', "import type { N } from '../raft/types.ts'"],
      ['src/client/a.ts', "import { type N } from '../raft/types.ts'"],
      ['src/index.ts', "export { c } from './client/client.ts'"],
    ]
    for (const [path, text] of cases) assert.deepEqual(rules.outwardImports([source(path, text)]), [], text)
  })

  it('find a circle, and only a circle', () => {
    const a = source('src/kv/a.ts', "import './b.ts'", "import './c.ts'")
    const b = source('src/kv/b.ts', "import './c.ts'")
    const open = source('src/kv/c.ts', '')
    assert.deepEqual(rules.importCircles([a, b, open]), [])
    const closed = source('src/kv/c.ts', "import type { A } from './a.ts'")
    assert.deepEqual(rules.importCircles([a, b, closed]), [
      'src/kv/a.ts → src/kv/b.ts → src/kv/c.ts → src/kv/a.ts',
    ])
  })

  it('find what makes the core impure', () => {
    const cases = [
      'const t = Date.now()',
      'const r = Math.random()',
      'setTimeout(f, 1)',
      'const t = performance.now()',
      'if (process.env.X) f()',
      'type P = Promise<void>',
      'async function f() {}',
      'const x = await y',
      'console.log(1)',
      'const b = Buffer.alloc(1)',
      'const o = { Date }',
      'globalThis.setTimeout(f, 1)',
    ]
    for (const text of cases) assert.equal(rules.impurities([source('src/raft/a.ts', text)]).length, 1, text)
  })

  it('leave alone what only looks impure', () => {
    const cases = [
      '// a Promise to console the process',
      "const text = 'Date.now()'",
      'const a = step.process',
      'interface A { process: number; performance(): number }',
      'const o = { process: 1 }',
      'const m = Math.max(1, 2)',
    ]
    for (const text of cases) assert.deepEqual(rules.impurities([source('src/raft/a.ts', text)]), [], text)
  })

  it('find the console', () => {
    assert.deepEqual(rules.consoleUses([source('src/kv/a.ts', '', "console.log('x')")]), ['src/kv/a.ts:2'])
  })

  it('find a long file', () => {
    const lines = (count: number): SourceFile => source('src/kv/a.ts', ...Array<string>(count).fill('x'), '')
    assert.deepEqual(rules.longFiles([lines(399)]), [])
    assert.deepEqual(rules.longFiles([lines(400)]), ['src/kv/a.ts: 400 lines'])
  })

  it('find exports without a word about them', () => {
    const bad = [
      'export function f() {}',
      'export class C {}',
      'export const f = () => 1',
      '// not a doc comment\nexport abstract class C {}',
    ]
    for (const text of bad)
      assert.equal(rules.undocumentedExports([source('src/kv/a.ts', text)]).length, 1, text)
    const good = [
      '/** Does. */\nexport function f() {}',
      'function f() {}',
      'export interface I {}',
      'export const N = 1',
    ]
    for (const text of good)
      assert.deepEqual(rules.undocumentedExports([source('src/kv/a.ts', text)]), [], text)
  })

  it('find gaps in the reading order, both ways', () => {
    const paths = ['src/raft/types.ts', 'src/raft/log.ts']
    assert.deepEqual(rules.readingOrderGaps('1. `types.ts` 2. [log](log.ts)', paths), [])
    assert.deepEqual(rules.readingOrderGaps('types.ts, then gone.ts', paths), [
      'log.ts is not in the reading order',
      'the reading order names gone.ts, which does not exist',
    ])
  })

  it('find the path of a machine', () => {
    for (const folder of ['work', 'tmp', 'root', 'home', 'Users']) {
      const text = `see /${folder}/someone/notes`
      assert.equal(rules.machinePaths([source('docs/a.md', text)]).length, 1, text)
    }
    for (const text of ['../shared/data', 'https://example.org/home/page', 'src/work/a.ts']) {
      assert.deepEqual(rules.machinePaths([source('docs/a.md', text)]), [], text)
    }
  })

  it('find the host in a lock file', () => {
    const lock = {
      packages: { '': {}, 'node_modules/a': { resolved: 'https://registry.example.org/a.tgz' } },
    }
    assert.deepEqual(rules.lockedHosts(JSON.stringify(lock)), [
      'node_modules/a: https://registry.example.org/a.tgz',
    ])
  })
})
