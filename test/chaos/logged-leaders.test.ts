import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loggedTerms } from '../../src/chaos/logged-leaders.ts'

const line = (time: number, role: string, term: number) =>
  JSON.stringify({ level: 30, time, node: 'n1', role, term, leader: null, msg: 'this node leads' })

describe('the terms that a node led by its log', () => {
  it('are those of its lines as a leader', () => {
    const log = [line(1, 'leader', 3), line(2, 'follower', 4), line(3, 'leader', 7), ''].join('\n')
    assert.deepEqual(loggedTerms(log, 0), new Set([3, 7]))
  })

  it('are not those of before the run, of lines that were cut off, or of words that look alike', () => {
    const log = [
      line(1, 'leader', 3),
      line(5, 'leader', 8).slice(0, -20),
      'a peer said "role":"leader"',
      JSON.stringify({ time: 6, text: '"role":"leader"', term: 9 }),
      line(7, 'leader', 10),
    ].join('\n')
    assert.deepEqual(loggedTerms(log, 4), new Set([10]))
  })
})
