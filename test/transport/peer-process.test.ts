import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { RUN_TYPESCRIPT } from '../../scripts/lib/typescript.mjs'
import { grpcLab } from '../conformance/transport-grpc-lab.ts'
import type { GrpcLab } from '../conformance/transport-grpc-lab.ts'
import { heartbeat } from '../conformance/transport-lab.ts'

const SCRIPT = fileURLToPath(new URL('peer-process.ts', import.meta.url))

interface PeerProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, null>
  readonly lines: string[]
}

describe('the gRPC transport between processes', () => {
  let lab: GrpcLab
  const children = new Set<PeerProcess['child']>()

  beforeEach(async () => {
    lab = await grpcLab(['n1', 'n2'])
  })
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL')
    children.clear()
    await lab.close()
  })

  /** Starts a node as a process and waits until it listens behind its front. */
  async function spawnPeer(id: string, ...peers: string[]): Promise<PeerProcess> {
    const child = spawn(process.execPath, [...RUN_TYPESCRIPT, SCRIPT, id, ...peers], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    children.add(child)
    const lines: string[] = []
    createInterface(child.stdout).on('line', (line) => lines.push(line))
    const port = (): string | undefined => lines.find((line) => line.startsWith('port '))
    await lab.until('it listens', () => port() !== undefined)
    lab.front(id).target = Number(port()!.slice(5))
    return { child, lines }
  }

  it('finds a process again that was killed, and one that was paused', async () => {
    const n1 = await lab.start('n1')
    const first = await spawnPeer('n2', 'n1', lab.front('n1').address)
    await lab.until('they are connected', () => n1.heard.isConnected('n2'))
    first.child.kill('SIGKILL')
    await lab.until('it is missed', () => !n1.heard.isConnected('n2'))

    const second = await spawnPeer('n2', 'n1', lab.front('n1').address)
    await lab.until('they are connected again', () => n1.heard.isConnected('n2'))
    second.child.kill('SIGSTOP')
    await lab.until('it is missed again', () => !n1.heard.isConnected('n2'))
    n1.transport.send([heartbeat('n1', 'n2', 1)])
    second.child.kill('SIGCONT')
    await lab.until(
      'it has woken',
      () => n1.heard.isConnected('n2') && second.lines.at(-1) === 'connected n1',
    )
    // Again and again: a busy machine may make them lose each other once more, and what was on its way is lost.
    await lab.until('it answers', () => {
      n1.transport.send([heartbeat('n1', 'n2', 2)])
      return n1.heard.messages.length > 0
    })
    assert.deepEqual(
      n1.heard.messages[0],
      heartbeat('n2', 'n1', 2),
      'what was sent while it was missed is gone',
    )
  })

  it('goes on where a process was paused for less than it takes to be missed', async () => {
    const n1 = await lab.start('n1', { electionMs: 60_000 })
    const n2 = await spawnPeer('n2', 'n1', lab.front('n1').address)
    await lab.until(
      'they are connected',
      () => n1.heard.isConnected('n2') && n2.lines.includes('connected n1'),
    )
    n2.child.kill('SIGSTOP')
    n1.transport.send([heartbeat('n1', 'n2', 1)])
    n2.child.kill('SIGCONT')
    await lab.until('it answers', () => n1.heard.messages.length > 0)
    assert.deepEqual(n1.heard.messages, [heartbeat('n2', 'n1', 1)])
    assert.equal(n1.heard.events.at(-1), 'connected n2')
  })

  it('leaves nothing open that would keep a closed process alive', async () => {
    const n1 = await lab.start('n1')
    // n2 is connected to n1, waits to dial n3 again, and has heard of n9 nothing yet.
    const n2 = await spawnPeer('n2', 'n1', lab.front('n1').address, 'n3', '127.0.0.1:1', 'n9', '192.0.2.1:1')
    await lab.until(
      'they are connected',
      () => n1.heard.isConnected('n2') && n2.lines.includes('connected n1'),
    )
    await lab.until('it waits for n3', () => n2.lines.some((line) => line.startsWith('lost n3')))
    n2.child.stdin.end('end\n')
    const [code] = (await once(n2.child, 'exit', { signal: AbortSignal.timeout(20_000) })) as [number]
    assert.equal(code, 0)
  })
})
