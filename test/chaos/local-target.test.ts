import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { FaultsError, LocalTarget } from '../../src/chaos/index.ts'
import type { StatusResponse } from '../../src/wire/proto.ts'

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

const IDS = ['n1', 'n2', 'n3']

/** A cluster whose nodes this process stands for: nothing is done to it. Each has its id as its address. */
async function cluster(control?: string): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'balsa-test-'))
  const nodes = IDS.map((id) => {
    return { id, pid: process.pid, clientAddress: id, dataDir: dir, restartCommand: 'false' }
  })
  await writeFile(join(dir, 'cluster.json'), JSON.stringify({ control, nodes }))
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}

/** What nodes answer that are who they should be. */
const status = (address: string) => Promise.resolve({ id: address, pid: process.pid } as StatusResponse)

describe('the processes of a cluster as a target', () => {
  it('keeps every link fault where several are asked for at once', async () => {
    await using fake = await relay()
    await using running = await cluster(fake.control)
    const target = await LocalTarget.open(running.dir, status)
    const slowness = { delayMs: 20, lossRate: 0 }
    await Promise.all([target.cut('n1', 'n2'), target.cut('n2', 'n1'), target.slow('n3', slowness)])
    const both = [
      ['n1', 'n2'],
      ['n2', 'n1'],
    ]
    assert.deepEqual(fake.told.at(-1), { cuts: both, slow: { n3: slowness } })
    await target.heal()
    assert.deepEqual(fake.told.at(-1), { cuts: [], slow: {} })
  })

  it('does nothing to a process that is not the node it is taken for: its id may have been given away', async () => {
    await using running = await cluster()
    const other = (address: string) =>
      Promise.resolve({ id: address, pid: process.pid + 1 } as StatusResponse)
    const silent = () => Promise.reject(new Error('nobody listens'))
    for (const answer of [other, silent, () => status('n2')]) {
      await assert.rejects(
        LocalTarget.open(running.dir, answer),
        (error) => error instanceof FaultsError && /does not answer as n\d/.test(error.message),
      )
    }
  })
})
