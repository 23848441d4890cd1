import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { RUN_TYPESCRIPT } from '../../scripts/lib/typescript.mjs'
import { balsaMaelstrom } from './node-process.ts'
import { runWorkbench } from './workbench.ts'

const WITHOUT_RAFT = fileURLToPath(new URL('fixtures/without-raft.ts', import.meta.url))

/** As small and short as finds out what it has to. */
const SMALL = {
  nodes: 3,
  concurrency: 9,
  rate: 200,
  latencyMs: 5,
  distribution: 'exponential',
  loss: 0,
  partitionMs: undefined,
  durationMs: 1500,
  seed: 1,
} as const

describe('the workbench', { concurrency: true }, () => {
  it('finds what balsa maelstrom answers linearizable, through a partition and losses', async () => {
    const report = await runWorkbench({ ...SMALL, loss: 0.01, partitionMs: 1000 })
    assert.deepEqual(report.problems, [])
    assert.equal(report.verdict, 'linearizable', report.explanation)
    assert.ok(report.tally.answered > 0)
    assert.equal(report.partitions.length, 1)
  })

  it('rejects local reads', async () => {
    const report = await runWorkbench({ ...SMALL, command: balsaMaelstrom('--reads', 'local') })
    assert.deepEqual(report.problems, [])
    assert.equal(report.verdict, 'violation')
  })

  it('rejects a node that skips Raft', async () => {
    const report = await runWorkbench({
      ...SMALL,
      command: [process.execPath, ...RUN_TYPESCRIPT, WITHOUT_RAFT],
    })
    assert.deepEqual(report.problems, [])
    assert.equal(report.verdict, 'violation')
  })
})
