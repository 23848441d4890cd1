import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { nodeProblem } from '../../scripts/bootstrap.mjs'
import { buildProblem, hashOfSources, installProblem } from '../../scripts/lib/setup.mjs'

describe('the version of Node', () => {
  it('is good enough from the one on that package.json asks for', () => {
    for (const version of ['20.19.0', '20.20.2', '22.0.0', '24.1.0', '100.0.0']) {
      assert.equal(nodeProblem(version, '>=20.19'), undefined, version)
    }
  })

  it('is refused in words below it', () => {
    for (const version of ['20.18.3', '18.20.0', '16.20.2', '0.12.0']) {
      const problem = nodeProblem(version, '>=20.19') ?? ''
      assert.match(problem, /needs Node 20\.19 or newer/)
      assert.ok(problem.includes(version))
      assert.match(problem, /nodejs\.org/)
    }
  })
})

describe('a clone', () => {
  let root = ''
  const write = (path: string, content: string | object): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  const one = { version: '1.0.0', integrity: 'sha512-1' }
  const elsewhere = { version: '1.0.0', optional: true, os: ['plan9'] }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'balsa-clone-'))
    const lock = { packages: { '': {}, 'node_modules/one': one, 'node_modules/elsewhere': elsewhere } }
    write('package-lock.json', lock)
    write('node_modules/.package-lock.json', { packages: { 'node_modules/one': one } })
    write('node_modules/one/package.json', {})
  })
  afterEach(() => rmSync(root, { recursive: true }))

  it('is as installed by hand: nothing to do', () => assert.equal(installProblem(root), undefined))

  it('has nothing installed', () => {
    rmSync(join(root, 'node_modules'), { recursive: true })
    assert.equal(installProblem(root), 'nothing is installed yet')
  })

  it('has half an installation', () => {
    rmSync(join(root, 'node_modules/.package-lock.json'))
    assert.equal(installProblem(root), 'the last installation was not finished')
  })

  it('has lost a package', () => {
    rmSync(join(root, 'node_modules/one'), { recursive: true })
    assert.equal(installProblem(root), 'node_modules/one is missing')
  })

  it('was installed for another Node', () => {
    write('node_modules/.cache/balsa-platform', 'plan9-mips-1')
    assert.equal(installProblem(root), 'installed for plan9-mips-1, not for this Node')
  })

  it('got another lock file: a package changed, came, or went', () => {
    const locks = [
      { 'node_modules/one': { ...one, version: '1.0.1' } },
      { 'node_modules/one': { ...one, integrity: 'sha512-2' } },
      { 'node_modules/one': one, 'node_modules/two': one },
      { 'node_modules/one': one, 'node_modules/two': { ...one, optional: true, os: [process.platform] } },
      {},
    ]
    for (const packages of locks) {
      write('package-lock.json', { packages })
      assert.equal(installProblem(root), 'the lock file changed', JSON.stringify(packages))
    }
  })

  it('has no build', () => {
    write('src/a.ts', '')
    assert.equal(buildProblem(root), 'there is no build yet')
  })

  describe('with a build', () => {
    beforeEach(() => {
      for (const path of ['src/deep/a.ts', 'protos/a.proto', 'tsconfig.json', 'tsconfig.build.json'])
        write(path, '')
      write('dist/deep/a.js', '')
      write('dist/.sources', hashOfSources(root))
    })

    it('is up to date', () => assert.equal(buildProblem(root), undefined))

    it('notices what changes, comes and goes in the sources', () => {
      for (const path of [
        'src/deep/a.ts',
        'protos/a.proto',
        'tsconfig.json',
        'package-lock.json',
        'src/new.ts',
      ]) {
        write(path, ' ')
        assert.equal(buildProblem(root), 'the sources changed', path)
        write('dist/new.js', '')
        write('dist/.sources', hashOfSources(root))
        assert.equal(buildProblem(root), undefined, path)
      }
      rmSync(join(root, 'src/new.ts'))
      assert.equal(buildProblem(root), 'the sources changed')
    })

    it('notices a file of the build that is gone', () => {
      rmSync(join(root, 'dist/deep/a.js'))
      assert.equal(buildProblem(root), 'dist/deep/a.js is missing')
    })
  })
})
