import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from './support/cluster.ts'
import { command } from './support/entries.ts'

/** commitIndex, lastApplied and the value of `x`, of each server. */
function standing(cluster: Cluster): unknown[] {
  return [...cluster.servers.values()].map(({ view, values }) => [
    view.commitIndex,
    view.lastApplied,
    values.get('x'),
  ])
}

/** A cluster of three that has elected n1; its no-op is committed everywhere. */
function elected(): Cluster {
  const cluster = new Cluster()
  cluster.elect('n1')
  cluster.pass(1)
  assert.deepEqual(standing(cluster), Array(3).fill([1, 1, undefined]))
  return cluster
}

describe('the model network: three servers that talk in memory', () => {
  it('a set on the leader is invisible until it is replicated, and visible on all after the messages ran', () => {
    const cluster = elected()
    const leader = cluster.server('n1')

    leader.propose(command('set x 1'))
    assert.deepEqual(
      standing(cluster),
      Array(3).fill([1, 1, undefined]),
      'appended on the leader, and no more',
    )
    assert.equal(leader.view.lastIndex, 2)

    cluster.deliver({ type: 'append', to: 'n2' })
    assert.equal(cluster.server('n2').view.lastIndex, 2)
    assert.deepEqual(
      standing(cluster),
      Array(3).fill([1, 1, undefined]),
      'on two disks, which the leader does not know',
    )

    cluster.deliver({ type: 'appendReply', from: 'n2' })
    assert.deepEqual(
      standing(cluster),
      [
        [2, 2, '1'],
        [1, 1, undefined],
        [1, 1, undefined],
      ],
      'committed: the client is answered',
    )

    cluster.run()
    assert.equal(cluster.server('n3').view.lastIndex, 2)
    leader.tick()
    cluster.run()
    assert.deepEqual(standing(cluster), Array(3).fill([2, 2, '1']), 'the heartbeat brings the commit')
  })

  it('a delete likewise', () => {
    const cluster = elected()
    cluster.write('n1', 'set x 1')
    const leader = cluster.server('n1')

    leader.propose(command('delete x'))
    assert.deepEqual(standing(cluster), Array(3).fill([2, 2, '1']))
    cluster.deliver({ type: 'append', to: 'n3' })
    cluster.deliver({ type: 'appendReply', from: 'n3' })
    assert.deepEqual(standing(cluster), [
      [3, 3, undefined],
      [2, 2, '1'],
      [2, 2, '1'],
    ])
    cluster.run()
    leader.tick()
    cluster.run()
    assert.deepEqual(standing(cluster), Array(3).fill([3, 3, undefined]))
  })

  it('the last entry before silence is committed and applied on the followers, without another write', () => {
    const cluster = elected()
    cluster.server('n1').propose(command('set x last'))
    cluster.pass(2)
    assert.deepEqual(standing(cluster), Array(3).fill([2, 2, 'last']))
  })

  it('a set on a follower is refused, and changes nothing', () => {
    const cluster = elected()
    assert.equal(cluster.server('n2').propose(command('set x 1')), undefined)
    cluster.pass(2)
    assert.deepEqual(standing(cluster), Array(3).fill([1, 1, undefined]))
  })

  it('without a majority nothing becomes visible; with it again, everything does', () => {
    const cluster = elected()
    cluster.isolate('n1')
    cluster.server('n1').propose(command('set x 1'))
    cluster.run()
    assert.deepEqual(standing(cluster)[0], [1, 1, undefined])
    cluster.heal()
    cluster.pass(2)
    assert.deepEqual(standing(cluster), Array(3).fill([2, 2, '1']))
  })

  it('a stopped follower catches up when it is back', () => {
    const cluster = elected()
    cluster.crash('n3')
    for (let i = 1; i <= 5; i++) cluster.write('n1', `set x ${i}`)
    assert.equal(cluster.server('n1').view.lastApplied, 6)
    cluster.restart('n3')
    cluster.pass(3)
    assert.deepEqual(standing(cluster)[2], [6, 6, '5'])
  })
})
