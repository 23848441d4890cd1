import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { RunningNode } from '../../src/server/node.ts'
import { DamagedDataError, DiskFullError } from '../../src/errors.ts'
import type { StopError } from '../../src/errors.ts'
import type { NodeConfig } from '../../src/server/config.ts'
import { fakeWorld } from './support/fake-context.ts'
import type { FakeOptions } from './support/fake-context.ts'

/** A node that runs until it is told otherwise. */
function fakeNode() {
  const configs: NodeConfig[] = []
  let end: (error: StopError | undefined) => void = () => {}
  const stopped = new Promise<StopError | undefined>((resolve) => {
    end = resolve
  })
  const node: RunningNode = {
    clientAddress: '127.0.0.1:4242',
    peerAddress: '127.0.0.1:4243',
    stopped,
    stop() {
      end(undefined)
      return Promise.resolve()
    },
  }
  const startNode: NonNullable<FakeOptions['startNode']> = (config) => {
    configs.push(config)
    return Promise.resolve(node)
  }
  return { configs, startNode, fail: (error: StopError) => end(error) }
}

function records(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('balsa serve', () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    it(`runs a node with its configuration and stops it cleanly at ${signal}`, async () => {
      const node = fakeNode()
      const world = fakeWorld({ startNode: node.startNode, env: { BALSA_HEARTBEAT_MS: '50' } })
      const peers = 'n1=127.0.0.1:1,n2=127.0.0.1:2'
      const exit = world.run('serve', '--id', 'n2', '--peers', peers, '--data', '/data/n2')
      await world.stdout.waitFor(/the node is up/)
      assert.equal(node.configs[0]!.id, 'n2')
      assert.equal(node.configs[0]!.heartbeatMs, 50)
      assert.equal(node.configs[0]!.dataDir, '/data/n2')
      world.signals.emit(signal)
      assert.equal(await exit, 0)
      const log = records(world.stdout.text)
      assert.deepEqual(
        log.map(({ msg }) => msg),
        ['the node is up', 'the node stops', 'the node has stopped'],
      )
      assert.equal(log[0]!.node, 'n2')
      assert.equal(log[0]!.clientAddress, '127.0.0.1:4242')
      assert.equal(log[1]!.reason, signal)
      assert.equal(world.signals.listenerCount(signal), 0)
    })
  }

  it('stops when its parent is gone, where it was told to', async () => {
    const node = fakeNode()
    const world = fakeWorld({ startNode: node.startNode })
    const exit = world.run('serve', '--with-parent')
    await world.stdout.waitFor(/the node is up/)
    world.signals.emit('disconnect')
    assert.equal(await exit, 0)
    const alone = fakeWorld({ startNode: fakeNode().startNode })
    const exitAlone = alone.run('serve')
    await alone.stdout.waitFor(/the node is up/)
    assert.equal(alone.signals.listenerCount('disconnect'), 0)
    alone.signals.emit('SIGTERM')
    await exitAlone
  })

  it('takes notice of a signal that comes while the node starts', async () => {
    const node = fakeNode()
    const world = fakeWorld({
      startNode(config, options) {
        world.signals.emit('SIGTERM')
        return node.startNode(config, options)
      },
    })
    assert.equal(await world.run('serve'), 0)
  })

  it('does not wait for the end of a start that takes long', async () => {
    const world = fakeWorld({
      startNode() {
        world.signals.emit('SIGINT')
        return new Promise(() => {})
      },
    })
    assert.equal(await world.run('serve'), 0)
    assert.match(world.stdout.text, /the node is not started/)
  })

  it('exits with the code of what stopped the node, and says it in the log and on standard error', async () => {
    const node = fakeNode()
    const world = fakeWorld({ startNode: node.startNode })
    const exit = world.run('serve')
    await world.stdout.waitFor(/the node is up/)
    node.fail(new DiskFullError('no space is left in /data'))
    assert.equal(await exit, 6)
    assert.equal(world.stderr.text, 'balsa: no space is left in /data\n')
    const last = records(world.stdout.text).at(-1) as { level: number; err: { message: string } }
    assert.equal(last.level, 60)
    assert.equal(last.err.message, 'no space is left in /data')
  })

  it('exits with the code of what kept the node from starting', async () => {
    const startNode = () => Promise.reject(new DamagedDataError('the log ends below its mark'))
    const world = fakeWorld({ startNode })
    assert.equal(await world.run('serve', '--json'), 4)
    assert.deepEqual(JSON.parse(world.stderr.text), {
      error: { code: 'DAMAGED', message: 'the log ends below its mark', outcomeUnknown: false },
    })
  })

  it('exits with 2 where the configuration is wrong, all problems named', async () => {
    const world = fakeWorld()
    const args = ['serve', '--listen', 'x', '--peers', 'a=h:1', '--peers', 'b=h:1', '--election-ms', 'y']
    assert.equal(await world.run(...args), 2)
    assert.match(world.stderr.text, /3 problems:\n.*--listen: [^]*--peers is given 2 times[^]*--election-ms/)
  })

  it('does not start with limits that the heap of its process cannot keep', async () => {
    const world = fakeWorld({ heapBytes: 1024 ** 3 })
    assert.equal(await world.run('serve', '--cache-bytes', '8GiB'), 2)
    assert.match(world.stderr.text, /8832 MiB, but .* 1024 MiB.*--max-old-space-size=8832/)
  })

  it('reads the file of --config, or of BALSA_CONFIG', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'balsa-serve-'))
    try {
      const path = join(dir, 'balsa.json')
      await writeFile(path, JSON.stringify({ id: 'x7', clusterName: 'from-file' }))
      for (const [args, env] of [
        [['--config', path], {}],
        [[], { BALSA_CONFIG: path }],
      ] as const) {
        const node = fakeNode()
        const world = fakeWorld({ startNode: node.startNode, env })
        const exit = world.run('serve', ...args)
        await world.stdout.waitFor(/the node is up/)
        world.signals.emit('SIGTERM')
        assert.equal(await exit, 0)
        assert.equal(node.configs[0]!.id, 'x7')
        assert.equal(node.configs[0]!.clusterName, 'from-file')
      }
      await writeFile(path, '{"id": ')
      const broken = fakeWorld()
      assert.equal(await broken.run('serve', '--config', path), 2)
      assert.match(broken.stderr.text, /balsa\.json is not JSON/)
      const missing = fakeWorld()
      assert.equal(await missing.run('serve', '--config', join(dir, 'none.json')), 2)
      assert.match(missing.stderr.text, /cannot be read: ENOENT.*Check --config/)
    } finally {
      await rm(dir, { recursive: true })
    }
  })

  it('logs the warnings of its configuration', async () => {
    const node = fakeNode()
    const world = fakeWorld({ startNode: node.startNode, env: { BALSA_PERS: 'a' } })
    const exit = world.run('serve')
    await world.stdout.waitFor(/the node is up/)
    world.signals.emit('SIGTERM')
    await exit
    assert.match(world.stdout.text, /"level":40.*did you mean BALSA_PEERS\?/)
  })
})
