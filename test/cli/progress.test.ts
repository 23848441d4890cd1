import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { showProgress } from '../../src/cli/progress.ts'
import { Collector } from './support/fake-context.ts'

describe('progress', () => {
  it('is a bar on a terminal, which goes away', () => {
    const terminal = new Collector()
    terminal.isTTY = true
    const progress = showProgress(terminal, 'Restoring', 10_000_000)
    progress.at(5_000_000, 1234)
    // More than was estimated is no mistake.
    progress.at(12_000_000, 2345)
    progress.stop()
    assert.match(terminal.text, /Restoring █*░+ 0 %/)
    assert.match(terminal.text, /100 % 2,345 keys, 12 MB/)
    assert.ok(
      terminal.text.endsWith('\u001b[?25h') || terminal.text.includes('\u001b[?25h'),
      'the cursor is back',
    )
  })

  it('is nothing elsewhere while it is quick', () => {
    const log = new Collector()
    const progress = showProgress(log, 'Restoring', 10_000_000)
    progress.at(5_000_000)
    progress.stop()
    assert.equal(log.text, '')
  })
})
