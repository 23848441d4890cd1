import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ResourceExhaustedError } from '../../src/index.ts'
import { TestCluster } from '../cluster/support/cluster.ts'
import type { TestNode } from '../cluster/support/cluster.ts'

/** A small file system in memory, mounted for as long as it is used. */
class SmallDisk implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'balsa-small-disk-'))

  constructor(megabytes: number) {
    mount(['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'balsa-test', this.path])
  }

  grow(megabytes: number): void {
    mount(['-o', `remount,size=${megabytes}m`, this.path])
  }

  [Symbol.dispose](): void {
    spawnSync('umount', ['-l', this.path])
    rmSync(this.path, { recursive: true, force: true })
  }
}

function mount(args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('mount', args)
  if (status !== 0) throw new Error(`mount ${args.join(' ')}: ${error?.message ?? String(stderr)}`)
}

/** Why this machine cannot mount a small disk; undefined where it can. */
export function fullDiskObstacle(): string | undefined {
  try {
    using disk = new SmallDisk(1)
    return disk.path === '' ? 'no path' : undefined
  } catch (error) {
    return `no small file system can be mounted here: NOT TESTED (${(error as Error).message})`
  }
}

/** One of three nodes has a small disk and no guard. */
export async function fullDisk(): Promise<void> {
  using disk = new SmallDisk(48)
  await using cluster = await TestCluster.create()
  const [victim, ...others] = cluster.nodes as [TestNode, ...TestNode[]]
  const small = { '--data': join(disk.path, 'n1'), '--min-free-bytes': '0' }
  for (const node of others) node.start()
  victim.start(small)
  await cluster.leader()
  const client = cluster.client()
  const value = randomBytes(256 * 1024)
  let acknowledged = 0
  while (victim.running && acknowledged < 1000) await client.put(`k${acknowledged++}`, value)
  assert.deepEqual(await victim.ended, { code: 6, signal: null }, victim.log.slice(-3000))
  assert.match(victim.log.slice(-4000), /no space is left/)
  for (let i = 0; i < 20; i++) await client.put(`after${i}`, 'x')
  disk.grow(1024)
  victim.start(small)
  await cluster.converged()
  for (let i = 0; i < acknowledged; i++) {
    assert.equal((await client.get(`k${i}`))?.version, 1, `k${i} was acknowledged`)
  }
}

/** A node alone with a small disk and its guard. */
export async function lowSpace(): Promise<void> {
  using disk = new SmallDisk(160)
  await using cluster = await TestCluster.create({ nodes: 1 })
  const [node] = cluster.nodes as [TestNode]
  node.start({ '--data': join(disk.path, 'n1'), '--min-free-bytes': '64MiB' })
  await cluster.leader()
  const client = cluster.client()
  await client.put('first', 'x')
  const value = randomBytes(64 * 1024)
  let refusal: unknown
  for (let i = 0; i < 4000 && refusal === undefined; i++) {
    await client.put(`k${i}`, value).catch((error: unknown) => (refusal = error))
    // Slowly: the guard looks once a second, and the disk is very small.
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.ok(refusal instanceof ResourceExhaustedError, String(refusal))
  assert.equal(refusal.outcomeUnknown, false)
  assert.match(refusal.message, /n1 has [\d.]+ MiB left/)
  assert.equal((await client.get('first'))?.text(), 'x')
  assert.equal((await client.delete('k0')).deleted, true)
  const [status] = await cluster.statuses()
  assert.match(status!.health, /low on disk space/)
  disk.grow(1024)
  await cluster.until('writes to go on', () => client.put('again', 'x').catch(() => undefined))
}
