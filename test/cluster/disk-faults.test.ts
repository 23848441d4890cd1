import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TestCluster } from './support/cluster.ts'
import type { Surroundings, TestNode } from './support/cluster.ts'
import { injected, injectionObstacle } from './support/injection.ts'
import type { InjectedError } from './support/injection.ts'
import { Writer } from './support/writer.ts'

/** Every sync of a node from its `nth` on fails so. */
function failingSync(error: InjectedError, nth: number): Surroundings {
  return injected({ call: 'fdatasync', error, nth })
}

const skip = injectionObstacle() ?? false
if (skip !== false) process.stderr.write(`# injected disk faults: ${skip}\n`)

describe('a disk that fails', { skip }, () => {
  it('EIO at a follower: it ends at once with 5 and says why; the others go on; it comes back clean', async () => {
    await using cluster = await TestCluster.start()
    const leader = await cluster.leader()
    const [victim] = cluster.othersThan(leader.id)
    await victim!.stop()
    victim!.start({}, failingSync('EIO', 25))
    await goesOnWithout(cluster, victim!, 5, /Input\/output error|EIO/)
  })

  it('ENOSPC at the leader: 6, nothing acknowledged is lost, and the client goes on elsewhere', async () => {
    await using cluster = await TestCluster.start()
    const victim = await leaderUnder(cluster, failingSync('ENOSPC', 40))
    await goesOnWithout(cluster, victim, 6, /no space is left/)
  })

  it('EIO at the first start: 5, and the next start makes the directory anew', async () => {
    await using cluster = await TestCluster.create({ nodes: 1 })
    const [node] = cluster.nodes
    node!.start({}, failingSync('EIO', 1))
    assert.deepEqual(await node!.ended, { code: 5, signal: null }, node!.log.slice(-3000))
    node!.start()
    await cluster.client().put('a', '1')
  })
})

/** Writes until the victim ends, and after that without it and with it again. */
async function goesOnWithout(
  cluster: TestCluster,
  victim: TestNode,
  code: number,
  words: RegExp,
): Promise<void> {
  const writer = new Writer(cluster.client(), { prefix: victim.id, inFlight: 8 })
  assert.deepEqual(await victim.ended, { code, signal: null }, victim.log.slice(-3000))
  assert.match(victim.log.slice(-3000), words)
  await writer.more(50)
  victim.start()
  await writer.more(50)
  await writer.stop()
  await cluster.converged()
  await writer.verify(cluster.client())
  assert.deepEqual([writer.failed, writer.unknown], [[], []])
}

/** Restarts the nodes, one of them under the fault, so that this one leads. */
async function leaderUnder(cluster: TestCluster, surroundings: Surroundings): Promise<TestNode> {
  const [victim, ...others] = cluster.nodes
  await Promise.all(cluster.nodes.map((node) => node.stop()))
  const own = async () => (await cluster.statuses()).find(({ id }) => id === victim!.id)
  victim!.start({}, surroundings)
  await cluster.until('the faulty node to be up', own)
  // It asks them for their votes at every heartbeat; they leave it the time for that.
  for (const node of others) node.start({ '--heartbeat-ms': '600', '--election-ms': '2000' })
  await cluster.until('the faulty node to lead', async () => (await own())?.role === 'leader' || undefined)
  return victim!
}
