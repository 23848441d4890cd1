import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { rerun, Script } from './support/script.ts'

// UPDATE_GOLDEN=1 npm test -- test/raft/golden writes down what happens now; read the difference.
const FOLDER = join(import.meta.dirname, 'golden')
const update = process.env['UPDATE_GOLDEN'] === '1'

describe('golden scripts', () => {
  for (const file of readdirSync(FOLDER).sort()) {
    it(file, () => {
      const path = join(FOLDER, file)
      const recorded = readFileSync(path, 'utf8')
      assert.match(recorded, /^# \S/, 'a script begins with its purpose')
      const actual = rerun(recorded)
      assert.ok(actual.split('\n').length > 10, 'a script does something')
      if (update) writeFileSync(path, actual)
      else assert.equal(actual, recorded)
    })
  }

  it('a command that does not exist is refused, with those that do', () => {
    assert.throws(() => new Script().execute('dance n1'), /no command dance[^]*propose ID COMMAND/)
    assert.throws(() => new Script().execute('tick n1'), /no cluster yet/)
  })
})
