import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { CliContext } from '../../src/cli/context.ts'
import { COMMANDS } from '../../src/cli/program.ts'
import { RUN_TYPESCRIPT } from '../../scripts/lib/typescript.mjs'
import { run } from '../../src/cli/run.ts'
import { BalsaClient } from '../../src/client/client.ts'
import { fakeWorld } from './support/fake-context.ts'
import { clusterFile } from './support/local-cluster.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const SELF = [...RUN_TYPESCRIPT, MAIN]
const ENV = { PATH: process.env.PATH, BALSA_ELECTION_MS: '300', BALSA_HEARTBEAT_MS: '50' }

/** A process of this CLI, and what it has printed. */
class Program {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  text = ''

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: ENV })
    this.exited = once(this.child, 'close').then(([code]) => code as number | null)
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        this.text += chunk
        this.child.emit('text')
      })
    }
  }

  /** What the pattern found, once it is printed; fails where the process ends without it. */
  async waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.text)
      if (found) return found
      const more = await Promise.race([
        once(this.child, 'text').then(() => true),
        this.exited.then(() => false),
      ])
      assert.ok(more || pattern.test(this.text), `it ended without ${pattern}: ${this.text}`)
    }
  }

  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM')
    return this.exited
  }
}

/** Runs a command with a real client, in this process. */
async function balsa(args: readonly string[], stdin: string | Uint8Array = '') {
  const world = fakeWorld({ stdin })
  const context: CliContext = {
    ...world.context,
    connect: (options) => Promise.resolve(new BalsaClient(options)),
  }
  const exitCode = await run(args, context, COMMANDS)
  return { exitCode, stdout: world.stdout.bytes, stderr: world.stderr.text, text: world.stdout.text }
}

async function withDirectory(test: (dir: string, started: Program[]) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'balsa-cli-'))
  const started: Program[] = []
  try {
    await test(dir, started)
  } finally {
    await Promise.all(started.map((program) => program.stop()))
    await rm(dir, { recursive: true })
  }
}

describe('the command line on a real node', () => {
  it('puts, gets, swaps and deletes, also what is no text, and finds it after a restart', () =>
    withDirectory(async (dir, started) => {
      const serve = () => {
        const addresses = ['--listen', '127.0.0.1:0', '--peer-listen', '127.0.0.1:0']
        const node = new Program(process.execPath, [
          ...SELF,
          'serve',
          '--data',
          join(dir, 'n1'),
          ...addresses,
        ])
        started.push(node)
        return node
      }
      const node = serve()
      const found = await node.waitFor(/"clientAddress":"(127\.0\.0\.1:\d+)"[^\n]*the node is up/)
      const at = ['--endpoints', found[1]!, '--time-out', '20s']

      assert.equal((await balsa(['put', 'greeting', 'hello', 'empty', '', ...at])).text, 'OK (revision 1)\n')
      assert.equal((await balsa(['get', 'greeting', 'empty', ...at])).text, 'hello\n\n')
      assert.equal((await balsa(['get', 'none', ...at])).exitCode, 1)
      assert.equal((await balsa(['put', '--hex', 'ff00', '-', ...at], 'fe 01')).exitCode, 0)
      assert.deepEqual((await balsa(['get', '--hex', 'ff00', ...at])).text, 'fe01\n')
      const bytes = new Uint8Array([0, 10, 255])
      assert.equal((await balsa(['put', 'bytes', '-', ...at], bytes)).exitCode, 0)
      assert.deepEqual([...(await balsa(['get', 'bytes', '--raw', ...at])).stdout], [...bytes])
      const json = JSON.parse((await balsa(['get', 'bytes', '--json', ...at])).text) as {
        entries: { value: string; encoding: string; modRevision: number }[]
      }
      assert.equal(json.entries[0]!.encoding, 'base64')
      assert.equal(json.entries[0]!.value, 'AAr/')
      const { modRevision } = json.entries[0]!
      assert.equal((await balsa(['cas', 'bytes', '--if-revision', `${modRevision}`, 'x', ...at])).exitCode, 0)
      assert.equal((await balsa(['cas', 'bytes', '--if-revision', `${modRevision}`, 'y', ...at])).exitCode, 1)
      assert.equal((await balsa(['cas', 'fresh', '--absent', 'z', ...at])).exitCode, 0)
      assert.equal((await balsa(['cas', 'fresh', '--absent', 'z', ...at])).exitCode, 1)
      assert.equal((await balsa(['delete', 'greeting', ...at])).exitCode, 0)
      assert.equal((await balsa(['delete', 'greeting', ...at])).exitCode, 1)
      assert.equal((await balsa(['put', 'k'.repeat(5000), 'v', ...at])).exitCode, 2)
      const status = await balsa(['status', ...at])
      assert.equal(status.exitCode, 0)
      assert.match(status.text, /│ \* .*n1 .*leader .*serving/)
      assert.equal(await node.stop(), 0)

      const away = await balsa(['get', 'bytes', '--endpoints', found[1]!, '--time-out', '200ms', '--json'])
      assert.equal(away.exitCode, 3)
      assert.equal((JSON.parse(away.stderr) as { error: { code: string } }).error.code, 'UNAVAILABLE')

      const again = serve()
      const [, address] = await again.waitFor(/"clientAddress":"(127\.0\.0\.1:\d+)"[^\n]*the node is up/)
      const kept = await balsa(['get', 'bytes', 'fresh', '--endpoints', address!, '--time-out', '20s'])
      assert.equal(kept.text, 'x\nz\n')
    }))

  it('refuses wrong settings and another node’s directory with their exit codes', () =>
    withDirectory(async (dir, started) => {
      const wrong = new Program(process.execPath, [...SELF, 'serve', '--listen', 'here'])
      assert.equal(await wrong.exited, 2)
      assert.match(wrong.text, /--listen: "here" is not host:port/)
      assert.doesNotMatch(wrong.text, /\n {4}at /)

      const addresses = ['--listen', '127.0.0.1:0', '--peer-listen', '127.0.0.1:0', '--data', join(dir, 'n1')]
      const first = new Program(process.execPath, [...SELF, 'serve', ...addresses])
      started.push(first)
      await first.waitFor(/the node is up/)
      assert.equal(await first.stop(), 0)
      const other = new Program(process.execPath, [...SELF, 'serve', '--id', 'n2', ...addresses])
      assert.equal(await other.exited, 7)
    }))
})

describe('balsa cluster start with real nodes', () => {
  it('survives a kill, sees the node return, and resumes its data', () =>
    withDirectory(async (dir, started) => {
      const data = join(dir, 'cluster')
      const start = () => {
        const args = [...SELF, 'cluster', 'start', '--dir', data, '--base-port', '0']
        const program = new Program(process.execPath, args)
        started.push(program)
        return program
      }
      const endpoints = () =>
        clusterFile(data)
          .map(({ clientAddress }) => clientAddress)
          .join(',')
      const cluster = start()
      const [, leader] = await cluster.waitFor(/The cluster is ready: (n\d) leads/)
      const at = ['--endpoints', endpoints(), '--time-out', '20s']
      assert.equal((await balsa(['put', 'greeting', 'hello', ...at])).exitCode, 0)

      const killed = clusterFile(data).find(({ id }) => id === leader)!
      process.kill(killed.pid!, 'SIGKILL')
      await cluster.waitFor(new RegExp(`${killed.id} .*was killed by SIGKILL`))
      assert.equal((await balsa(['put', 'greeting', 'again', ...at])).exitCode, 0)
      assert.match(killed.restartCommand, / --max-semi-space-size=16 /)
      const byHand = new Program('sh', ['-c', `exec ${killed.restartCommand}`])
      started.push(byHand)
      await cluster.waitFor(new RegExp(`${killed.id} is back \\(pid ${byHand.child.pid}`))
      assert.equal((await balsa(['get', 'greeting', ...at])).text, 'again\n')
      assert.equal(await byHand.stop(), 0)
      cluster.child.kill('SIGINT')
      assert.equal(await cluster.exited, 0)

      const resumed = start()
      await resumed.waitFor(/is resumed[^]*The cluster is ready/)
      const kept = await balsa(['get', 'greeting', '--endpoints', endpoints(), '--time-out', '20s'])
      assert.equal(kept.text, 'again\n')
      assert.equal(await resumed.stop(), 0)
    }))
})
