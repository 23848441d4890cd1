import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TestCluster } from './support/cluster.ts'
import type { TestNode } from './support/cluster.ts'
import { Writer } from './support/writer.ts'

const KiB = 1024

/** The log is cut soon, and next to nothing of it is kept. */
const FLAGS = { '--checkpoint-interval-ms': '100', '--log-keep-bytes': '16KiB', '--log-tail-bytes': '16KiB' }

const SENDING = /bringing (n\d) a snapshot/
const IN_FORCE = /the state is that of a snapshot/

/** Fills the store, `away` being down, until no log goes back to what it has. Resolves to the other follower. */
async function leaveBehind(cluster: TestCluster, away: TestNode, keys: number): Promise<void> {
  const { lastIndex } = (await cluster.statuses()).find(({ id }) => id === away.id)!
  await away.kill()
  const client = cluster.client({ nodes: cluster.othersThan(away.id), timeoutMs: 20_000 })
  const value = Buffer.alloc(KiB, 'v')
  for (let from = 0; from < keys; from += 500) {
    await client.putMany(Array.from({ length: 500 }, (_, i): [string, Buffer] => [`k${from + i}`, value]))
  }
  await cluster.until('the log to be cut', async () => {
    const statuses = await cluster.statuses()
    const cut = statuses.filter(({ firstIndex }) => (firstIndex ?? 0) > (lastIndex ?? 0) + 1)
    return cut.length === 2 || undefined
  })
}

describe('a node that was away while the log was cut (§5)', () => {
  it('comes back by a snapshot, while writes go on, and follows from there', async () => {
    await using cluster = await TestCluster.start({ flags: FLAGS })
    const leader = await cluster.leader()
    const [away] = cluster.othersThan(leader.id)
    await cluster.client().put('before', '1')
    await leaveBehind(cluster, away!, 1000)
    const writer = new Writer(cluster.client({ timeoutMs: 20_000 }), { prefix: 'meanwhile', inFlight: 8 })
    away!.start()
    await cluster.until('the snapshot', () => IN_FORCE.test(away!.log) || undefined)
    await writer.more(100)
    await writer.stop()
    await cluster.converged()
    const stale = cluster.client({ nodes: [away!] })
    const found = await stale.getMany(['before', 'k0', 'k999'], { consistency: 'stale' })
    assert.deepEqual(
      found.map((entry) => entry?.value.length),
      [1, KiB, KiB],
    )
    await writer.verify(cluster.client())
    await away!.stop()
    away!.start()
    await cluster.converged()
  })

  it('comes back though it is killed in the middle of it, again and again', async () => {
    await using cluster = await TestCluster.start({ flags: FLAGS })
    const leader = await cluster.leader()
    const [away] = cluster.othersThan(leader.id)
    await leaveBehind(cluster, away!, 4000)
    for (let round = 0; round < 2; round++) {
      const before = away!.log.length
      away!.start()
      await cluster.until(
        'a snapshot to come in',
        () => /receiving a snapshot|state is that of/.test(away!.log.slice(before)) || undefined,
      )
      await new Promise((resolve) => setTimeout(resolve, 40 * round))
      await away!.kill()
    }
    away!.start()
    await cluster.converged()
    assert.ok(!away!.log.includes('damaged'), away!.log)
  })

  it('comes back though its leader is killed in the middle of it: the next one brings it anew', async () => {
    await using cluster = await TestCluster.start({ flags: FLAGS })
    const leader = await cluster.leader()
    const [away] = cluster.othersThan(leader.id)
    await leaveBehind(cluster, away!, 4000)
    away!.start()
    await cluster.until('a snapshot to be sent', () => SENDING.test(leader.log) || undefined)
    await leader.kill()
    // The one that is left and the one that was away have to agree without it.
    await cluster.converged()
    leader.start()
    await cluster.converged()
    const entry = await cluster.client().get('k3999')
    assert.equal(entry?.value.length, KiB)
  })
})
