import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pino } from 'pino'
import { StartProgress } from '../../src/server/start-progress.ts'
import { ManualClock } from '../client/manual-clock.ts'

describe('the progress of a start', () => {
  it('says nothing in the first second, and then once a second what has changed', async () => {
    const lines: string[] = []
    const clock = new ManualClock()
    const stream = { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) }
    const progress = new StartProgress(clock, pino({}, stream))
    for (let step = 0; step <= 40; step++) {
      progress.report('reading the log', step, 40)
      await clock.advance(100)
    }
    progress.report('applying the log', 1, 4)
    await clock.advance(5000)
    progress.report('applying the log', 1, 4)
    progress.report('applying the log', 0, 0)
    assert.deepEqual(lines, [
      'starting, reading the log: 25%',
      'starting, reading the log: 50%',
      'starting, reading the log: 75%',
      'starting, reading the log: 100%',
      'starting, applying the log: 25%',
    ])
  })
})
