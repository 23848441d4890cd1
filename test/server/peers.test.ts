import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Peers } from '../../src/server/peers.ts'

/** Peers with a memory that keeps what it is told, and takes a turn of the event loop for it. */
function peersThatKnow(known: Map<string, number>): Peers {
  return new Peers(['n2', 'n3'], {
    peerIncarnations: () => known,
    rememberPeer: async (id, incarnation) => {
      await Promise.resolve()
      known.set(id, incarnation)
    },
  })
}

describe('peers', () => {
  it('are admitted and remembered when they come for the first time, and known again', async () => {
    const known = new Map<string, number>()
    const peers = peersThatKnow(known)
    assert.equal(await peers.admit({ id: 'n2', incarnation: 7, clientAddress: '' }), undefined)
    assert.deepEqual([...known], [['n2', 7]])
    assert.equal(await peers.admit({ id: 'n2', incarnation: 7, clientAddress: '' }), undefined)
  })

  it('that lost their disk are refused under their old name: they may have forgotten votes', async () => {
    const known = new Map([['n2', 7]])
    const refusal = await peersThatKnow(known).admit({ id: 'n2', incarnation: 8, clientAddress: '' })
    assert.match(refusal ?? '', /n2 has another data directory .* wiped or replaced/)
    assert.deepEqual([...known], [['n2', 7]], 'and the old one stays known')
  })

  it('that come at once under one name are not both the first', async () => {
    const peers = peersThatKnow(new Map())
    const answers = [7, 8].map((incarnation) => peers.admit({ id: 'n2', incarnation, clientAddress: '' }))
    const [first, second] = await Promise.all(answers)
    assert.equal(first, undefined)
    assert.match(second ?? '', /another data directory/)
  })
})
