import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runCampaign } from './campaign.ts'
import { FILE_CLASSES } from './corruption.ts'
import { lastLine } from './report.ts'

describe('damage at random', () => {
  it('is refused before the node serves, or changes nothing', async () => {
    const count = 3 * Object.keys(FILE_CLASSES).length
    const outcomes = await runCampaign({ seed: 1, count })
    const missed = outcomes.filter(({ verdict }) => verdict === 'missed')
    assert.deepEqual(missed, [])
    assert.match(lastLine(outcomes), /^corruptions: 27, detected: \d\d, harmless: \d+, missed: 0$/)
  })
})
