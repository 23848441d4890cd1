import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { HistoryRecorder } from '../../src/check/index.ts'
import { fakeWorld } from './support/fake-context.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'balsa-check-'))
})
after(() => rm(folder, { recursive: true }))

/** Puts two values and reads one of them. */
async function history(read: string): Promise<string> {
  const recorder = new HistoryRecorder({ now: () => 0 })
  for (const [value, revision] of [
    ['1', 1],
    ['2', 2],
  ] as const) {
    recorder.invoke('a', { op: 'put', key: 'x', value })
    recorder.ok('a', { revision })
  }
  recorder.invoke('b', { op: 'get', key: 'x' })
  recorder.ok('b', { entry: { value: read } })
  return write(`${read}.jsonl`, recorder.toText())
}

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

describe('balsa check', () => {
  it('exits with 0 where the history is linearizable', async () => {
    const world = fakeWorld()
    assert.equal(await world.run('check', await history('2')), 0)
    assert.match(world.stdout.text, /^linearizable \(3 operations, 1 key/)
    assert.equal(world.stderr.text, '')
    assert.deepEqual(world.connections, [])
  })

  it('exits with 1 where it is not, and shows why', async () => {
    const world = fakeWorld()
    assert.equal(await world.run('check', await history('1')), 1)
    assert.match(world.stdout.text, /^NOT linearizable: 1 violation/)
    assert.match(world.stdout.text, /get → "1" ✗/)
  })

  it('exits with 1 where it could not tell', async () => {
    const world = fakeWorld()
    assert.equal(await world.run('check', await history('2'), '--max-steps', '1'), 1)
    assert.match(world.stdout.text, /^undecided/)
  })

  it('writes a page', async () => {
    const page = join(folder, 'page.html')
    assert.equal(await fakeWorld().run('check', await history('1'), '--html', page), 1)
    assert.match(await readFile(page, 'utf8'), /<svg/)
  })

  it('prints JSON', async () => {
    const world = fakeWorld()
    assert.equal(await world.run('check', await history('1'), '--json'), 1)
    const { violations, ...rest } = JSON.parse(world.stdout.text) as Record<string, unknown> & {
      violations: { key: string; window: unknown[]; blocked: number; minimal: boolean }[]
    }
    assert.equal(rest.verdict, 'violation')
    assert.equal(rest.model, 'kv')
    assert.deepEqual(rest.undecided, [])
    assert.equal(violations.length, 1)
    assert.equal(violations[0]!.key, 'x')
    assert.equal(violations[0]!.minimal, true)
    assert.equal(violations[0]!.blocked, violations[0]!.window.length - 1)
  })

  it('exits with 2 for what it cannot read, write or understand', async () => {
    const good = await history('2')
    const cases: readonly (readonly [RegExp, readonly string[]])[] = [
      [/missing required argument/, []],
      [/ENOENT/, [join(folder, 'nowhere')]],
      [/line 1: it is not JSON/, [await write('bad', 'x')]],
      [/no model knows/, [await write('odd', '{"process":1,"type":"invoke","op":"fly"}')]],
      [/the model register does not know "put"/, [good, '--model', 'register']],
      [/ENOENT/, [good, '--html', join(folder, 'no', 'page.html')]],
      [/whole number/, [good, '--max-steps', '0']],
      [/Allowed choices/, [good, '--model', 'queue']],
    ]
    for (const [message, args] of cases) {
      const world = fakeWorld()
      assert.equal(await world.run('check', ...args), 2, String(message))
      assert.match(world.stderr.text, message)
    }
  })
})
