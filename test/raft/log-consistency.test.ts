import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from './support/cluster.ts'
import { appends } from './support/messages.ts'
import type { Term } from '../../src/raft/types.ts'

/** Figure 3.6: the log of the leader of term 8, and those that its followers may have. */
const FIGURE_3_6: Record<string, readonly Term[]> = {
  a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
  b: [1, 1, 1, 4],
  c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
  d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
  e: [1, 1, 1, 4, 4, 4, 4],
  f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
}
const LEADER_3_6: readonly Term[] = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]

describe('log consistency (§3.5)', () => {
  for (const [name, log] of Object.entries(FIGURE_3_6)) {
    it(`Figure 3.6, follower ${name}: the leader brings it to its own log (etcd: LeaderSyncFollowerLog)`, () => {
      const found = {
        n1: { log: LEADER_3_6, term: 7 },
        n2: { log, term: 7 },
        n3: { log: LEADER_3_6, term: 7 },
      }
      const cluster = new Cluster({ found })
      cluster.elect('n1')
      assert.equal(cluster.server('n1').view.term, 8)
      assert.deepEqual(cluster.server('n2').log, cluster.server('n1').log)
      assert.deepEqual(cluster.server('n2').disk.entries, cluster.server('n1').disk.entries)
      cluster.pass(1)
      assert.equal(cluster.server('n2').view.lastApplied, 11)
    })
  }

  it('the back-off goes by terms: round trips count terms, not entries', () => {
    const run = (length: number, term: Term): Term[] => Array.from({ length }, () => term)
    const shared = run(50, 1)
    const roundTrips = (mine: readonly Term[], theirs: readonly Term[]): number => {
      const found = { n1: { log: mine, term: 9 }, n2: { log: theirs, term: 9 }, n3: { log: mine, term: 9 } }
      const cluster = new Cluster({ found })
      let rejections = 0
      cluster.timeout('n1')
      for (;;) {
        const delivered = cluster.deliver()
        if (delivered.length === 0) break
        rejections += delivered.filter((message) => message.type === 'appendReply' && !message.success).length
      }
      assert.deepEqual(cluster.server('n2').log, cluster.server('n1').log)
      return rejections
    }
    assert.equal(roundTrips([...shared, ...run(200, 5)], shared), 1, 'a follower that is only behind')
    assert.equal(roundTrips([...shared, ...run(200, 5)], [...shared, ...run(199, 4)]), 1, 'one foreign term')
    assert.ok(
      roundTrips([...shared, ...run(200, 5)], [...shared, ...run(60, 2), ...run(60, 3), ...run(60, 4)]) <= 3,
    )
    const interleaved = [...shared, ...run(50, 3), ...run(50, 5), ...run(50, 7)]
    const foreign = [...shared, ...run(40, 2), ...run(40, 4), ...run(40, 6)]
    assert.ok(roundTrips(interleaved, foreign) <= 4)
  })
})

describe('safety: entries of earlier terms (§3.6.2, Figure 3.7)', () => {
  /** S1 led term 2 and got its entry to S2; S5 led term 3 and has one nobody else has; S1 leads term 4. */
  function figure(): Cluster {
    const found = {
      n1: { log: [1, 2], term: 3 },
      n2: { log: [1, 2], term: 3 },
      n3: { log: [1], term: 3 },
      n4: { log: [1], term: 3 },
      n5: { log: [1, 3], term: 3 },
    }
    const cluster = new Cluster({ size: 5, found })
    cluster.cut('n1', 'n4')
    cluster.cut('n1', 'n5')
    cluster.timeout('n1')
    for (const type of ['preVote', 'preVoteReply', 'vote', 'voteReply'] as const) cluster.deliver({ type })
    assert.equal(cluster.server('n1').view.role, 'leader')
    return cluster
  }

  it('(c) an entry of term 2 on a majority is not committed by the leader of term 4', () => {
    const cluster = figure()
    // The logs agree at entry 1 only: what the leader sends to S3 first is rejected, then comes what it lacks.
    const server = cluster.server('n3')
    cluster.take({ to: 'n2' })
    cluster.deliver({ to: 'n3', type: 'append' })
    cluster.deliver({ from: 'n3', type: 'appendReply' })
    const [repair] = appends(cluster.take({ to: 'n3', type: 'append' }))
    assert.deepEqual(
      repair!.entries.map(({ term }) => term),
      [2, 4],
    )
    // Only the entry of term 2 gets there.
    cluster.hand({ ...repair!, entries: repair!.entries.slice(0, 1) })
    assert.deepEqual(
      server.log.map(({ term }) => term),
      [1, 2],
    )
    cluster.deliver({ from: 'n3', type: 'appendReply' })
    assert.equal(cluster.server('n1').view.followers[1]!.matchIndex, 2, 'on S1, S2 and S3')
    assert.equal(cluster.server('n1').view.commitIndex, 0)
  })

  it('(d) and S5 may still replace it', () => {
    const cluster = figure()
    cluster.crash('n1')
    cluster.take()
    cluster.timeout('n5')
    cluster.run() // it asks for term 4, in which S2 and S3 are already, and learns that
    cluster.elect('n5')
    cluster.pass(2)
    for (const id of ['n2', 'n3', 'n4']) {
      assert.deepEqual(
        cluster.server(id).log.map(({ term }) => term),
        [1, 3, 5],
      )
      assert.equal(cluster.server(id).view.commitIndex, 3)
    }
  })

  it('(e) once an entry of term 4 is on a majority, both are committed, and S5 cannot win', () => {
    const cluster = figure()
    cluster.run()
    assert.equal(cluster.server('n1').view.commitIndex, 3)
    cluster.crash('n1')
    for (const id of ['n2', 'n3', 'n4', 'n5']) if (id !== 'n5') cluster.server(id).tick(10)
    cluster.take()
    cluster.server('n5').tick(20)
    cluster.run()
    assert.notEqual(cluster.server('n5').view.role, 'leader')
    cluster.pass(80)
    assert.deepEqual(
      cluster
        .server('n5')
        .log.slice(0, 3)
        .map(({ term }) => term),
      [1, 2, 4],
    )
  })
})
