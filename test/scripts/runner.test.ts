import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'

const RUNNER = new URL('../../scripts/test.mjs', import.meta.url).href
const IMPORT = "import { before, describe, it } from 'node:test'\n"

/** Lets the reporter hear that the test began. */
const TURNS = 'for (let i = 0; i < 100; i++) await new Promise(setImmediate);'

/** Runs the test runner over files that are written for the occasion. */
async function run(
  files: Record<string, string>,
  ...flags: string[]
): Promise<{ code: number | null; lines: string[]; last: string }> {
  const root = mkdtempSync(join(tmpdir(), 'balsa-runner-'))
  after(() => rmSync(root, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), IMPORT + text)
  }
  const main = `(await import(${JSON.stringify(RUNNER)})).main(process.cwd(), process.argv.slice(1))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', main, '--', ...flags], { cwd: root })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const lines = output.trimEnd().split('\n')
  return { code, lines, last: lines.at(-1) ?? '' }
}

describe('the test runner', { concurrency: 2 }, () => {
  it('counts tests, not suites, and ends with the count', async () => {
    const { code, last } = await run({
      'test/a.test.ts':
        "describe('s', () => { it('one', () => {}); it('two', (t) => { const x: number = 1; void x })})",
      'test/deep/b.test.ts': "it('three', () => {}); it('four', { skip: 'no data' }, () => {})",
      'test/helper.ts': "throw new Error('not a test')",
    })
    assert.equal(last, '3 passed, 0 failed, 1 skipped')
    assert.equal(code, 0)
  })

  it('shows a failure with its suites, its error and what it printed', async () => {
    const { code, lines, last } = await run({
      'test/a.test.ts':
        "describe('s', () => { it('good', () => {}); it('bad', () => { console.log('a clue'); throw new Error('broken') })})",
    })
    assert.equal(last, '1 passed, 1 failed, 0 skipped')
    assert.equal(code, 1)
    assert.ok(lines.includes('  ✖ s › bad'))
    assert.ok(lines.some((line) => line.includes('Error: broken')))
    assert.ok(lines.some((line) => line.includes('a clue')))
  })

  const broken: [string, string, RegExp][] = [
    ['exits at once', 'process.exit(0)', /before its tests did/],
    ['exits in a test', "it('a', () => process.exit(0))", /before its tests did/],
    ['is no TypeScript', 'not typescript {', /before its tests did/],
    ['has an exit code of its own', "it('a', () => {}); process.exitCode = 3", /its exit code is 3/],
    [
      'throws after its tests',
      "it('a', () => void setTimeout(() => { throw new Error('late') }, 20))",
      /late/,
    ],
    [
      'is killed',
      `it('a', async () => { ${TURNS} process.kill(process.pid, 'SIGKILL') })`,
      /died by SIGKILL; .* a$/m,
    ],
    [
      'fails in a hook',
      "describe('h', () => { before(() => { throw new Error('x') }); it('a', () => {}) })",
      /Error: x/,
    ],
  ]
  for (const [name, text, message] of broken) {
    it(`fails a file that ${name}`, async () => {
      const { code, lines, last } = await run({
        'test/a.test.ts': text,
        'test/b.test.ts': "it('b', () => {})",
      })
      assert.equal(code, 1)
      assert.match(last, /^[12] passed, [12] failed, 0 skipped$/)
      assert.match(lines.join('\n'), message)
    })
  }

  it('kills a file that takes too long', async () => {
    const hangs = "it('hangs', () => new Promise(() => setInterval(() => {}, 1000)))"
    const { code, lines, last } = await run({ 'test/a.test.ts': hangs }, '--time-out', '1')
    assert.equal(last, '0 passed, 1 failed, 0 skipped')
    assert.equal(code, 1)
    assert.match(lines.join('\n'), /did not end within 1 s, was killed/)
  })

  it('ends the processes that a file leaves behind', async () => {
    // It inherits the output: the runner would wait for it until the time-out.
    const leaves = "it('a', () => void spawn('sleep', ['1000'], { stdio: 'inherit' }).unref())"
    const { last } = await run({ 'test/a.test.ts': `import { spawn } from 'node:child_process'\n${leaves}` })
    assert.equal(last, '1 passed, 0 failed, 0 skipped')
  })

  it('runs only what a path or a pattern names', async () => {
    const files = {
      'test/a.test.ts': "it('one', () => {}); it('two', () => {})",
      'test/b.test.ts': "it('one', () => {})",
    }
    assert.equal((await run(files, 'test/b')).last, '1 passed, 0 failed, 0 skipped')
    assert.equal((await run(files, '--grep', 'two')).last, '1 passed, 0 failed, 0 skipped')
  })

  it('leaves out what needs more than Node, unless it is named', async () => {
    const files = { 'test/a.test.ts': "it('a', () => {})", 'test/docker/b.test.ts': "it('b', () => {})" }
    assert.deepEqual((await run(files, '--list')).lines, ['test/a.test.ts'])
    assert.deepEqual((await run(files, '--list', 'test/docker')).lines, ['test/docker/b.test.ts'])
  })

  it('fails when no test ran', async () => {
    for (const [files, flags] of [
      [{}, []],
      [{ 'test/a.test.ts': "it('a', () => {})" }, ['elsewhere']],
      [{ 'test/a.test.ts': "it('a', { skip: true }, () => {})" }, []],
    ] as [Record<string, string>, string[]][]) {
      const { code, lines, last } = await run(files, ...flags)
      assert.match(last, /^0 passed, 0 failed, [01] skipped$/)
      assert.ok(lines.some((line) => line.startsWith('no test ran')))
      assert.equal(code, 1)
    }
  })

  it('refuses a flag that it does not know', async () => assert.equal((await run({}, '--wrong')).code, 2))
})
