import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { RUN_TYPESCRIPT } from '../../scripts/lib/typescript.mjs'

const CACHE = fileURLToPath(new URL('../../.cache/erased/', import.meta.url))

describe('a program in TypeScript', () => {
  const folder = mkdtempSync(join(tmpdir(), 'balsa-erase-'))
  const program = join(folder, 'program.ts')
  after(() => rmSync(folder, { recursive: true }))

  function run(source: string, env: Record<string, string> = {}): { output: string; errors: string } {
    writeFileSync(program, source)
    const ended = spawnSync(process.execPath, [...RUN_TYPESCRIPT, program], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    })
    return { output: ended.stdout.trim(), errors: ended.stderr }
  }

  it('is what its source is now, also where an older one was kept', () => {
    const saying = (word: string): string => `const word: string = '${word}'\nconsole.log(word)\n`
    assert.equal(run(saying('one')).output, 'one')
    assert.equal(run(saying('two')).output, 'two')
    assert.equal(run(saying('one')).output, 'one')
  })

  it('tells the lines of its source where it fails, the first time and later', () => {
    const source =
      'interface Gone {\n  a: number\n}\n\n\nconst gone: Gone | undefined = undefined\nthrow new Error(gone)\n'
    for (let time = 0; time < 2; time++) assert.match(run(source).errors, /program\.ts:7:\d+/)
  })

  it('that is none is refused with its name', () => {
    assert.match(run('const = 1\n').errors, /SyntaxError.*program\.ts: Variable declaration expected/)
  })

  it('is kept, or leaves nothing behind where nothing is to be kept', () => {
    const keptOf = (word: string): string[] => {
      const files = readdirSync(CACHE).filter((name) => name.endsWith('.js'))
      return files.filter((name) => readFileSync(join(CACHE, name), 'utf8').includes(word))
    }
    for (const keep of ['yes', 'no']) {
      const word = randomUUID()
      assert.equal(run(`console.log('${word}' as string)\n`, { BALSA_KEEP_ERASED: keep }).output, word)
      const kept = keptOf(word)
      for (const name of kept) rmSync(join(CACHE, name))
      assert.equal(kept.length, keep === 'yes' ? 1 : 0)
    }
  })
})
