import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cluster } from './support/cluster.ts'
import { Lone } from './support/lone.ts'
import { append, heartbeat, preVoteReply, voteReply } from './support/messages.ts'

describe('rules for candidates (Figure 3.1, §3.4)', () => {
  it('on conversion: increments currentTerm, votes for itself, asks all other servers', () => {
    const lone = new Lone({ log: [1, 2], term: 4 })
    const sent = lone.campaign()
    assert.deepEqual([lone.view.role, lone.view.term], ['candidate', 5])
    assert.deepEqual(lone.server.disk.hardState, { currentTerm: 5, votedFor: 'n1' })
    const request = { type: 'vote', from: 'n1', term: 5, lastLogIndex: 2, lastLogTerm: 2 }
    assert.deepEqual(sent, [
      { ...request, to: 'n2' },
      { ...request, to: 'n3' },
    ])
  })

  it('§3.8: its requests leave only when its vote for itself is on disk', () => {
    const lone = new Lone()
    lone.server.auto.persist = false
    assert.deepEqual(lone.campaign(), [])
    assert.equal(lone.server.held.length, 2)
    lone.server.persist()
    assert.deepEqual(
      lone.sent().map(({ type }) => type),
      ['vote', 'vote'],
    )
  })

  it('§3.8: its own vote counts only when it is on disk', () => {
    const lone = new Lone({ voters: ['n1'] })
    lone.server.auto.persist = false
    lone.tick(20)
    assert.equal(lone.view.role, 'candidate')
    lone.server.persist()
    assert.equal(lone.view.role, 'leader')
  })

  it('an older write on its way to the disk does not vouch for its vote', () => {
    const lone = new Lone({ voters: ['n1', 'n2'] })
    lone.server.auto.persist = false
    lone.receive(append({ term: 1 })) // a write: the new term
    lone.campaign()
    lone.server.persist(1)
    lone.receive(voteReply({ term: 2 }))
    assert.equal(lone.view.role, 'candidate')
    lone.server.persist(1)
    assert.equal(lone.view.role, 'leader')
  })

  it('votes from a majority make it the leader (etcd: LeaderElectionInOneRoundRPC)', () => {
    const names = ['n2', 'n3', 'n4', 'n5', 'n6', 'n7']
    for (const [size, granted, refused, role] of [
      [1, 0, 0, 'leader'],
      [3, 1, 0, 'leader'],
      [3, 2, 0, 'leader'],
      [3, 0, 0, 'candidate'],
      [3, 0, 1, 'candidate'],
      [3, 0, 2, 'follower'],
      [5, 1, 0, 'candidate'],
      [5, 2, 0, 'leader'],
      [5, 2, 2, 'leader'],
      [5, 1, 3, 'follower'],
      [7, 2, 3, 'candidate'],
      [7, 3, 0, 'leader'],
    ] as const) {
      const lone = new Lone({ voters: ['n1', ...names.slice(0, size - 1)] })
      if (size === 1) lone.tick(20)
      else lone.campaign()
      for (const [i, from] of names.slice(0, granted + refused).entries()) {
        lone.receive(voteReply({ from, granted: i < granted }))
      }
      assert.equal(lone.view.role, role, `${size} servers, ${granted} granted, ${refused} refused`)
    }
  })

  it('each voter counts once, and its first word stands', () => {
    const lone = new Lone({ voters: ['n1', 'n2', 'n3', 'n4', 'n5'] })
    lone.campaign()
    lone.receive(voteReply({ from: 'n2' }), voteReply({ from: 'n2' }), voteReply({ from: 'n2' }))
    assert.equal(lone.view.role, 'candidate')
    lone.receive(voteReply({ from: 'n3', granted: false }), voteReply({ from: 'n3' }))
    assert.equal(lone.view.role, 'candidate')
    lone.receive(voteReply({ from: 'n4' }))
    assert.equal(lone.view.role, 'leader')
  })

  it('asks those again that have not answered, a heartbeat interval later (§5.5)', () => {
    const lone = new Lone({
      voters: ['n1', 'n2', 'n3', 'n4', 'n5'],
      raft: { electionTicks: 10, heartbeatTicks: 3 },
    })
    const asked = (ticks: number): string[] => lone.tick(ticks).map(({ type, to }) => `${type} ${to}`)
    lone.timeout()
    lone.receive(preVoteReply({ from: 'n2', term: 1 }))
    assert.deepEqual(asked(2), [])
    assert.deepEqual(asked(1), ['preVote n3', 'preVote n4', 'preVote n5'])
    lone.receive(preVoteReply({ from: 'n3', term: 1 }))
    lone.receive(voteReply({ from: 'n4', granted: false }))
    assert.deepEqual(asked(2), [])
    assert.deepEqual(asked(1), ['vote n2', 'vote n3', 'vote n5'])
  })

  it('a vote of an earlier term does not count', () => {
    const lone = new Lone()
    lone.campaign()
    lone.timeout()
    lone.receive(preVoteReply({ term: 2 }))
    assert.equal(lone.view.term, 2)
    lone.receive(voteReply({ term: 1 }), voteReply({ term: 1, from: 'n3' }))
    assert.equal(lone.view.role, 'candidate')
  })

  it('AppendEntries or a heartbeat from a leader of its term: it follows, and answers (etcd: CandidateFallback)', () => {
    for (const message of [append({ from: 'n3' }), heartbeat({ from: 'n3' })]) {
      const lone = new Lone()
      lone.campaign()
      const [reply] = lone.receive(message)
      assert.deepEqual([lone.view.role, lone.view.term, lone.view.leader], ['follower', 1, 'n3'])
      assert.equal(reply?.type, `${message.type}Reply`)
    }
  })

  it('election time-out: it starts a new election, in the next term (etcd: CandidateStartNewElection)', () => {
    const lone = new Lone()
    lone.campaign()
    lone.timeout()
    assert.deepEqual([lone.view.role, lone.view.term], ['preCandidate', 1])
    lone.receive(preVoteReply({ term: 2 }))
    assert.deepEqual([lone.view.role, lone.view.term], ['candidate', 2])
  })
})

describe('election time-outs (§3.4)', () => {
  /** How many ticks each of many followers, or candidates, waits. */
  function timeouts(as: 'follower' | 'candidate', electionTicks = 10): number[] {
    return Array.from({ length: 400 }, (_, seed) => {
      const lone = new Lone({ raft: { electionTicks, seed: seed + 1 } })
      if (as === 'candidate') lone.campaign()
      let ticks = 0
      for (; lone.view.role === as; ticks++) lone.tick()
      return ticks
    })
  }

  for (const as of ['follower', 'candidate'] as const) {
    it(`of a ${as} are spread over one up to two times the shortest one`, () => {
      const drawn = timeouts(as)
      assert.deepEqual(
        [...new Set(drawn)].sort((a, b) => a - b),
        [10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
      )
    })
  }

  for (const as of ['followers', 'candidates'] as const) {
    it(`of ${as} seldom coincide: mostly one server times out alone`, () => {
      let conflicts = 0
      const rounds = 200
      for (let seed = 1; seed <= rounds; seed++) {
        const cluster = new Cluster({ size: 5, raft: { seed } })
        if (as === 'candidates') {
          for (const id of cluster.ids) cluster.timeout(id)
          cluster.run({ type: 'preVote' })
          cluster.deliver({ type: 'preVoteReply' })
          for (const id of cluster.ids) assert.equal(cluster.server(id).view.role, 'candidate')
        }
        cluster.take()
        const servers = [...cluster.servers.values()]
        let campaigning = 0
        while (campaigning === 0) {
          for (const server of servers) server.tick()
          campaigning = new Set(cluster.take({ type: 'preVote' }).map(({ from }) => from)).size
        }
        if (campaigning > 1) conflicts++
      }
      assert.ok(conflicts < 0.5 * rounds, `${conflicts} of ${rounds} with only ten different time-outs`)
    })
  }

  it('the same seed draws the same time-outs', () => {
    assert.deepEqual(timeouts('follower'), timeouts('follower'))
  })

  it('a heartbeat interval as long as the election time-out is refused', () => {
    assert.throws(() => new Lone({ raft: { electionTicks: 5, heartbeatTicks: 5 } }), /well before/)
  })
})

describe('elections in a cluster (§3.4)', () => {
  it('a split vote is followed by another election', () => {
    const cluster = new Cluster({ size: 4 })
    for (const id of ['n1', 'n2']) cluster.timeout(id)
    cluster.run({ type: 'preVote' })
    cluster.deliver({ type: 'preVoteReply' })
    for (const [from, to] of [
      ['n1', 'n3'],
      ['n2', 'n4'],
    ] as const)
      cluster.deliver({ type: 'vote', from, to })
    cluster.run()
    assert.equal(cluster.leaders.length, 0, 'two votes each')
    cluster.pass(40)
    assert.equal(cluster.leaders.length, 1)
    assert.ok(cluster.leaders[0]!.view.term > 1)
  })

  it('a server whose log lacks what a majority holds is not elected (§3.6.1; etcd: VoteRequest)', () => {
    const found = { n1: { log: [1], term: 2 }, n2: { log: [1, 2] }, n3: { log: [1, 2] } }
    const cluster = new Cluster({ found })
    cluster.timeout('n1')
    cluster.run()
    assert.equal(cluster.server('n1').view.role, 'follower')
    cluster.elect('n2')
    assert.equal(cluster.server('n2').view.role, 'leader')
  })
})
