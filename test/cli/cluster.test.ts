import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { RUN_TYPESCRIPT } from '../../scripts/lib/typescript.mjs'
import { layoutCluster, quote } from '../../src/cli/cluster/layout.ts'
import { lastError, startProgress } from '../../src/cli/cluster/log-tail.ts'
import { Supervisor } from '../../src/cli/cluster/supervisor.ts'
import { reservePorts } from '../support/ports.ts'
import {
  clusterFile,
  closed,
  connected,
  FAKE_NODE,
  statusOf,
  withLocalWorld,
} from './support/local-cluster.ts'

const ready = /The cluster is ready: n1 leads \(term 1\)\./

describe('balsa cluster start', () => {
  it('starts three nodes, says when there is a leader and what to type, and stops all at a signal', () =>
    withLocalWorld(async (local) => {
      local.status = statusOf(null, {})
      const { world, exit } = local.start()
      await world.stdout.waitFor(/n3 {2}127/)
      assert.doesNotMatch(world.stdout.text, /ready/)
      const nodes = clusterFile(local.dir)
      assert.deepEqual(
        nodes.map(({ id }) => id),
        ['n1', 'n2', 'n3'],
      )
      const ports = nodes.map(({ clientAddress }) => Number(clientAddress.split(':')[1]))
      const first = ports[0]!
      assert.deepEqual(ports, [first, first + 1, first + 2])
      assert.deepEqual(
        nodes.map(({ peerAddress }) => peerAddress),
        ports.map((port) => `127.0.0.1:${port + 1000}`),
      )
      assert.deepEqual(
        nodes.map(({ dataDir }) => dataDir),
        nodes.map(({ id }) => join(local.dir, id)),
      )
      const sockets = await Promise.all(nodes.map(({ clientAddress }) => connected(clientAddress)))

      local.status = statusOf('n1', {})
      const text = await world.stdout.waitFor(/Ctrl-C stops/)
      assert.match(text, ready)
      const endpoints = nodes.map(({ clientAddress }) => clientAddress).join(',')
      assert.ok(text.includes(`\n  npx balsa put greeting hello --endpoints ${endpoints}\n`), text)
      assert.doesNotMatch(text, /resumed/)

      world.signals.emit('SIGINT')
      assert.equal(await exit, 0)
      assert.match(world.stdout.text, /Stopped\.\n$/)
      assert.doesNotMatch(world.stdout.text, /exited|killed/)
      await Promise.all(sockets.map(closed))
      assert.equal(world.open, 0)
    }))

  it('tells of a death, the last error and how to start the node again; then of its return', () =>
    withLocalWorld(async (local) => {
      const { world } = local.start()
      await world.stdout.waitFor(ready)
      const [n1, n2] = pids(local.dir)
      process.kill(n1.pid, 'SIGKILL')
      local.status = statusOf('n3', { n1: n1.pid, n2: n2.pid, n3: 1 }, 2)
      await world.stdout.waitFor(/n1 \(pid \d+\) was killed by SIGKILL\.\nThe cluster goes on with 2 of 3/)
      await world.stdout.waitFor(/n3 leads now \(term 2\)/)
      process.kill(n2.pid, 'SIGKILL')
      await world.stdout.waitFor(
        /n2 .* was killed by SIGKILL\.\nThe cluster is down to 1 of 3 nodes.* until 2 run/,
      )
      assert.ok(world.stdout.text.includes(`\n  ${n2.restartCommand}\n`))
      // Neither was restarted.
      assert.deepEqual(
        clusterFile(local.dir).map(({ pid }) => pid),
        [n1.pid, n2.pid, clusterFile(local.dir)[2]!.pid],
      )

      const byHand = spawn('sh', ['-c', `exec ${n2.restartCommand}`], { stdio: ['ignore', 'pipe', 'ignore'] })
      try {
        await once(byHand.stdout, 'data')
        local.status = statusOf('n3', { n1: null, n2: byHand.pid!, n3: 1 }, 2)
        await world.stdout.waitFor(new RegExp(`n2 is back \\(pid ${byHand.pid}, started by hand\\)`))
        assert.equal(clusterFile(local.dir)[1]!.pid, byHand.pid)
        world.signals.emit('SIGTERM')
        await world.stdout.waitFor(/n2 was started by hand and goes on/)
        assert.equal(byHand.exitCode, null)
      } finally {
        byHand.kill('SIGKILL')
        await once(byHand, 'exit')
      }
    }))

  it('goes on where one node cannot start', () =>
    withLocalWorld(async (local) => {
      local.status = statusOf(null, {})
      const { world } = local.start([], { FAKE_FAIL: 'n2' })
      const text = await world.stdout.waitFor(/To start it again/)
      assert.match(
        text,
        /n2 .*exited with code 4\.\n {2}the node could not start: the log ends below its mark\n/,
      )
      local.status = statusOf('n1', {})
      await world.stdout.waitFor(ready)
    }))

  it('ends with the exit code of the nodes where no majority comes up', () =>
    withLocalWorld(async (local) => {
      local.status = statusOf(null, {})
      const { world, exit } = local.start([], { FAKE_FAIL: 'n2,n3' })
      assert.equal(await exit, 4)
      assert.match(world.stdout.text, /No majority of the nodes came up\. Log: .*\.log/)
      await assert.rejects(connectOnce(clusterFile(local.dir)[0]!.clientAddress), { code: 'ECONNREFUSED' })
    }))

  it('resumes a directory and says so, with as many nodes as it has', () =>
    withLocalWorld(async (local) => {
      const first = local.start(['--nodes', '2'])
      await first.world.stdout.waitFor(ready)
      first.world.signals.emit('SIGTERM')
      await first.exit

      const second = local.start()
      await second.world.stdout.waitFor(ready)
      assert.match(second.world.stdout.text, /2 nodes on this machine[^]*data that is there is resumed/)
      second.world.signals.emit('SIGTERM')
      await second.exit

      const other = local.start(['--nodes', '3'])
      assert.equal(await other.exit, 2)
      assert.match(other.world.stderr.text, /holds a cluster of 2 nodes, not 3\. .*without --nodes.*--dir/)
    }))

  it('says how to use a cluster that runs from the directory already', () =>
    withLocalWorld(async (local) => {
      const first = local.start()
      await first.world.stdout.waitFor(ready)
      const [n1] = clusterFile(local.dir)
      ;(await connected(n1!.clientAddress)).destroy()
      const second = local.start()
      assert.equal(await second.exit, 2)
      assert.match(second.world.stderr.text, new RegExp(`runs from .* already: n1 \\(pid ${n1!.pid}\\)`))
      assert.match(second.world.stderr.text, /npx balsa put greeting hello[^]*ctrl-C/)
      assert.equal(clusterFile(local.dir)[0]!.pid, n1!.pid)
    }))

  it('names a taken port and its way out before it starts anything', () =>
    withLocalWorld(async (local) => {
      const server = createServer()
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      try {
        for (const [base, words] of [
          [port - 1, `${port} \\(n2 would listen there for clients\\)`],
          [port - 1002, `${port} \\(n3 would listen there for the other nodes\\)`],
        ] as const) {
          const { world, exit } = local.start(['--base-port', String(base)])
          assert.equal(await exit, 2)
          assert.match(world.stderr.text, new RegExp(`in use: .*${words}.*--base-port (\\d+|<port>)`))
          assert.equal(world.stdout.text, '')
          assert.throws(() => clusterFile(local.dir), { code: 'ENOENT' })
        }
      } finally {
        server.close()
      }
    }))

  it('finds wrong settings before it starts anything, and hands the right ones to the nodes', () =>
    withLocalWorld(async (local) => {
      const wrong = local.start([], { BALSA_HEARTBEAT_MS: '900' })
      assert.equal(await wrong.exit, 2)
      assert.match(wrong.world.stderr.text, /three heartbeats of 900 ms/)
      const large = local.start([], { BALSA_CACHE_BYTES: '64GiB' })
      assert.equal(await large.exit, 2)
      assert.match(large.world.stderr.text, /its heap exceeds 4096 MiB/)

      const { world } = local.start([], { BALSA_HEARTBEAT_MS: '50', BALSA_ID: 'nx', BALSA_ADVERTISE: 'h:1' })
      await world.stdout.waitFor(ready)
      const [n1] = clusterFile(local.dir)
      ;(await connected(n1!.clientAddress)).destroy()
      assert.match(n1!.restartCommand, / serve --id n1 .* --heartbeat-ms 50$/)
      const log = JSON.parse(readFileSync(join(local.dir, 'n1.log'), 'utf8')) as {
        args: string[]
        env: unknown
      }
      assert.equal(log.env, null)
      assert.deepEqual(log.args.slice(-3), ['--heartbeat-ms', '50', '--with-parent'])
    }))

  it('refuses a cluster.json that is none of its own', () =>
    withLocalWorld(async (local) => {
      writeFileSync(join(local.dir, 'cluster.json'), '{"nodes": 3}')
      const { world, exit } = local.start()
      assert.equal(await exit, 2)
      assert.match(world.stderr.text, /cluster\.json is not what .*delete that file/)
    }))

  for (const args of [
    ['--nodes', '0'],
    ['--nodes', 'x'],
    ['--base-port', '65000'],
  ]) {
    it(`refuses ${args.join(' ')}`, () =>
      withLocalWorld(async (local) => {
        const { world, exit } = local.start(args)
        assert.equal(await exit, 2)
        assert.match(world.stderr.text, new RegExp(`${args[0]}.*whole number from`))
      }))
  }

  it('takes its nodes with it when it is killed', () =>
    withLocalWorld(async (local) => {
      const script = fileURLToPath(new URL('support/supervise.ts', import.meta.url))
      const supervisor = spawn(process.execPath, [...RUN_TYPESCRIPT, script, local.dir], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      try {
        // The end of standard input does not end it.
        supervisor.stdin.end()
        let text = ''
        while (!text.includes('Ctrl-C stops')) {
          const [chunk] = (await once(supervisor.stdout, 'data')) as [Buffer]
          text += chunk.toString()
        }
        const addresses = clusterFile(local.dir).map(({ clientAddress }) => clientAddress)
        const sockets = await Promise.all(addresses.map(connected))
        supervisor.kill('SIGKILL')
        await Promise.all(sockets.map(closed))
      } finally {
        supervisor.kill('SIGKILL')
      }
    }))
})

/** The first two nodes, whose processes were started. */
function pids(dir: string): [{ pid: number }, { pid: number; restartCommand: string }] {
  const [n1, n2] = clusterFile(dir)
  return [{ pid: n1?.pid ?? 0 }, { pid: n2?.pid ?? 0, restartCommand: n2?.restartCommand ?? '' }]
}

function connectOnce(address: string): Promise<unknown> {
  const [host, port] = address.split(':')
  return fetch(`http://${host}:${port}`).catch((error: Error) => Promise.reject(error.cause))
}

describe('the supervisor', () => {
  it('kills a node that does not stop within the grace period, and is told of no death', () =>
    withLocalWorld(async (local) => {
      const [port] = (await reservePorts(1)) as [number]
      const env = { PATH: process.env.PATH, FAKE_STUBBORN: 'n1' }
      const nodes = layoutCluster({ nodes: 1, dir: local.dir, basePort: port, self: FAKE_NODE, env: {} })
      const deaths: unknown[] = []
      const supervisor = new Supervisor({
        nodes,
        self: FAKE_NODE,
        env,
        graceMs: 50,
        onDeath: (death) => deaths.push(death),
      })
      supervisor.start()
      assert.equal(supervisor.alive, 1)
      const socket = await connected(nodes[0]!.clientAddress)
      await supervisor.stop()
      await closed(socket)
      assert.equal(supervisor.alive, 0)
      assert.deepEqual(deaths, [])
    }))

  it('tells of a program that cannot be started', () =>
    withLocalWorld(async (local) => {
      const self = [join(local.dir, 'no-such-node')] as const
      const nodes = layoutCluster({ nodes: 1, dir: local.dir, basePort: 1, self, env: {} })
      const how = await new Promise<string>((resolve) => {
        const onDeath = (death: { how: string }) => resolve(death.how)
        new Supervisor({ nodes, self, env: {}, graceMs: 50, onDeath }).start()
      })
      assert.match(how, /could not be started: .*ENOENT/)
    }))
})

describe('a command line for a shell', () => {
  it('quotes what a shell would take apart', () => {
    assert.equal(quote('/a/b-c_1.js'), '/a/b-c_1.js')
    assert.equal(quote("it's $HOME"), `'it'\\''s $HOME'`)
    assert.equal(quote(''), "''")
  })
})

describe("the end of a node's log", () => {
  it('is its last error, else what is no JSON, of this run only', () =>
    withLocalWorld(async (local) => {
      const path = join(local.dir, 'n1.log')
      const info = '{"level":30,"msg":"up"}\n'
      const error = '{"level":50,"msg":"the disk failed","err":{"message":"EIO"}}\n'
      writeFileSync(path, error + info)
      assert.equal(lastError(path, 0), 'the disk failed: EIO')
      assert.equal(lastError(path, error.length), undefined)
      writeFileSync(path, `${info}a\nb\nError: c\n    at d\n`)
      assert.equal(lastError(path, 0), 'b\nError: c\n    at d')
      assert.equal(lastError(join(local.dir, 'none.log'), 0), undefined)
      return Promise.resolve()
    }))

  it('tells how far the start of a process has come, as long as that is the last it says', () =>
    withLocalWorld(async (local) => {
      const path = join(local.dir, 'n1.log')
      const line = JSON.stringify({ level: 30, pid: 7, starting: 'reading the log', percent: 45 })
      writeFileSync(path, `older\n${line}\n`)
      assert.equal(startProgress(path, 7), 'reading the log, 45%')
      assert.equal(startProgress(path, 8), undefined, 'the line of an earlier process')
      writeFileSync(path, `${line}\n{"level":30,"pid":7,"msg":"the node is up"}\n`)
      assert.equal(startProgress(path, 7), undefined)
      writeFileSync(path, `${line}\n{"level":30,"pi`)
      assert.equal(startProgress(path, 7), undefined, 'half a line')
      return Promise.resolve()
    }))
})
