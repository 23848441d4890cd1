import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from './support/cluster.ts'
import { command } from './support/entries.ts'

/** With the model's election time-out of 10 ticks: four of them. */
const PATIENCE = 40

describe('a leader whose disk hangs', () => {
  it('steps down after four election time-outs, another one leads, and it comes back as a follower', () => {
    const cluster = new Cluster()
    const old = cluster.elect('n1')
    old.auto.persist = false
    old.propose(command('set a 1'))
    cluster.run()
    cluster.pass(PATIENCE - 1)
    assert.equal(old.view.role, 'leader', 'heartbeats do not wait for the disk')
    assert.equal(cluster.server('n2').values.get('a'), '1', 'the others hold and apply it')
    assert.equal(old.values.get('a'), undefined, 'it can answer nobody')
    cluster.pass(PATIENCE)
    const [leader] = cluster.leaders
    assert.ok(leader !== undefined && leader.id !== 'n1')
    cluster.write(leader.id, 'set b 2')
    old.auto.persist = true
    old.persist()
    cluster.pass(20)
    assert.equal(old.view.role, 'follower')
    assert.deepEqual([...old.values], [...leader.values])
    assert.deepEqual(
      cluster.leaders.map(({ id }) => id),
      [leader.id],
      'its return disturbs nobody',
    )
  })

  it('waits as long as something arrives on disk now and then, and while nothing is to be written', () => {
    const cluster = new Cluster()
    const leader = cluster.elect('n1')
    cluster.pass(3 * PATIENCE)
    leader.auto.persist = false
    for (let round = 0; round < 4; round++) {
      leader.propose(command(`set a ${round}`), command(`set b ${round}`))
      leader.propose(command(`set c ${round}`))
      cluster.pass(PATIENCE - 5)
      leader.persist(1)
    }
    assert.equal(leader.view.role, 'leader')
    leader.persist()
    cluster.pass(3 * PATIENCE)
    assert.equal(leader.view.role, 'leader')
    assert.equal(leader.view.term, 1)
  })

  it('goes on alone: a cluster of one has nobody who could do better', () => {
    const cluster = new Cluster({ size: 1 })
    const leader = cluster.elect('n1')
    leader.auto.persist = false
    leader.propose(command('set a 1'))
    cluster.pass(3 * PATIENCE)
    assert.equal(leader.view.role, 'leader')
    leader.persist()
    assert.equal(leader.values.get('a'), '1')
  })
})
