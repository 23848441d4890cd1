import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { LocalTarget } from '../../src/chaos/index.ts'

/** What a relay is told, which answers later than the next request could come. */
async function relay(): Promise<{ control: string; told: unknown[] } & AsyncDisposable> {
  const told: unknown[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      told.push(JSON.parse(body))
      setImmediate(() => response.end())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    control: `127.0.0.1:${port}`,
    told,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

describe('the processes of a cluster as a target', () => {
  it('keeps every link fault where several are asked for at once', async () => {
    await using fake = await relay()
    const dir = await mkdtemp(join(tmpdir(), 'balsa-test-'))
    try {
      // This process stands for the nodes: nothing is done to it.
      const nodes = ['n1', 'n2', 'n3'].map((id) => {
        return { id, pid: process.pid, clientAddress: '127.0.0.1:1', dataDir: dir, restartCommand: 'false' }
      })
      await writeFile(join(dir, 'cluster.json'), JSON.stringify({ control: fake.control, nodes }))
      const target = await LocalTarget.open(dir)
      const slowness = { delayMs: 20, lossRate: 0 }
      await Promise.all([target.cut('n1', 'n2'), target.cut('n2', 'n1'), target.slow('n3', slowness)])
      const both = [
        ['n1', 'n2'],
        ['n2', 'n1'],
      ]
      assert.deepEqual(fake.told.at(-1), { cuts: both, slow: { n3: slowness } })
      await target.heal()
      assert.deepEqual(fake.told.at(-1), { cuts: [], slow: {} })
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
})
