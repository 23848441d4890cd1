import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { check } from '../../src/check/check.ts'
import { appendModel } from '../../src/check/models/append.ts'
import { registerModel } from '../../src/check/models/register.ts'
import { absent, parseAppend, parseJepsen, readRecorded, recorded } from './support/shared.ts'

/** What the whole set may take, windows included. It takes well under one. */
const MOST_SECONDS = 20

describe('histories that others recorded', { skip: absent }, () => {
  it('of a register, get the verdicts that are known, and small windows', () => {
    const verdicts = JSON.parse(readRecorded('jepsen-etcd', 'verdicts.json')) as Record<string, boolean>
    const names = recorded('jepsen-etcd', '.log')
    assert.equal(names.length, 60)
    const started = performance.now()
    for (const name of names) {
      const result = check(parseJepsen(readRecorded('jepsen-etcd', name)), registerModel)
      assert.equal(result.verdict, verdicts[name] ? 'linearizable' : 'violation', name)
      for (const { window } of result.violations) {
        assert.equal(window.minimal, true, name)
        assert.ok(window.operations.length <= 6, `${name}: ${window.operations.length} operations`)
      }
    }
    assert.ok(performance.now() - started < MOST_SECONDS * 1000)
  })

  it('of texts under keys, get the verdicts that are known', () => {
    const names = recorded('kv', '.txt')
    assert.equal(names.length, 4)
    for (const name of names) {
      const result = check(parseAppend(readRecorded('kv', name)), appendModel)
      assert.equal(result.verdict, name.includes('-ok') ? 'linearizable' : 'violation', name)
      for (const { window } of result.violations) assert.equal(window.minimal, true, name)
    }
  })
})
