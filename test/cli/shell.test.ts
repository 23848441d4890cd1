import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { UnavailableError } from '../../src/errors.ts'
import { UsageError } from '../../src/cli/failure.ts'
import { historyFile, loadHistory, saveHistory } from '../../src/cli/shell/history.ts'
import { splitWords } from '../../src/cli/shell/words.ts'
import { entry, fakeWorld } from './support/fake-context.ts'

describe('the words of a line', () => {
  const lines: [string, string[]][] = [
    ['', []],
    ['   ', []],
    ['get a', ['get', 'a']],
    ['  put\ta   b  ', ['put', 'a', 'b']],
    ['put greeting "hello world"', ['put', 'greeting', 'hello world']],
    [`put 'a "b"' "c 'd'"`, ['put', 'a "b"', "c 'd'"]],
    ['put a ""', ['put', 'a', '']],
    [`put a ''`, ['put', 'a', '']],
    ['put a b"c d"e', ['put', 'a', 'bc de']],
    [String.raw`put "a\n\t\"\\\q" b\ c`, ['put', 'a\n\t"\\q', 'b c']],
    [String.raw`put 'a\n' x`, ['put', 'a\\n', 'x']],
    ['# nothing', []],
    ['get a#b # c', ['get', 'a#b']],
  ]
  for (const [line, words] of lines) {
    it(`of ${JSON.stringify(line)} are ${JSON.stringify(words)}`, () => {
      assert.deepEqual(splitWords(line), words)
    })
  }

  it('are refused where a quote is open or nothing is escaped', () => {
    assert.throws(() => splitWords('put a "b'), new UsageError('the " in column 7 is not closed'))
    assert.throws(() => splitWords("put 'a"), /the ' in column 5/)
    assert.throws(() => splitWords('put a\\'), /ends in a backslash/)
  })
})

describe('balsa shell', () => {
  const store = () => {
    const kept = new Map<string, string>()
    let revision = 0
    return {
      read: (keys: readonly (string | Uint8Array)[]) => {
        const entries = keys.map((key) => {
          const value = kept.get(Buffer.from(key).toString())
          return value === undefined ? undefined : entry(Buffer.from(key), value)
        })
        return Promise.resolve({ revision, entries })
      },
      putMany: (pairs: readonly (readonly [string | Uint8Array, string | Uint8Array])[]) => {
        for (const [key, value] of pairs) kept.set(Buffer.from(key).toString(), Buffer.from(value).toString())
        return Promise.resolve({ revision: ++revision })
      },
      delete: (key: string | Uint8Array) =>
        Promise.resolve({ deleted: kept.delete(Buffer.from(key).toString()), revision: ++revision }),
    }
  }

  it('runs the lines of standard input over one client', async () => {
    const stdin = 'put a "1 2"\nget a\n\n# a comment\ndelete a\n'
    const world = fakeWorld({ methods: store(), stdin })
    assert.equal(await world.run('shell'), 0)
    assert.equal(world.stdout.text, 'OK (revision 1)\n1 2\ndeleted (revision 2)\n')
    assert.equal(world.stderr.text, '')
    assert.equal(world.connections.length, 1)
    assert.equal(world.open, 0)
  })

  it('goes on after errors and exits with the last one', async () => {
    const methods = { ...store(), delete: () => Promise.reject(new UnavailableError('no leader')) }
    const stdin = 'git a\nput a\nput a -\nput "a\ndelete a\nget missing\nput a 1\n'
    const world = fakeWorld({ methods, stdin })
    assert.equal(await world.run('shell'), 1)
    assert.match(
      world.stderr.text,
      /unknown command 'git'[^]*"a" has no value[^]*which is the prompt[^]*not closed[^]*no leader/,
    )
    assert.equal(world.stdout.text, 'OK (revision 1)\n')
  })

  it('ends at exit, and knows help', async () => {
    const world = fakeWorld({ methods: store(), stdin: 'help\nexit\nput a 1\n' })
    assert.equal(await world.run('shell'), 0)
    assert.match(world.stdout.text, /put KEY VALUE[^]*ctrl-D/)
    assert.equal(world.calls.length, 0)
  })

  it('hands its own options to every line, which may say otherwise', async () => {
    const stdin = 'get a\nget a --consistency linearizable\n'
    const world = fakeWorld({ methods: store(), stdin })
    await world.run('shell', '--json', '--time-out', '2s', '--consistency', 'stale', '--endpoints', 'h:1')
    assert.deepEqual(
      world.calls.map((call) => call[2]),
      [
        { timeoutMs: 2000, consistency: 'stale' },
        { timeoutMs: 2000, consistency: 'linearizable' },
      ],
    )
    assert.deepEqual(world.connections, [{ endpoints: ['h:1'], timeoutMs: 2000 }])
    assert.equal(world.stdout.text, '{"revision":0,"entries":[null]}\n'.repeat(2))
  })

  it('knows neither serve nor itself', async () => {
    const world = fakeWorld({ methods: store(), stdin: 'serve\nshell\n' })
    assert.equal(await world.run('shell'), 2)
    assert.match(world.stderr.text, /unknown command 'serve'[^]*unknown command 'shell'/)
  })

  it('keeps no history where standard input is no terminal', async () => {
    const home = await mkdtemp(join(tmpdir(), 'balsa-shell-'))
    try {
      const world = fakeWorld({ methods: store(), stdin: 'put a 1\n', env: { HOME: home } })
      await world.run('shell')
      await assert.rejects(stat(join(home, '.balsa_history')), { code: 'ENOENT' })
    } finally {
      await rm(home, { recursive: true })
    }
  })
})

describe('the history of the shell', () => {
  it('is kept oldest first, readable by its owner alone, and loaded newest first', async () => {
    const home = await mkdtemp(join(tmpdir(), 'balsa-history-'))
    try {
      const path = historyFile({ XDG_STATE_HOME: join(home, 'state') })
      assert.deepEqual(loadHistory(path), [])
      saveHistory(path, ['get b', 'get a'])
      assert.equal(await readFile(path, 'utf8'), 'get a\nget b\n')
      assert.equal((await stat(path)).mode & 0o777, 0o600)
      assert.deepEqual(loadHistory(path), ['get b', 'get a'])
      assert.equal(historyFile({ HOME: home }), join(home, '.balsa_history'))
    } finally {
      await rm(home, { recursive: true })
    }
  })
})
