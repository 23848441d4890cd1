import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type ChaosResult, type ChaosTarget, LocalTarget } from '../../src/chaos/index.ts'
import { checkEvents, parseHistory } from '../../src/check/index.ts'
import { fakeWorld } from '../cli/support/fake-context.ts'

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const NODE = process.env.BALSA_NODE ?? process.execPath

/** Waits are long because a loaded machine starts a node slowly; they end as soon as what they wait for is so. */
const SCENARIO = {
  name: 'kill, pause and cut',
  nodes: 3,
  steps: [
    { expect: 'service', within: '20s' },
    { do: 'kill', node: 'leader', as: 'old' },
    { expect: 'leader', within: '20s', not: 'old' },
    { expect: 'service', within: '20s' },
    { do: 'start', node: 'old' },
    { expect: 'role', node: 'old', role: 'follower', within: '20s' },
    { do: 'pause', node: 'follower', as: 'asleep' },
    { expect: 'service', within: '20s' },
    { do: 'resume', node: 'asleep' },
    { do: 'isolate', node: 'leader', as: 'alone' },
    { expect: 'leader', within: '20s', not: 'alone' },
    { expect: 'service', within: '20s' },
    { do: 'heal' },
    { expect: 'role', node: 'alone', role: 'follower', within: '20s' },
    { expect: 'agreement', within: '20s' },
  ],
}

describe('balsa chaos on processes of this machine', () => {
  let dir: string
  let cluster: ChildProcess
  let said = ''

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'balsa-chaos-'))
    const args = ['cluster', 'start', '--relay', '--dir', join(dir, 'cluster'), '--base-port', '0']
    const env = {
      ...process.env,
      BALSA_ELECTION_MS: '500',
      BALSA_HEARTBEAT_MS: '50',
      BALSA_MIN_FREE_BYTES: '0',
    }
    cluster = spawn(NODE, [CLI, ...args], { stdio: ['ignore', 'pipe', 'inherit'], env })
    cluster.stdout!.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    while (!said.includes('The cluster is ready')) {
      assert.equal(cluster.exitCode, null, said)
      await once(cluster.stdout!, 'data')
    }
  })

  after(async () => {
    cluster.kill('SIGTERM')
    if (cluster.exitCode === null) await once(cluster, 'exit')
    await rm(dir, { recursive: true, force: true })
  })

  /** Runs the command in this process. */
  const chaos = async (...args: string[]) => {
    const world = fakeWorld()
    const code = await world.run('chaos', '--dir', join(dir, 'cluster'), '--json', ...args)
    return { code, out: world.stdout.text, errors: world.stderr.text }
  }

  it('does a scenario, finds that all promises hold, and leaves a report and a history', async () => {
    const [scenario, report, history] = ['scenario.json', 'report.html', 'history.jsonl'].map((name) =>
      join(dir, name),
    ) as [string, string, string]
    await writeFile(scenario, JSON.stringify(SCENARIO))
    const files = ['--report', report, '--history', history]
    const { code, out, errors } = await chaos(
      '--scenario',
      scenario,
      '--seed',
      '1',
      '--clients',
      '2',
      ...files,
    )
    assert.equal(code, 0, `${out}\n${errors}\n${said}`)
    const result = JSON.parse(out) as ChaosResult
    assert.equal(result.verdict, 'ok')
    assert.equal(result.expectations.length, SCENARIO.steps.filter((step) => 'expect' in step).length)
    assert.deepEqual(new Set(result.faults.map(({ kind }) => kind)), new Set(['kill', 'pause', 'cut']))
    assert.ok(result.unique.acknowledged > 10 && result.operations.ok > 20, out)
    assert.ok(result.terms >= 3, 'the kill and the cut of a leader each brought another')
    assert.ok(result.loggedTerms >= 2, 'and their logs tell of it')
    const checked = checkEvents(parseHistory(await readFile(history, 'utf8')), 'kv')
    assert.equal(checked.verdict, 'linearizable')
    assert.equal(checked.operations, result.checked.operations)
    const page = await readFile(report, 'utf8')
    for (const words of ['<svg', 'kill, pause and cut', 'class="verdict ok"', 'paused'])
      assert.ok(page.includes(words))
    assert.match(said, /is started again \(pid \d+\), as it was asked for/)
  })

  it('exits with 1 where something that a scenario expects is not so', async () => {
    const scenario = join(dir, 'wrong.json')
    const steps = [{ expect: 'no-service', for: '20s' }]
    await writeFile(scenario, JSON.stringify({ name: 'wrong', steps }))
    const { code, out, errors } = await chaos('--scenario', scenario, '--clients', '1')
    assert.equal(code, 1, errors)
    const { verdict, problems } = JSON.parse(out) as ChaosResult
    assert.equal(verdict, 'violation')
    assert.deepEqual(
      problems.map(({ kind }) => kind),
      ['expectation'],
    )
  })

  it('exits with 2 where it is used wrongly, before anything is done', async () => {
    const none = join(dir, 'none')
    const wrong: readonly [words: RegExp, ...args: string[]][] = [
      [/"disk" cannot be done there; it can do kill/, '--faults', 'disk'],
      [/There is no "fire"/, '--faults', 'fire'],
      [/whole number from 1 to 64/, '--clients', '0'],
      [/none: ENOENT/, '--scenario', none],
      [/ENOENT/, '--report', join(none, 'report.html')],
      [/there is no cluster in/, '--dir', none],
      [/'--scenario <file>' cannot be used with option '--minutes/, '--scenario', none, '--minutes', '1'],
      [/there is no cluster in/, '--dir', none, '--report', join(dir, 'never.html')],
    ]
    for (const [words, ...args] of wrong) {
      const { code, errors } = await chaos(...args)
      assert.equal(code, 2, errors)
      assert.match((JSON.parse(errors) as { error: { message: string } }).error.message, words)
    }
    assert.ok(!existsSync(join(dir, 'never.html')), 'nothing is left of a run that never began')
  })

  it('is a library as well: a target that kills, starts, cuts and heals', async () => {
    await using target: ChaosTarget = await LocalTarget.open(join(dir, 'cluster'))
    assert.deepEqual(target.nodes, ['n1', 'n2', 'n3'])
    await target.kill('n3')
    await target.kill('n3')
    await target.start('n3')
    await target.cut('n1', 'n2')
    await target.heal()
    await assert.rejects(target.fillDisk('n1'), /cannot be filled/)
    await assert.rejects(target.kill('n9'), /there is no node n9/)
  })
})
