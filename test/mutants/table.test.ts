import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { edited } from './mutant.ts'
import { MUTANTS } from './table.ts'

/** Mistakes that have to be in the table, whatever else is. */
const CLASSICS: Readonly<Record<string, string>> = {
  'commit of an old-term entry by counting': 'old-term-committed-by-counting',
  'vote sent before fsync': 'vote-sent-before-fsync',
  'append acknowledged before fsync': 'append-acknowledged-before-fsync',
  'truncation on a stale AppendEntries': 'stale-append-truncates',
  'truncation below commitIndex': 'truncation-below-commit-index',
  'timer reset by a stale leader': 'timer-reset-by-stale-leader',
  'votes counted per message': 'votes-counted-per-message',
  'a read before the term’s no-op commits': 'read-before-term-commits',
  'a read answered before its index is applied': 'read-before-its-index-is-applied',
  'a read without a fresh quorum': 'read-without-quorum',
  'matchIndex that goes back': 'match-index-goes-back',
  'commitIndex beyond the verified prefix': 'commit-beyond-verified-prefix',
  'applied index not atomic with data': 'checkpoint-not-atomic',
  'session table lost on restart': 'session-table-lost-on-restart',
  'an evicted session treated as new': 'evicted-session-treated-as-new',
  'a retry applied twice after a leader change': 'retry-applied-again',
  'a time-out reported as failure': 'timeout-reported-as-failure',
  'a proxy loop': 'proxy-loop',
  'nondeterministic apply': 'nondeterministic-apply',
  'PreVote that grants against a live leader': 'pre-vote-against-live-leader',
  'no CheckQuorum': 'no-check-quorum',
  'heartbeat that commits unmatched entries': 'heartbeat-commits-unmatched-entries',
  'wrong majority for even sizes': 'even-majority-too-small',
  'a stale vote reply of an older term counted': 'stale-vote-reply-counted',
  'hard state written after the entries it should precede': 'hard-state-after-entries',
  'a conflict hint that skips matching entries': 'conflict-hint-skips-matching-entries',
  'a re-sent proposal after losing and regaining leadership': 'proposal-sent-again-on-regained-leadership',
  'a ReadIndex confirmed by acknowledgements sent before it': 'read-confirmed-by-earlier-replies',
  'an entry’s CRC not checked': 'entry-crc-not-checked',
}

const read = (file: string): string =>
  readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8').replaceAll('\r\n', '\n')

describe('the table of mutants', () => {
  it('has each classic mistake, and every name once', () => {
    const names = MUTANTS.map(({ name }) => name)
    assert.ok(names.length >= 30)
    assert.deepEqual(
      names.filter((name, position) => names.indexOf(name) !== position),
      [],
    )
    for (const [mistake, name] of Object.entries(CLASSICS)) assert.ok(names.includes(name), mistake)
  })

  for (const { name, edits } of MUTANTS) {
    it(`${name} fits the source as it is`, () => {
      const texts = new Map<string, string>()
      for (const edit of edits) texts.set(edit.file, edited(texts.get(edit.file) ?? read(edit.file), edit))
    })
  }

  it('names catchers that exist', () => {
    for (const { name, caughtBy } of MUTANTS) {
      const files = caughtBy.kind === 'tests' ? caughtBy.files : []
      for (const file of files)
        assert.ok(existsSync(new URL(`../../${file}`, import.meta.url)), `${name}: ${file}`)
    }
  })
})

describe('the page on the proof', () => {
  it('has every mutant, and nothing else', () => {
    const page = readFileSync(new URL('../../docs/proof.md', import.meta.url), 'utf8')
    const table = page.slice(page.indexOf('## Mutants'))
    const told = [...table.matchAll(/^\| `([a-z0-9-]+)`/gm)].map(([, name]) => name!)
    assert.deepEqual(told.toSorted(), MUTANTS.map(({ name }) => name).toSorted())
    assert.match(table, new RegExp(`^All ${MUTANTS.length} are caught`, 'm'))
  })
})

describe('an edit', () => {
  const edit = { file: 'x.ts', find: 'b', replace: 'c' }

  it('replaces the text that it names', () => {
    assert.equal(edited('abd', edit), 'acd')
  })

  it('that does not fit exactly once is refused, in words', () => {
    assert.throws(() => edited('ad', edit), /x\.ts does not contain the text to be replaced/)
    assert.throws(() => edited('bab', edit), /x\.ts contains the text more than once/)
    assert.throws(() => edited('ab', { ...edit, replace: 'b' }), /changes nothing/)
  })
})
