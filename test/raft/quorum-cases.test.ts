import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { countVotes, Quorum, reachedByMajority } from '../../src/raft/quorum.ts'
import type { NodeId } from '../../src/raft/types.ts'

// Recorded by others (etcd's quorum/testdata); the format is described in the README beside the data.
const SHARED = process.env['BALSA_SHARED'] ?? join(import.meta.dirname, '../../../shared')
const FOLDER = join(SHARED, 'data/raft-quorum')

interface Case {
  readonly name: string
  readonly command: string
  readonly voters: NodeId[]
  /** Undefined where the case is of a simple majority. */
  readonly outgoing: NodeId[] | undefined
  /** What each voter has reached, or its vote, in the order in which the voters are named: `_` for none. */
  readonly values: ReadonlyMap<NodeId, string>
  readonly expected: string
}

function parse(text: string): Case[] {
  return text
    .replaceAll(/^#.*\n/gm, '')
    .split(/\n\n+/)
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const [head, output] = block.trim().split('\n----\n')
      const args = new Map(
        [...head!.matchAll(/(\w+)=(?:\(([^)]*)\)|(\w+))/g)].map((m) => [m[1]!, m[2] ?? '']),
      )
      const list = (name: string): string[] =>
        (args.get(name) ?? '').split(',').flatMap((item) => item.trim() || [])
      const voters = list('cfg')
      const outgoing = args.has('cfgj') ? list('cfgj') : undefined
      const members = [...new Set([...voters, ...(outgoing ?? [])])]
      const given = [...list('idx'), ...list('votes')]
      assert.ok(given.length === 0 || given.length === members.length, `${head}: a value for each voter`)
      return {
        name: head!,
        command: head!.split(' ')[0]!,
        voters,
        outgoing,
        values: new Map(members.map((id, i) => [id, given[i] ?? '_'])),
        expected: output!.trim().split('\n').at(-1)!,
      }
    })
}

function committed({ voters, outgoing, values }: Case): string {
  const reached = (id: NodeId): number | undefined =>
    values.get(id) === '_' ? undefined : Number(values.get(id))
  const index =
    outgoing === undefined
      ? reachedByMajority(voters, reached)
      : new Quorum({ voters, outgoing, learners: [] }).reached(reached)
  return index === Infinity ? '∞' : String(index)
}

function vote({ voters, outgoing, values }: Case): string {
  const cast = [...values].filter(([, value]) => value !== '_')
  const votes = new Map(cast.map(([id, value]) => [id, value === 'y']))
  const result =
    outgoing === undefined
      ? countVotes(voters, votes)
      : new Quorum({ voters, outgoing, learners: [] }).vote(votes)
  return { won: 'VoteWon', lost: 'VoteLost', pending: 'VotePending' }[result]
}

const absent = existsSync(FOLDER)
  ? false
  : `the cases are not here: ${FOLDER} (BALSA_SHARED names their place)`

describe('quorum arithmetic, in cases recorded by others', { skip: absent }, () => {
  for (const file of absent ? [] : readdirSync(FOLDER).sort()) {
    const cases = parse(readFileSync(join(FOLDER, file), 'utf8'))
    it(`${file}: ${cases.length} cases`, () => {
      assert.ok(cases.length > 10)
      for (const given of cases) {
        assert.ok(given.command === 'committed' || given.command === 'vote', given.command)
        const result = given.command === 'vote' ? vote(given) : committed(given)
        assert.equal(result, given.expected.replace(/^<.*>/, ''), given.name)
      }
    })
  }
})
